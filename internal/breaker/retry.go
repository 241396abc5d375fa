package breaker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

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
	waited   time.Duration // since then: for breaker, rate, slots and persons, in probes and in pauses before an open breaker; not part of the budget
	person   time.Time     // when it began to wait for a person; zero: it does not
	persons  int           // how often it began to, after another outcome
	class    alipay.Class  // of the last attempt
	pause    map[alipay.Class]*backoff.ExponentialBackOff
	sent     map[alipay.Method]int // exchanges by method, for people

	method  alipay.Method        // of the request that Do makes
	lastErr error                // of the last attempt
	look    atomic.Pointer[Look] // what others may see; replaced as a whole

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
	c.resume()
	c.method = r.Method()
	defer c.step(ctx, StepNone)
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

// resume ends a wait for a person.
func (c *Call) resume() {
	if !c.person.IsZero() {
		c.waited += time.Since(c.person)
		c.person = time.Time{}
	}
}

// waitsForPersons is how often the wait for a person is excluded from a budget, each time however long and in however many
// attempts. An event whose outcomes alternate between work for a person and others must end all the same.
const waitsForPersons = 1

// count counts an attempt for the budget. A probe costs nothing, and neither does an attempt after which a person must
// act: it is no try of the trouble that exhausts an event.
func (c *Call) count(err error, probe bool, took time.Duration) {
	before := c.class
	c.class = alipay.ClassOf(err)
	if c.class == alipay.Misconfigured {
		if c.attempts == 1 || before != alipay.Misconfigured {
			c.persons++
		}
		if c.persons <= waitsForPersons {
			c.person = time.Now()
			c.waited += took
			return
		}
	}
	if probe {
		c.waited += took
		return
	}
	c.spent++
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
// first, not counting waits at breaker and limiter, and those for a person.
func (c *Call) Exhausted() bool {
	return c.spent >= c.guard.o.MinAttempts && time.Since(c.first)-c.waited >= c.guard.o.MaxTrying
}

// attempt waits for its turn and makes one exchange. If none was made, the error is the
// context's, ErrLate, or that of a request that cannot be written.
func (c *Call) attempt(ctx context.Context, g *gate, r alipay.Request) (rep alipay.Reply, made bool, err error) {
	asked := time.Now()
	pending := pendingRequest{client: c.client, request: r}
	p, err := g.enter(ctx, func(s Step) { c.step(ctx, s) }, func() { pending.seal(ctx) })
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
	actx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.guard.o.AttemptTimeout, errAttempt)
	defer cancel()
	c.step(ctx, StepExchange)
	rep, err = pending.exchange(alipay.WithAttempt(actx, c.next(r.Method())), p)
	g.trust.saw(r, rep, err)
	if alipay.IsInvalid(err) { // nothing was sent
		return rep, false, err
	}
	c.attempts++
	c.last = start
	if c.first.IsZero() {
		c.first = start
	}
	c.lastErr = err
	c.count(err, p.probe, time.Since(start))
	return rep, true, err
}

// next numbers the exchange that follows.
func (c *Call) next(m alipay.Method) alipay.Attempt {
	if c.sent == nil {
		c.sent = map[alipay.Method]int{}
	}
	c.sent[m]++
	return alipay.Attempt{Number: c.attempts + 1, Resends: c.sent[m] - 1}
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
	c.pauses(ctx, time.Now().Add(d))
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		if !g.closed() {
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
