package sight

import (
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// Accounts knows how the last call of each account ended, and which accounts wait for a person: their
// last answer was Misconfigured.
type Accounts struct {
	mu   sync.Mutex
	last map[order.Account]lastCall // of accounts that were called; guarded by mu
}

// lastCall is what an account's calls say about it.
type lastCall struct {
	app     string
	stopped time.Time // since when its answers have said that it waits for a person; zero: the last one did not
	success time.Time // of the last healthy answer
	failure time.Time // of the last other one
	err     error     // of the last call that was not a success; kept until the next
}

// stoppedFor is how long an account waits for a person after its last call: what waits is tried at least once a
// minute, so after two nothing of it waits here. It may have been corrected, and go on elsewhere.
const stoppedFor = 2 * time.Minute

// waits reports whether the account waits for a person.
func (l lastCall) waits(now time.Time) bool {
	return !l.stopped.IsZero() && now.Sub(l.failure) < stoppedFor
}

// NewAccounts returns the table of accounts that no call was made for.
func NewAccounts() *Accounts { return &Accounts{last: map[order.Account]lastCall{}} }

func (w *Accounts) note(app string, a order.Account, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.last[a]
	l.app = app
	now := time.Now()
	switch waits := alipay.ClassOf(err) == alipay.Misconfigured; {
	case !waits:
		l.stopped = time.Time{}
	case l.stopped.IsZero():
		l.stopped = now
	}
	if alipay.HealthOf(err) == alipay.Healthy {
		l.success = now
	} else {
		l.failure, l.err = now, err
	}
	w.last[a] = l
}

// AllWait returns since when all accounts that were called wait for a person, and false if one does not.
func (w *Accounts) AllWait() (since time.Time, waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.last {
		if !l.waits(time.Now()) {
			return time.Time{}, false
		}
		if l.stopped.After(since) {
			since = l.stopped
		}
	}
	return since, len(w.last) > 0
}

// of returns what is known of one account.
func (w *Accounts) of(a order.Account) lastCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.last[a]
	if !l.waits(time.Now()) {
		l.stopped = time.Time{}
	}
	return l
}
