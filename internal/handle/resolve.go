package handle

import (
	"context"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
)

// askAgain is between the two answers "no such trade" that are believed. A create may be
// under way inside Alipay for some seconds after its connection is gone. [inferred]
const askAgain = 3 * time.Second

// resolve finds out what a create did whose answer was lost or cannot be believed: it asks
// for the trade by our own number, as the same account and through the same guard. Found,
// it compares. Not found counts only once the lost attempt cannot be under way any more,
// and twice: then decided is false, and the same bytes may be sent again.
// The doubt outlives a handling that ends without an outcome while it asks.
func (h *Handler) resolve(ctx context.Context, e *handling) (out consume.Outcome, decided bool, err error) {
	if out, decided, err = h.ask(ctx, e, e.doubt); err == nil && !decided {
		e.doubt = time.Time{}
	}
	return out, decided, err
}

// expired ends a create whose event's life is over before this owner sent it. A former owner
// may have sent it in time, so the trade is asked for.
func (h *Handler) expired(ctx context.Context, e *handling) (consume.Outcome, error) {
	out, decided, err := h.ask(ctx, e, h.o.Now().Add(e.account.AttemptTimeout))
	if decided || err != nil {
		return out, err
	}
	return h.ended(ctx, e, order.OutcomeExpired, "expires_at")
}

// ask queries until the trade is found, or was twice not found after settled.
func (h *Handler) ask(ctx context.Context, e *handling, settled time.Time) (consume.Outcome, bool, error) {
	create := e.Request.(*alipay.TradeCreate) // only creates are not repeatable
	query := &alipay.TradeQuery{OutTradeNo: create.OutTradeNo}
	for absent := 0; ; {
		asked := h.o.Now()
		reply, err := e.call.Do(ctx, query)
		switch class := alipay.ClassOf(err); {
		case err != nil && !answered(err):
			return consume.Outcome{}, false, err // the context ended
		case class == alipay.Misconfigured:
			return consume.Outcome{}, false, err
		case class == alipay.Done:
			out, err := h.found(ctx, e, create, reply)
			return out, true, err
		case alipay.IsTradeNotFound(err):
			if !asked.Before(settled) {
				absent++
			}
		default: // refused for another reason, or the budget is spent: nobody knows
			out, err := h.exhausted(ctx, e, unknown(reply), &alipay.Error{Method: create.Method(), Class: alipay.Ambiguous, Message: "its outcome is unknown, and the query for it", Err: err})
			return out, true, err
		}
		if absent == 2 {
			return consume.Outcome{}, false, nil
		}
		if !wait(ctx, max(e.account.NotFoundPause, settled.Sub(h.o.Now()))) {
			return consume.Outcome{}, false, context.Cause(ctx)
		}
	}
}

// unknown keeps of a query's answer what it says of the attempts: its code is the query's,
// not the create's.
func unknown(query alipay.Reply) alipay.Reply {
	return alipay.Reply{Attempts: query.Attempts, FirstAttemptAt: query.FirstAttemptAt}
}

// found compares the trade with the create: equal is ours, made by the lost attempt;
// different is somebody else's under our number.
func (h *Handler) found(ctx context.Context, e *handling, create *alipay.TradeCreate, reply alipay.Reply) (consume.Outcome, error) {
	outcome, reason := order.OutcomeApplied, ""
	if trade, err := reply.Trade(); err != nil || !same(create, trade) {
		outcome, reason = order.OutcomeRejected, "conflict"
	}
	r := order.Resolved(e.Handling, reply, outcome, reason, h.o.Now())
	return h.publish(ctx, e, r, h.snapshot(ctx, e, order.AskedByResolve, reply)...)
}

// same compares the amount, and the buyer where both name one.
func same(c *alipay.TradeCreate, t alipay.Trade) bool {
	differ := func(ours, theirs string) bool { return ours != "" && theirs != "" && ours != theirs }
	return t.TotalAmount != nil && *t.TotalAmount == c.TotalAmount &&
		!differ(c.BuyerID, t.BuyerUserID) && !differ(c.BuyerOpenID, t.BuyerOpenID)
}

// wait waits and reports whether ctx is still alive.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
