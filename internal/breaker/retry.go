package breaker

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"

	"alipay-kafka-bridge/internal/alipay"
)

// maxRetryAfter bounds what an answer may ask for.
const maxRetryAfter = 10 * time.Minute

// Call is the calls of one event: all its requests share one budget. It is used by one goroutine.
type Call struct {
	guard  *Guard
	client client

	attempts int           // exchanges in all, for people
	spent    int           // of the budget: without probes
	first    time.Time     // start of the first exchange
	last     time.Time     // start of the last one
	waited   time.Duration // since then, for breaker, rate and slots, in probes and in pauses before an open breaker; not part of the budget
	pause    map[alipay.Class]*backoff.ExponentialBackOff

	until time.Time // no attempt of a request that is not repeatable begins later; zero: any time
}

// Until sets the end of the event's life: a request that is not repeatable is not sent after
// it, and Do returns [alipay.ErrLate].
func (c *Call) Until(t time.Time) { c.until = t }

// Do makes one request, again and again where its class allows, until it has an answer, the
// budget is spent, or ctx ends. The end of ctx stops waits, never a running attempt: that
// one runs to its own deadline, so that its outcome is known.
//
// Transient and Throttled mean that the budget is spent; so does Ambiguous or Untrusted of a
// repeatable request. Of one that is not repeatable they come back after the first attempt.
func (c *Call) Do(ctx context.Context, r alipay.Request) (alipay.Reply, error) {
	g := c.guard.gate(r.Method())
	for {
		rep, made, err := c.attempt(ctx, g, r)
		rep.Attempts, rep.FirstAttemptAt, rep.LastAttemptAt = c.attempts, c.first, c.last
		class := alipay.ClassOf(err)
		if !made || !mayRepeat(class, r) || c.Exhausted() {
			return rep, err
		}
		if err := c.waitBackOff(ctx, g, class, err); err != nil {
			return rep, err
		}
	}
}

// mayRepeat reports whether the same request may be sent again without a query.
func mayRepeat(class alipay.Class, r alipay.Request) bool {
	switch class {
	case alipay.Transient, alipay.Throttled:
		return true
	case alipay.Ambiguous, alipay.Untrusted:
		return r.Repeatable()
	}
	return false
}

// Exhausted reports whether at least MinAttempts were made and MaxTrying has passed since the
// first, not counting waits at breaker and limiter.
func (c *Call) Exhausted() bool {
	return c.spent >= c.guard.o.MinAttempts && time.Since(c.first)-c.waited >= c.guard.o.MaxTrying
}

// attempt waits for its turn and makes one exchange. If none was made, the error is the
// context's, or ErrLate.
func (c *Call) attempt(ctx context.Context, g *gate, r alipay.Request) (rep alipay.Reply, made bool, err error) {
	asked := time.Now()
	pending := pendingRequest{client: c.client, request: r}
	p, err := g.enter(ctx, func() { pending.seal(ctx) })
	if c.attempts > 0 {
		c.waited += time.Since(asked) - pending.spent
	}
	if err != nil {
		return alipay.Reply{}, false, err
	}
	p.done = g.streak.watch(r, p.done)
	start := time.Now()
	if !c.until.IsZero() && !r.Repeatable() && !start.Before(c.until) {
		p.done(alipay.ErrLate)
		return alipay.Reply{}, false, alipay.ErrLate
	}
	c.attempts++
	c.last = start
	if c.first.IsZero() {
		c.first = start
	}
	actx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.guard.o.AttemptTimeout, errAttempt)
	defer cancel()
	rep, err = pending.exchange(actx, p)
	if p.probe {
		c.waited += time.Since(start)
	} else {
		c.spent++
	}
	return rep, true, err
}

var errAttempt = errors.New("attempt deadline passed")

// waitBackOff pauses before the next attempt: full jitter, longer when throttled, and at least as
// long as the answer asked for. If the breaker is not closed at the end of the pause,
// the pause is one of the waits at it.
func (c *Call) waitBackOff(ctx context.Context, g *gate, class alipay.Class, err error) error {
	d := c.backOff(class).NextBackOff()
	var ae *alipay.Error
	if errors.As(err, &ae) {
		d = max(d, min(ae.RetryAfter, maxRetryAfter))
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		if g.breaker.State() != gobreaker.StateClosed {
			c.waited += d
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// backOff has one series for throttling and one for the rest. A randomization factor of 1
// around half the interval is full jitter: anything from zero to the interval.
func (c *Call) backOff(class alipay.Class) *backoff.ExponentialBackOff {
	base, limit := c.guard.o.BackOff, c.guard.o.BackOffMax
	if class == alipay.Throttled {
		base, limit = c.guard.o.ThrottledBackOff, c.guard.o.ThrottledMax
	} else {
		class = alipay.Transient
	}
	if c.pause == nil {
		c.pause = map[alipay.Class]*backoff.ExponentialBackOff{}
	}
	if c.pause[class] == nil {
		b := backoff.NewExponentialBackOff()
		b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = base/2, limit/2, 2, 1
		b.Reset()
		c.pause[class] = b
	}
	return c.pause[class]
}
