package breaker

import (
	"context"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// limits are one app's: how many exchanges run at a time, and how many begin per second.
// A slot is held for one exchange and never across a wait.
type limits struct {
	rate  *rate.Limiter       // nil: no limit
	ready *semaphore.Weighted // half as many more than slots: signing, or waiting with a signature
	slots *semaphore.Weighted
}

func newLimits(o Options) *limits {
	l := &limits{
		ready: semaphore.NewWeighted(int64(o.InFlight + (o.InFlight+1)/2)),
		slots: semaphore.NewWeighted(int64(o.InFlight)),
	}
	if o.Rate > 0 {
		l.rate = rate.NewLimiter(rate.Limit(o.Rate), max(1, o.Burst))
	}
	return l
}

// take waits for the rate first and then for a slot. In between it calls seal: signing takes
// about a millisecond of processor time, during which a slot would stand idle. Only enough
// requests are signed ahead that a free slot finds one.
func (l *limits) take(ctx context.Context, step func(Step), seal func()) error {
	if l.rate != nil {
		step(StepRate)
		if err := l.rate.Wait(ctx); err != nil {
			return err
		}
	}
	step(StepSlot)
	if err := l.ready.Acquire(ctx, 1); err != nil {
		return err
	}
	undo := func() { l.ready.Release(1) }
	defer func() { undo() }() // also when seal panics
	step(StepSign)
	seal()
	step(StepSlot)
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	undo = l.give
	seal() // again, if it waited too long
	undo = func() {}
	return nil
}

func (l *limits) give() {
	l.slots.Release(1)
	l.ready.Release(1)
}
