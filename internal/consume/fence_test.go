package consume_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/produce"
)

// fencing refuses the first commits as those of another generation, and keeps when they came.
type fencing struct {
	*produce.Transactor
	mu    sync.Mutex
	left  int
	times []time.Time
}

func (f *fencing) Commit(ctx context.Context, b produce.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times = append(f.times, time.Now())
	if f.left--; f.left >= 0 {
		return produce.ErrFenced
	}
	return f.Transactor.Commit(ctx, b)
}

// A generation that was refused is tried again after ten seconds, not with each settle: a member
// that is really fenced would trouble the coordinator ten times a second.
func TestAFencedGenerationIsTriedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(8, 4)
		f := &fencing{left: 3}
		e := r.start(setup{options: earliest, wrap: func(tx *produce.Transactor) committer { f.Transactor = tx; return f }})
		r.wantEachOnce(8, 4)
		_ = e.stop()
		var pauses []time.Duration
		for i := range 3 {
			pauses = append(pauses, f.times[i+1].Sub(f.times[i]))
		}
		if want := slices.Repeat([]time.Duration{10 * time.Second}, 3); !slices.Equal(pauses, want) {
			t.Errorf("tried again after %v, want %v", pauses, want)
		}
	})
}
