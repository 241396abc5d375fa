package handle

import (
	"cmp"
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/journal"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

// refuseEvent ends an event that is refused before its account is known to be allowed.
func (h *Handler) refuseEvent(ctx context.Context, in consume.Input, ev order.Event, reason string, err error) (consume.Outcome, error) {
	hd := h.origin(in)
	hd.Event, hd.Account = ev, h.permissions.Load().nameOf(in.Topic, ev.Account)
	spanEvent(ctx, hd.Account, ev)
	return h.refuse(ctx, in, hd, reason, err)
}

func (h *Handler) deadLetter(ctx context.Context, e *handling, reason string, err error) *kgo.Record {
	e.dead = reason
	d := records.DeadLetter{Reason: reason, Error: err.Error(), EventID: string(e.Event.ID), Attempts: e.attempts, Replays: e.ReplayCount}
	if !e.first.IsZero() {
		d.FirstAttempt = &e.first
	}
	return h.o.Encoder.DeadLetter(ctx, records.Input(e.in), d)
}

// refuse ends a record that never became an event to handle: a result INVALID, so that
// readers do not wait for ever, and a dead letter.
func (h *Handler) refuse(ctx context.Context, in consume.Input, hd order.Handling, reason string, err error) (consume.Outcome, error) {
	return h.refuseHandling(ctx, &handling{Handling: hd, in: in, tally: &tally{}}, reason, err)
}

// refuseHandling ends a record that cannot be published as it is. What its calls decided stays true: only a record for
// which no call was made is INVALID, and one whose calls decided nothing is EXHAUSTED.
func (h *Handler) refuseHandling(ctx context.Context, e *handling, reason string, err error) (consume.Outcome, error) {
	letter := h.deadLetter(ctx, e, reason, err)
	r := order.Ended(e.Handling, order.OutcomeInvalid, reason, "", h.o.Now())
	switch {
	case e.result != nil:
		r = *e.result
		r.Reason = cmp.Or(r.Reason, reason)
	case e.attempts > 0:
		r.Outcome = order.OutcomeExhausted
	}
	return h.publish(ctx, e, r, letter)
}

// Refuse is for the engine: a record whose handling panicked or whose outcome no topic accepts.
func (h *Handler) Refuse(in consume.Input, reason string, err error) consume.Outcome {
	return h.refuseAfter(in, &tally{}, reason, err)
}

// refuseAfter is Refuse for a record for which calls were made.
func (h *Handler) refuseAfter(in consume.Input, made *tally, reason string, err error) consume.Outcome {
	hd := h.origin(in)
	if ev, ok := h.decodeAgain(in); ok {
		hd.Event, hd.Account = ev, h.permissions.Load().nameOf(in.Topic, ev.Account)
	}
	e := &handling{Handling: hd, in: in, tally: made}
	ctx, span := h.startSpan(context.Background(), e)
	spanEvent(ctx, e.Account, e.Event)
	out, encodeErr := h.refuseHandling(ctx, e, reason, err)
	defer func() { endSpan(span, e, encodeErr) }()
	if encodeErr != nil {
		letter := h.deadLetter(ctx, e, reason, err)
		out = consume.Outcome{Records: []*kgo.Record{letter}, Note: End{Account: e.Account, Produced: in.Timestamp, Dead: reason}}
	}
	return out
}

// decodeAgain reads a record that is being refused, as far as it can be read. What panicked in
// the handling may panic here again.
func (h *Handler) decodeAgain(in consume.Input) (ev order.Event, ok bool) {
	defer func() {
		if recover() != nil {
			ev, ok = order.Event{}, false
		}
	}()
	ev, err := h.o.Codec.DecodeEvent(context.Background(), in.Topic, in.Value)
	if err != nil {
		return order.Event{}, false
	}
	ev, _ = ev.Bounded()
	return ev, true
}

// invalidRequest is the error of a request that its gateway's client refused to write: a character that the charset
// lacks, above all.
func invalidRequest(err error) error {
	field, _ := errors.AsType[*alipay.FieldError](err)
	return &order.InvalidError{Reason: order.ReasonInvalid, Field: field.Field, Msg: field.Text}
}

// RefuseBare is Refuse where that cannot be published: a dead letter alone, without the bytes of
// the record, which has their place, length and hash.
func (h *Handler) RefuseBare(in consume.Input, reason string, err error) consume.Outcome {
	if h.o.Sweep {
		return consume.Outcome{Skip: "sweep_" + reason, Note: End{Produced: in.Timestamp}}
	}
	d := records.DeadLetter{Reason: reason, Error: err.Error(), Bare: true}
	letter := h.o.Encoder.DeadLetter(context.Background(), records.Input(in), d)
	return consume.Outcome{Records: []*kgo.Record{letter}, Note: End{Produced: in.Timestamp, Dead: reason}}
}

// Journal is for the engine: skipped offsets, one record per partition.
func (h *Handler) Journal(skips []consume.Skipped) ([]*kgo.Record, error) {
	return journal.Writer{Encoder: h.o.Encoder, Group: h.o.Group, Now: h.o.Now}.Journal(skips)
}
