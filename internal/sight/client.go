package sight

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
)

// sealer is the client of an account.
type sealer interface {
	Seal(ctx context.Context, r alipay.Request) alipay.Send
}

// Client is the client of an account under an app. It notes how its calls end.
type Client struct {
	sealer

	app     string
	account order.Account
	at      address
	breaks  *breakers
	sight   *Sight
}

// Seal builds a request, as the client does.
func (c Client) Seal(ctx context.Context, r alipay.Request) alipay.Send {
	send := c.sealer.Seal(ctx, r)
	return func(ctx context.Context) func() (alipay.Reply, error) {
		began := time.Now()
		var seen request
		open := send(seen.watch(ctx))
		exchanged, exchange := seen.end(ctx), time.Since(began)
		return func() (alipay.Reply, error) {
			reply, err := open()
			if alipay.IsInvalid(err) { // nothing was sent
				return reply, err
			}
			c.requested(ctx, exchanged, exchange, err)
			c.sight.Accounts.note(c.app, c.account, err)
			c.breaks.failed(r.Method(), err)
			if e, ok := errors.AsType[*alipay.Error](err); ok && e.Unsent { // no exchange: our signer failed
				return reply, err
			}
			c.sight.failures.note(c.app, c.account, r, reply, err, began)
			class := strings.ToLower(alipay.ClassOf(err).String())
			took := time.Since(began)
			c.sight.scale.exchanged(c.app, alipay.ClassOf(err), took)
			c.sight.metrics.Add(ctx, &metrics.Attempts, 1, c.app, string(c.account), string(r.Method()), class)
			c.sight.metrics.Record(ctx, &metrics.AttemptDuration, took.Seconds(), c.app, string(r.Method()), class)
			return reply, err
		}
	}
}

// Call is the calls of one event, as its handler sees them.
type Call struct{ *breaker.Call }

// Look says what the calls wait for.
func (c Call) Look() look.Facts {
	l := c.Call.Look()
	f := look.Facts{Cause: causes[l.Step], Method: string(l.Method), Attempts: l.Attempts, Next: l.Next}
	if l.Attempts > 0 {
		f.Class = alipay.ClassOf(l.Last).String()
	}
	if ae, ok := errors.AsType[*alipay.Error](l.Last); ok {
		f.Code = cmp.Or(ae.SubCode, ae.Code)
	}
	return f
}

// causes are what records wait for at the steps of their calls.
var causes = map[breaker.Step]look.Cause{
	breaker.StepBreaker: look.Breaker, breaker.StepRate: look.RateLimit, breaker.StepSlot: look.Ready,
	breaker.StepSign: look.Calling, breaker.StepExchange: look.Calling, breaker.StepBackOff: look.Retry,
}
