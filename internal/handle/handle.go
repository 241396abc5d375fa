package handle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/budget"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/recent"
	"alipay-kafka-bridge/internal/records"
)

// Reasons of dead letters that the handling gives.
const (
	reasonUnknownAccount    = "unknown_account"
	reasonAccountNotAllowed = "account_not_allowed"
	reasonExhausted         = "exhausted"
	reasonFutureTime        = "future_time"

	reasonChannelNotSupported = "channel_not_supported"

	// reasonTombstone is the reason of a skip: a record without a value says nothing about an order.
	reasonTombstone = "tombstone"
)

// maxAhead is how far an event may lie ahead of our clock (security K9): AlipayHK accepts only
// what is newer than the last event, so one of 2099 would block its order for ever.
const maxAhead = 5 * time.Minute

// planCost is how many bytes of memory planning may need for each byte of a record: free texts are
// searched to the bottom for names.
const planCost = 16

// caller makes one event's calls: with the guard's retries and their budget.
type caller interface {
	Do(ctx context.Context, r alipay.Request) (alipay.Reply, error)
	Exhausted() bool
	Until(t time.Time) // the end of the event's life
	Look() look.Facts  // what it does now; any goroutine may ask
}

// HandlerOptions configure a [Handler]. Tracer, Now and Log have defaults.
type HandlerOptions struct {
	Group    string
	Inputs   map[string]TopicAccounts // by topic
	Accounts map[order.Account]*Account
	Codec    *order.Codec
	Encoder  *records.Encoder
	// SkippedResults publishes a result SKIPPED for what maps to no call, as well as the journal's entry.
	SkippedResults bool
	// Sweep is for queries that the bridge makes by itself: only what they show is published. Those that fail are dropped.
	Sweep bool
	// Resolved is called when the search for what became of a create is over, with the app and the time that it took.
	Resolved func(app string, took time.Duration)
	Tracer   trace.Tracer
	Now      func() time.Time
	Log      *slog.Logger
}

// Handler is the path of an order event: decode, plan, call, resolve, encode.
type Handler struct {
	o           HandlerOptions
	permissions atomic.Pointer[permissions]
	newest      newestEvents
	floods      floods
	alerts      alerts
}

