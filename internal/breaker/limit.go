package breaker

import (
	"context"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// limits are one app's: how many attempts run at a time, and how many begin per second.
// A slot is held for one attempt and never across a wait.
type limits struct {
	rate  *rate.Limiter // nil: no limit
	slots *semaphore.Weighted
}

func newLimits(o Options) *limits {
	l := &limits{slots: semaphore.NewWeighted(int64(o.InFlight))}
	if o.Rate > 0 {
		l.rate = rate.NewLimiter(rate.Limit(o.Rate), max(1, o.Burst))
	}
	return l
}

// take waits for the rate first and then for a slot.
func (l *limits) take(ctx context.Context) error {
	if l.rate != nil {
		if err := l.rate.Wait(ctx); err != nil {
			return err
		}
	}
	return l.slots.Acquire(ctx, 1)
}

func (l *limits) give() { l.slots.Release(1) }
