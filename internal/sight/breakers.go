package sight

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/telemetry"
)

// breakers logs when a breaker of an app opens, with the error that opened it, every ten minutes while
// probes fail, and when it closes; and it knows the state of each.
type breakers struct {
	log  *slog.Logger  // with the app
	open time.Duration // how long a breaker stays open before it probes

	mu       sync.Mutex
	byMethod map[alipay.Method]*oneBreaker // guarded by mu
}

type oneBreaker struct {
	trouble *telemetry.Trouble
	state   string    // closed, half-open or open
	since   time.Time // when it was last closed or opened; zero: it never opened
	probe   time.Time // when it lets a call pass again, while it is open
	last    error     // of the last call that failed
}

func newBreakers(log *slog.Logger, open time.Duration) *breakers {
	return &breakers{log: log, open: open, byMethod: map[alipay.Method]*oneBreaker{}}
}

// of returns the breaker of a method. The caller holds mu.
func (b *breakers) of(m alipay.Method) *oneBreaker {
	if b.byMethod[m] == nil {
		b.byMethod[m] = &oneBreaker{
			state:   "closed",
			trouble: telemetry.NewTrouble(b.log.With("method", m), "a breaker is open: Alipay fails, and calls of this method wait", "a breaker closed: Alipay works again"),
		}
	}
	return b.byMethod[m]
}

// failed notes the error of a call. A healthy answer, such as a refusal, is no reason for a breaker to open.
func (b *breakers) failed(m alipay.Method, err error) {
	if alipay.HealthOf(err) == alipay.Healthy {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(m).last = err
}

// changed is called under the breaker's lock; slog only writes.
func (b *breakers) changed(m alipay.Method, _, to string) {
	b.mu.Lock()
	one := b.of(m)
	last := one.last
	if to == "closed" || to == "open" && one.state == "closed" {
		one.since = time.Now()
	}
	if one.state, one.probe = to, (time.Time{}); to == "open" {
		one.probe = time.Now().Add(b.open)
	}
	b.mu.Unlock()
	switch to {
	case "open":
		if last == nil {
			last = errUnknownFailure
		}
		one.trouble.Note(last, "remedy", "nothing to do: it probes by itself, and no event is given up meanwhile; call Alipay if it lasts")
	case "closed":
		one.trouble.Note(nil)
	}
}

var errUnknownFailure = errors.New("the failures were not noted")