// NewHandler returns a handler; it starts nothing.
func NewHandler(o HandlerOptions) *Handler {
	if o.Tracer == nil {
		o.Tracer = noop.Tracer{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Resolved == nil {
		o.Resolved = func(string, time.Duration) {}
	}
	h := &Handler{o: o}
	h.newest.byLane = recent.NewMap[string, acceptedEvent](newestLimit)
	h.floods.orders = recent.NewMap[floodKey, *floodCount](floodOrders)
	h.alerts.byCode = recent.NewMap[string, alertCount](alertCodes)
	h.SetPermissions(o.Inputs, o.Accounts)
	return h
}

// handling is one event on its way. It outlives a handling without outcome: when the lane
// tries again, the budget goes on, and a create in doubt is asked for before it is sent.
type handling struct {
	order.Handling
	in      consume.Input
	account *Account
	call    caller
	*tally
	dead string // reason of the dead letter that was made
	kept bool   // an attempt may have taken effect: the request stays, byte by byte
	// otherContent: Alipay said that the trade under our number has other content than the create.
	otherContent bool
	doubt        time.Time // until when a lost create may be under way; zero: none is
	refused      *refusal  // the create was refused with a code that no table has; nil: it was not
}

// wait drops what a handling without an outcome can make again: thousands may wait.
func (e *handling) wait() {
	e.in = consume.Input{}
	if !e.kept {
		e.Handling, e.Request = order.Handling{}, nil
	}
}

// begin handles an event for the account of that name, as its settings are now, in a span of its own.
func (h *Handler) begin(ctx context.Context, e *handling, name order.Account) (out consume.Outcome, err error) {
	ctx, span := h.startSpan(ctx, e)
	defer func() { endSpan(span, e, err) }()
	if e.kept {
		spanEvent(ctx, e.Account, e.Event)
		return h.handle(ctx, e)
	}
	return h.read(ctx, e, name)
}

// read decodes an event and finds its account. Only here it is decoded: thousands wait in lanes, and a decoded
// event needs three times the memory of its bytes.
func (h *Handler) read(ctx context.Context, e *handling, name order.Account) (consume.Outcome, error) {
	ev, err := h.o.Codec.DecodeEvent(ctx, e.in.Topic, e.in.Value)
	if reason, final := order.IsUndecodable(err); final {
		return h.refuse(ctx, e.in, h.origin(e.in), reason, err)
	}
	if err != nil {
		return consume.Outcome{}, fmt.Errorf("decode event: %w", err)
	}
	if ev, err := ev.Bounded(); err != nil {
		return h.refuseEvent(ctx, e.in, ev, order.ReasonInvalid, err)
	}
	spanEvent(ctx, name, ev)
	t := h.permissions.Load()
	account, reason := t.account(e.in.Topic, name)
	if reason != "" {
		return h.refuseEvent(ctx, e.in, ev, reason, fmt.Errorf("account %q", name))
	}
	if !t.takes(e.in.Topic, ev.Type) {
		return h.refuseEvent(ctx, e.in, ev, order.ReasonInvalid, fmt.Errorf("event_type is %s, and this topic takes QUERY_REQUESTED only: send the event to an input topic of calls", ev.Type))
	}
	if e.call == nil {
		e.call = account.Call()
		e.begun(e.call)
	}
	e.account = account
	e.Handling = h.origin(e.in)
	e.Event, e.Account = ev, account.Name
	e.Environment = account.Environment
	e.Channel = account.Planner.Channel(ev)
	return h.handle(ctx, e)
}

func (h *Handler) origin(in consume.Input) order.Handling {
	return order.Handling{
		Origin:  order.Origin{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset},
		Rewound: in.Rewound,
	}
}

// handle blocks until the event has an outcome, or ctx ends.
func (h *Handler) handle(ctx context.Context, e *handling) (out consume.Outcome, err error) {
	if e.kept {
		if !e.doubt.IsZero() { // an earlier handling ended while it asked
			if out, decided, err := h.resolve(ctx, e); decided || err != nil {
				return out, err
			}
		}
		return h.callUntil(ctx, e)
	}
	if err := order.CheckTimes(e.Event, h.o.Now()); err != nil {
		return h.unplanned(ctx, e, err)
	}
	waited := budget.Use(ctx, planCost*len(e.in.Value), func() { e.Request, err = e.account.Planner.Plan(e.Event) })
	if waited != nil {
		return consume.Outcome{}, waited
	}
	if err != nil {
		return h.unplanned(ctx, e, err)
	}
	if supports := e.account.Supports; supports != nil && !supports(e.Request.Method()) {
		return h.unplanned(ctx, e, &order.InvalidError{Reason: reasonChannelNotSupported, Field: "channel", Msg: "does not belong to the gateway of this account"})
	}
	if e.Event.OccurredAt.After(h.o.Now().Add(maxAhead)) {
		return h.unplanned(ctx, e, &order.InvalidError{Reason: reasonFutureTime, Field: "occurred_at", Msg: "is more than 5 minutes in the future"})
	}
	if why := h.newest.superseded(e); why != "" {
		return h.ended(ctx, e, order.OutcomeSuperseded, why)
	}
	if _, creates := e.Request.(*alipay.TradeCreate); creates && e.Event.ExpiresAt != nil {
		e.call.Until(*e.Event.ExpiresAt)
	}
	return h.callUntil(ctx, e)
}

// unplanned ends an event that maps to no call.
func (h *Handler) unplanned(ctx context.Context, e *handling, err error) (consume.Outcome, error) {
	var skip *order.SkipError
	if errors.As(err, &skip) {
		if !h.o.SkippedResults {
			spanSkip(ctx, skip.Reason)
			return consume.Outcome{Skip: skip.Reason, Note: End{Account: e.Account, Produced: e.in.Timestamp}}, nil
		}
		out, encodeErr := h.publish(ctx, e, order.ResultOf(e.Handling, alipay.Reply{}, err, h.o.Now()))
		out.Skip = skip.Reason
		return out, encodeErr
	}
	var bad *order.InvalidError
	if !errors.As(err, &bad) {
		return consume.Outcome{}, fmt.Errorf("plan: %w", err)
	}
	return h.publish(ctx, e, order.ResultOf(e.Handling, alipay.Reply{}, err, h.o.Now()), h.deadLetter(ctx, e, bad.Reason, bad))
}

// callUntil calls, and resolves calls whose answer is lost or cannot be believed, until the event
// has an outcome or the budget is spent.
func (h *Handler) callUntil(ctx context.Context, e *handling) (consume.Outcome, error) {
	for {
		before := e.attempts
		reply, err := h.do(ctx, e, e.Request)
		// A single refusal proves that nothing took effect: new settings may then give another request.
		e.kept = e.kept || alipay.ClassOf(err) != alipay.Misconfigured || e.attempts > before+1
		e.keeps(e.kept)
		e.otherContent = e.otherContent || alipay.IsOtherContent(err)
		h.alert(ctx, e, err)
		switch class := alipay.ClassOf(err); {
		case errors.Is(err, alipay.ErrLate):
			return h.expired(ctx, e)
		case err != nil && !answered(err):
			return consume.Outcome{}, err // the context ended
		case alipay.IsInvalid(err):
			return h.unplanned(ctx, e, invalidRequest(err)) // nothing was sent
		case class == alipay.Done, class == alipay.Accepted, class == alipay.Rejected:
			return h.decided(ctx, e, reply, err)
		case class == alipay.Misconfigured:
			return consume.Outcome{}, err // no outcome: the lane keeps the record
		case e.Request.Repeatable(), class == alipay.Transient, class == alipay.Throttled:
			return h.exhausted(ctx, e, reply, err) // the guard's budget is spent
		}
		e.doubt = reply.LastAttemptAt.Add(e.account.AttemptTimeout)
		e.doubts(reply.LastAttemptAt)
		if alipay.IsUnknownRefusal(err) {
			e.refused = &refusal{reply, err}
		}
		out, decided, resolveErr := h.resolve(ctx, e)
		if decided || resolveErr != nil {
			return out, resolveErr
		}
		if e.call.Exhausted() {
			return h.exhausted(ctx, e, reply, err)
		}
	}
}

// do makes one call and counts its exchanges.
func (h *Handler) do(ctx context.Context, e *handling, r alipay.Request) (alipay.Reply, error) {
	reply, err := e.call.Do(ctx, r)
	e.attempts = max(e.attempts, reply.Attempts)
	if e.first.IsZero() {
		e.first = reply.FirstAttemptAt
	}
	return reply, err
}

// answered reports whether err is the outcome of a call, and not the end of the context before it.
func answered(err error) bool {
	var ae *alipay.Error
	return errors.As(err, &ae)
}

// decided publishes what Alipay's answer decided.
func (h *Handler) decided(ctx context.Context, e *handling, reply alipay.Reply, err error) (consume.Outcome, error) {
	h.newest.accepted(e, alipay.ClassOf(err))
	r := order.ResultOf(e.Handling, reply, err, h.o.Now())
	var more []*kgo.Record
	if err == nil && showsTrade(e.Request) {
		more = h.snapshot(ctx, e, h.askedBy(), reply)
	}
	return h.publish(ctx, e, r, more...)
}

// showsTrade reports whether an answer to r shows a trade.
func showsTrade(r alipay.Request) bool {
	return r.Method() == alipay.MethodTradeQuery || r.Method() == alipay.MethodItemOrderQuery
}

// snapshot returns the records of a shown trade. There are none for an answer that cannot be
// read: then only the result reports it.
func (h *Handler) snapshot(ctx context.Context, e *handling, by order.AskedBy, reply alipay.Reply) []*kgo.Record {
	s, err := order.SnapshotOf(e.Handling, by, reply, h.o.Now())
	if err == nil {
		var out []*kgo.Record
		if out, err = h.o.Encoder.Snapshot(ctx, records.Input(e.in), s); err == nil {
			return out
		}
	}
	h.o.Log.WarnContext(ctx, "the trade in an answer cannot be read; no snapshot is published", "account", e.Account, "order_no", e.Event.OrderNo, "error", err)
	return nil
}

func (h *Handler) exhausted(ctx context.Context, e *handling, reply alipay.Reply, err error) (consume.Outcome, error) {
	return h.publish(ctx, e, order.ResultOf(e.Handling, reply, err, h.o.Now()), h.deadLetter(ctx, e, reasonExhausted, err))
}

func (h *Handler) ended(ctx context.Context, e *handling, outcome order.CallOutcome, reason string) (consume.Outcome, error) {
	return h.publish(ctx, e, order.Ended(e.Handling, outcome, reason, "", h.o.Now()))
}

// publish encodes a result; more are the records that go with it.
func (h *Handler) publish(ctx context.Context, e *handling, r order.Result, more ...*kgo.Record) (consume.Outcome, error) {
	r.Attempts = max(r.Attempts, e.attempts) // the last answer may not include all of them
	if r.FirstAttemptAt == nil && !e.first.IsZero() {
		r.FirstAttemptAt = &e.first
	}
	spanResult(ctx, r)
	e.decide(r)
	if h.o.Sweep {
		return h.swept(e, r, more), nil
	}
	out, err := h.o.Encoder.Result(ctx, records.Input(e.in), e.Handling, r)
	if err != nil {
		return consume.Outcome{}, err
	}
	return consume.Outcome{Records: append(out, more...), Note: End{Account: e.Account, Outcome: r.Outcome, Produced: e.in.Timestamp, Dead: e.dead}}, nil
}
