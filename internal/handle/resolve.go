package handle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/codes"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// notFoundPause is the time between the two answers "no such trade" that are believed together. A
// create may be under way inside Alipay for some seconds after its connection is gone [inferred].
const notFoundPause = 3 * time.Second

// resolve finds out what a create did whose answer was lost or cannot be believed: it asks
// for the trade by our own number, as the same account and through the same guard. Found,
// it compares. Not found is believed only once the lost attempt cannot be under way any more,
// and twice: then decided is false, and the same bytes may be sent again.
// The doubt outlives a handling that ends without an outcome while it asks.
//
// A create that was refused with a code that no table has is asked for once, when its attempt is over, and is never sent
// again.
func (h *Handler) resolve(ctx context.Context, e *handling) (out consume.Outcome, decided bool, err error) {
	defer h.searched(e, time.Now())
	absences := absentTwice
	if e.refused != nil {
		absences = 1
		if !wait(ctx, "wait answer", e.doubt.Sub(h.o.Now())) {
			return consume.Outcome{}, false, context.Cause(ctx)
		}
	}
	out, decided, err = h.queryTrade(ctx, e, e.doubt, absences)
	if err != nil || decided {
		return out, decided, err
	}
	if e.refused != nil {
		out, err = h.decided(ctx, e, e.refused.reply, e.refused.final())
		return out, true, err
	}
	e.doubt = time.Time{}
	e.doubts(e.doubt)
	return consume.Outcome{}, false, nil
}

// refusal is a signed refusal of a create whose code no table has.
type refusal struct {
	reply alipay.Reply
	err   error
}

// final is the refusal, now that there is no trade.
func (r *refusal) final() error {
	known, _ := errors.AsType[*alipay.Error](r.err)
	final := *known
	final.Class = alipay.Rejected
	return &final
}

// expired ends a create whose event's life is over before this owner sent it. A previous owner
// may have sent it in time, so the trade is asked for.
func (h *Handler) expired(ctx context.Context, e *handling) (consume.Outcome, error) {
	defer h.searched(e, time.Now())
	out, decided, err := h.queryTrade(ctx, e, h.o.Now().Add(e.account.AttemptTimeout), absentTwice)
	if decided || err != nil {
		return out, err
	}
	return h.ended(ctx, e, order.OutcomeExpired, "expires_at")
}

// searched reports how long the search for a trade took that is over now.
func (h *Handler) searched(e *handling, began time.Time) {
	h.o.Resolved(e.account.App, time.Since(began))
}

// askUndecided is how often a found trade is asked for that cannot be compared with the create.
const askUndecided = 3

// absentTwice is how often a trade must not be found, some seconds apart, before its create may be sent again.
const absentTwice = 2

// queryTrade queries until the trade is found, or was so many times not found after settled.
func (h *Handler) queryTrade(ctx context.Context, e *handling, settled time.Time, absences int) (consume.Outcome, bool, error) {
	search, span := h.startResolve(ctx) // of the queries and waits; the outcome belongs to the handling
	defer span.End()
	create := e.Request.(*alipay.TradeCreate) // only creates are not repeatable
	query := &alipay.TradeQuery{OutTradeNo: create.OutTradeNo}
	for absent, unclear := 0, 0; ; {
		asked := h.o.Now()
		reply, err := h.do(search, e, query)
		switch class := alipay.ClassOf(err); {
		case err != nil && !answered(err):
			return consume.Outcome{}, false, err // the context ended
		case class == alipay.Misconfigured:
			return consume.Outcome{}, false, err
		case class == alipay.Done:
			trade, _ := reply.Trade() // one that cannot be read shows nothing
			whose := compare(create, trade)
			if unclear++; whose == verdictUndecided && unclear < askUndecided {
				break // ask again: an answer may lack what the next one has
			}
			span.SetAttributes(keyFound.String(whose.String()))
			out, err := h.found(ctx, e, whose, trade, reply)
			return out, true, err
		case alipay.IsTradeNotFound(err):
			if !asked.Before(settled) {
				absent++
			}
		default: // refused for another reason, or the budget is spent: the outcome stays unknown
			span.SetAttributes(keyFound.String("unknown"))
			span.SetStatus(codes.Error, "unknown")
			out, err := h.exhausted(ctx, e, alipay.Reply{}, &alipay.Error{Method: create.Method(), Class: alipay.Ambiguous, Message: "the outcome is unknown, and the query for it failed too", Err: err})
			return out, true, err
		}
		if absent == absences {
			span.SetAttributes(keyFound.String("none"))
			return consume.Outcome{}, false, nil
		}
		if !wait(search, "wait not found", max(e.account.NotFoundPause, settled.Sub(h.o.Now()))) {
			return consume.Outcome{}, false, context.Cause(ctx)
		}
	}
}

// Reasons of results that a found trade decides.
const (
	reasonConflict    = "conflict"     // another trade has our number
	reasonTradeClosed = "trade_closed" // the trade is closed: it cannot be paid
	reasonUndecided   = "undecided"    // nothing shows whose trade it is
)

// found ends a create by the trade that was found under its number: ours is APPLIED, another's
// is REJECTED. A closed trade is never APPLIED, and neither is one whose content Alipay says
// is not ours. Where nothing shows whose trade it is, a person decides.
func (h *Handler) found(ctx context.Context, e *handling, whose verdict, trade alipay.Trade, reply alipay.Reply) (consume.Outcome, error) {
	outcome, reason := order.OutcomeApplied, ""
	switch {
	case whose == verdictOther || e.otherContent:
		outcome, reason = order.OutcomeRejected, reasonConflict
	case whose == verdictUndecided:
		outcome, reason = order.OutcomeExhausted, reasonUndecided
	case trade.Status == alipay.TradeClosed:
		outcome, reason = order.OutcomeRejected, reasonTradeClosed
	}
	more := h.snapshot(ctx, e, order.AskedByResolve, reply)
	if outcome == order.OutcomeExhausted {
		more = append(more, h.deadLetter(ctx, e, reasonUndecided, fmt.Errorf("a trade with this number exists, and nothing shows whose it is: %s", describeTrade(trade))))
	}
	return h.publish(ctx, e, order.Resolved(e.Handling, reply, outcome, reason, h.o.Now()), more...)
}

// describeTrade describes a trade as a query showed it, without personal data.
func describeTrade(t alipay.Trade) string {
	total := "no readable amount"
	if t.TotalAmount != nil {
		total = fmt.Sprintf("%d %s in minor units", t.TotalAmount.Minor, t.TotalAmount.Currency)
	}
	return fmt.Sprintf("trade %s, status %s, %s", t.TradeNo, t.Status, total)
}

// wait waits and reports whether ctx is still alive.
func wait(ctx context.Context, why string, d time.Duration) bool {
	began := time.Now()
	defer func() { telemetry.Waited(ctx, why, time.Since(began)) }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
