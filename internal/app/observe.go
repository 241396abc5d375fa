package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/telemetry"
)

// observedTransactor is the transactor of an engine. It notes whether the producer is open, and counts
// the dead letters that became visible.
type observedTransactor struct {
	*produce.Transactor

	open    atomic.Bool
	letters *telemetry.Counts[deadLetters]
}

// deadLetters are those of one topic with one reason.
type deadLetters struct{ topic, reason string }

func newObservedTransactor(tx *produce.Transactor, log *slog.Logger) *observedTransactor {
	return &observedTransactor{Transactor: tx, letters: telemetry.NewCounts(log, "records became dead letters", func(d deadLetters) []any {
		return []any{"reason", d.reason, "topic", d.topic, "remedy", "bridge tail " + d.topic + " shows them"}
	})}
}

// Recover opens a producer.
func (t *observedTransactor) Recover(ctx context.Context) error {
	t.open.Store(false)
	err := t.Transactor.Recover(ctx)
	t.open.Store(err == nil)
	return err
}

// Commit makes a batch visible. After an error other than a fence, a producer must be opened again.
func (t *observedTransactor) Commit(ctx context.Context, b produce.Batch) error {
	err := t.Transactor.Commit(ctx, b)
	if err != nil {
		if !errors.Is(err, produce.ErrFenced) {
			t.open.Store(false)
		}
		return err
	}
	found := map[deadLetters]int{}
	for _, r := range b.Records {
		for _, h := range r.Headers {
			if h.Key == records.HeaderDeadReason {
				found[deadLetters{r.Topic, string(h.Value)}]++
			}
		}
	}
	for d, n := range found {
		t.letters.Add(d, n)
	}
	return nil
}

// observedClient is the client of an account. It notes how its calls end.
type observedClient struct {
	*gateway.Client

	account order.Account
	waiting *waitingAccounts
	errors  *lastErrors
}

// Seal builds a request, as the client does.
func (c observedClient) Seal(ctx context.Context, r alipay.Request) alipay.Send {
	send := c.Client.Seal(ctx, r)
	return func(ctx context.Context) func() (alipay.Reply, error) {
		open := send(ctx)
		return func() (alipay.Reply, error) {
			reply, err := open()
			c.waiting.note(c.account, alipay.ClassOf(err) == alipay.Misconfigured)
			c.errors.note(r.Method(), err)
			return reply, err
		}
	}
}

// waitingAccounts knows which accounts wait for a person: their last answer was Misconfigured.
type waitingAccounts struct {
	mu    sync.Mutex
	since map[order.Account]time.Time // of accounts that were called; zero: it does not wait; guarded by mu
}

func newWaitingAccounts() *waitingAccounts {
	return &waitingAccounts{since: map[order.Account]time.Time{}}
}

func (w *waitingAccounts) note(a order.Account, waits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !waits:
		w.since[a] = time.Time{}
	case w.since[a].IsZero():
		w.since[a] = time.Now()
	}
}

// all returns since when all accounts that were called wait, and false if one does not.
func (w *waitingAccounts) all() (since time.Time, waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.since {
		if s.IsZero() {
			return time.Time{}, false
		}
		if s.After(since) {
			since = s
		}
	}
	return since, len(w.since) > 0
}

// lastErrors knows the last error of each method of an app.
type lastErrors struct {
	mu       sync.Mutex
	byMethod map[alipay.Method]error // guarded by mu
}

func (l *lastErrors) note(m alipay.Method, err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byMethod[m] = err
}

func (l *lastErrors) of(m alipay.Method) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.byMethod[m]; err != nil {
		return err
	}
	return errUnknownFailure
}

var errUnknownFailure = errors.New("the failures were not noted")

// breakerLog logs when a breaker opens, with the error that opened it, every ten minutes while probes
// fail, and when it closes.
type breakerLog struct {
	log    *slog.Logger
	app    string
	errors *lastErrors

	mu       sync.Mutex
	byMethod map[alipay.Method]*telemetry.Trouble // guarded by mu
}

func newBreakerLog(log *slog.Logger, app string) *breakerLog {
	return &breakerLog{log: log, app: app, errors: &lastErrors{byMethod: map[alipay.Method]error{}}, byMethod: map[alipay.Method]*telemetry.Trouble{}}
}

// changed is called under the breaker's lock; slog only writes.
func (b *breakerLog) changed(m alipay.Method, _, to string) {
	b.mu.Lock()
	t := b.byMethod[m]
	if t == nil {
		t = telemetry.NewTrouble(b.log.With("app", b.app, "method", m), "a breaker is open: Alipay fails, and calls of this method wait", "a breaker closed: Alipay works again")
		b.byMethod[m] = t
	}
	b.mu.Unlock()
	switch to {
	case "open":
		t.Note(b.errors.of(m), "remedy", "nothing to do: it probes by itself, and no event is given up meanwhile; call Alipay if it lasts")
	case "closed":
		t.Note(nil)
	}
}
