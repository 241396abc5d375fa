package breaker

import (
	"context"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// Step is what a call is doing, or waits for.
type Step uint8

// The steps of a call, in their order.
const (
	StepNone     Step = iota // nothing of it runs
	StepBreaker              // waits for a breaker that is not closed, or for its turn to probe
	StepRate                 // waits for the rate limit
	StepSlot                 // waits for a slot
	StepSign                 // its request is written and signed
	StepExchange             // sent; its answer is awaited and verified
	StepBackOff              // pauses before another attempt
)

// String returns the name of the step, as metrics have it.
func (s Step) String() string {
	return [...]string{"", "breaker", "rate", "slot", "sign", "exchange", "backoff"}[s]
}

// Look is what a call shows of itself at one moment.
type Look struct {
	Step     Step
	Since    time.Time // when the step began
	Next     time.Time // end of the pause; zero unless Step is StepBackOff
	Method   alipay.Method
	Attempts int       // made so far, by all requests of the event
	First    time.Time // when the first of them began
	Last     error     // of the last one; nil: none was made, or it succeeded
}

// Look may be called at any time, by any goroutine.
func (c *Call) Look() Look {
	if l := c.look.Load(); l != nil {
		return *l
	}
	return Look{}
}

// step notes what the call does from now on, and reports how long the step before took.
func (c *Call) step(ctx context.Context, s Step) {
	now := time.Now()
	before := c.Look()
	if s == before.Step {
		return
	}
	if before.Step != StepNone {
		c.guard.o.OnStep(ctx, before.Method, before.Step, now.Sub(before.Since))
	}
	c.look.Store(&Look{Step: s, Since: now, Method: c.method, Attempts: c.attempts, First: c.first, Last: c.lastErr})
}

// pauses notes a pause that ends at a time.
func (c *Call) pauses(ctx context.Context, until time.Time) {
	c.step(ctx, StepBackOff)
	l := c.Look()
	l.Next = until
	c.look.Store(&l)
}
