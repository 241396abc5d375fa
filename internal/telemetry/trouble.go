package telemetry

import (
	"log/slog"
	"sync"
	"time"
)

// remindEvery is how often a trouble that lasts is logged again.
const remindEvery = 10 * time.Minute

// Trouble logs a state that begins and ends: one line when it begins, one every ten minutes while it
// lasts, and one when it ends, with the number of failures. It may be used by many goroutines.
type Trouble struct {
	log          *slog.Logger
	begins, ends string // messages

	mu       sync.Mutex // guards what follows
	since    time.Time  // of the first failure; zero: there is no trouble
	logged   time.Time
	failures int
}

// NewTrouble returns a trouble that has not begun. The messages are constants; the logger has the
// attributes of all lines.
func NewTrouble(log *slog.Logger, begins, ends string) *Trouble {
	return &Trouble{log: log, begins: begins, ends: ends}
}

// Note takes the result of one more attempt: nil means that it works. The attributes say what a person
// can do; they are logged with failures only.
func (t *Trouble) Note(err error, attrs ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil && t.since.IsZero():
	case err == nil:
		t.log.Warn(t.ends, "failures", t.failures, "seconds", int(now.Sub(t.since).Seconds())) //nolint:sloglint // a constant of the caller
		t.since, t.failures = time.Time{}, 0
	case t.since.IsZero():
		t.since, t.logged, t.failures = now, now, 1
		t.log.Warn(t.begins, append([]any{"error", err}, attrs...)...) //nolint:sloglint // a constant of the caller
	default:
		t.failures++
		if now.Sub(t.logged) >= remindEvery {
			t.logged = now
			t.log.Warn(t.begins, append([]any{"error", err, "failures", t.failures, "seconds", int(now.Sub(t.since).Seconds())}, attrs...)...) //nolint:sloglint // a constant of the caller
		}
	}
}
