package breaker

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"alipay-kafka-bridge/internal/alipay"
)

// probePoll is how often the first waiter asks an open breaker. gobreaker changes from open
// to half open only when it is asked.
const probePoll = 50 * time.Millisecond

// gate is one method's breaker with a queue in front of it. While the breaker is closed and the app's answers can be
// believed, every attempt passes. Otherwise one waiter at a time asks: a half-open breaker gets its probes and
// no stampede, and after it closes the number of concurrent attempts ramps up.
type gate struct {
	o       Options
	limits  *limits
	trust   *trust
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	streak  streak
	turn    chan struct{} // one slot: held by the waiter that asks

	inFlight atomic.Int64
	mu       sync.Mutex // also held to add to inFlight
	closedAt time.Time  // when it last closed after a failure; zero: never
}

// pass is the right to make one attempt. done must always be called, with the attempt's error.
type pass struct {
	probe bool   // of a half-open breaker, or of an app that is not trusted: costs no budget
	leave func() // gives the slot back, once; done does it otherwise
	done  func(error)
}

func newGate(o Options, l *limits, t *trust, method alipay.Method) *gate {
	g := &gate{o: o, limits: l, trust: t, turn: make(chan struct{}, 1)}
	g.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         string(method),
		MaxRequests:  uint32(o.HalfOpen),
		Interval:     o.Window,
		BucketPeriod: o.Window / 10,
		Timeout:      o.Open,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return g.streak.trips(o.Consecutive) ||
				int(c.Requests) >= o.MinRequests && float64(c.TotalFailures) >= o.Ratio*float64(c.Requests)
		},
		IsSuccessful: func(err error) bool { return alipay.HealthOf(err) == alipay.Healthy },
		IsExcluded:   func(err error) bool { return alipay.HealthOf(err) == alipay.Neutral },
		OnStateChange: func(_ string, from, to gobreaker.State) { // runs under the breaker's lock
			if to == gobreaker.StateClosed {
				g.mu.Lock()
				g.closedAt = time.Now()
				g.mu.Unlock()
			}
			o.OnState(method, from.String(), to.String())
		},
	})
	return g
}

// enter waits until an attempt may be made. It calls seal when only the slot is missing, and step
// with what it waits for. The error is the context's.
func (g *gate) enter(ctx context.Context, step func(Step), seal func()) (pass, error) {
	if g.closed() && g.ramped() {
		if p, ok, err := g.try(ctx, step, seal); ok || err != nil {
			return p, err
		}
	}
	step(StepBreaker)
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return pass{}, context.Cause(ctx)
	}
	tick := time.NewTicker(probePoll)
	defer tick.Stop()
	for {
		if g.breaker.State() != gobreaker.StateOpen && g.trust.due() && g.ramped() {
			if p, ok, err := g.try(ctx, step, seal); ok || err != nil {
				return p, err
			}
			step(StepBreaker)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return pass{}, context.Cause(ctx)
		}
	}
}

// try waits for rate and slot and asks the breaker; if refused, it gives the slot back.
func (g *gate) try(ctx context.Context, step func(Step), seal func()) (pass, bool, error) {
	if err := g.limits.take(ctx, step, seal); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return pass{}, false, err
	}
	if !g.begin() {
		g.limits.give()
		return pass{}, false, nil
	}
	leave := sync.OnceFunc(func() {
		g.inFlight.Add(-1)
		g.limits.give()
	})
	halfOpen := g.breaker.State() == gobreaker.StateHalfOpen
	report, err := g.breaker.Allow()
	if err != nil {
		leave()
		return pass{}, false, nil
	}
	probe, ok := g.trust.admit()
	if !ok {
		leave()
		report(alipay.ErrLate) // nothing is sent
		return pass{}, false, nil
	}
	return pass{probe: probe || halfOpen, leave: leave, done: func(err error) {
		leave()
		report(err)
		if probe {
			g.trust.release()
		}
	}}, true, nil
}

// closed reports whether attempts may pass as they come.
func (g *gate) closed() bool { return g.breaker.State() == gobreaker.StateClosed && g.trust.holds() }

// ramped reports whether the ramp after the breaker closed permits one more attempt.
func (g *gate) ramped() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight.Load() < g.room()
}

// begin counts an attempt if the ramp permits it. Many that found room while they signed cannot pass together.
func (g *gate) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight.Load() >= g.room() {
		return false
	}
	g.inFlight.Add(1)
	return true
}

// room is how many attempts the ramp permits at a time. The caller holds mu.
func (g *gate) room() int64 {
	since := time.Since(g.closedAt)
	if g.closedAt.IsZero() || since >= g.o.Ramp {
		return math.MaxInt64
	}
	return max(int64(g.o.HalfOpen), int64(float64(g.o.InFlight)*float64(since)/float64(g.o.Ramp)))
}
