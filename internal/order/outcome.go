package order

import (
	"encoding/json"
	"errors"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// CallOutcome is how an event ended (schema CallResult, "outcome").
type CallOutcome string

// The outcomes.
const (
	OutcomeUnknown    CallOutcome = "UNKNOWN"
	OutcomeApplied    CallOutcome = "APPLIED"    // Alipay did or answered it (HK: received it)
	OutcomeAccepted   CallOutcome = "ACCEPTED"   // accepted, not final
	OutcomeRejected   CallOutcome = "REJECTED"   // refused for good
	OutcomeInvalid    CallOutcome = "INVALID"    // refused by the bridge; a dead letter exists
	OutcomeSkipped    CallOutcome = "SKIPPED"    // mapped to nothing
	OutcomeSuperseded CallOutcome = "SUPERSEDED" // a newer event of the order was sent already
	OutcomeExpired    CallOutcome = "EXPIRED"    // past its life, not sent
	OutcomeExhausted  CallOutcome = "EXHAUSTED"  // budget spent without an answer; a dead letter exists
	OutcomeStopped    CallOutcome = "STOPPED"    // dead-lettered while its account was stopped, or by hand
)

// CallClass is the class of the last answer as results carry it (schema CallResult, "call_class").
type CallClass string

// The classes; [ClassNone] means that no call was made.
const (
	ClassNone          CallClass = "UNKNOWN"
	ClassDone          CallClass = "DONE"
	ClassAccepted      CallClass = "ACCEPTED"
	ClassRejected      CallClass = "REJECTED"
	ClassMisconfigured CallClass = "MISCONFIGURED"
	ClassTransient     CallClass = "TRANSIENT"
	ClassThrottled     CallClass = "THROTTLED"
	ClassAmbiguous     CallClass = "AMBIGUOUS"
	ClassUntrusted     CallClass = "UNTRUSTED"
)

// ResolvedBy is how an outcome is known (schema CallResult, "resolved_by").
type ResolvedBy string

// The ways to know an outcome.
const (
	ResolvedByNone  ResolvedBy = "UNKNOWN" // no call was made, or none was answered
	ResolvedByReply ResolvedBy = "REPLY"
	ResolvedByQuery ResolvedBy = "QUERY" // a query after a lost answer
)

// Origin is where an event was read.
type Origin struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Handling is what is known about an event before it has an outcome.
type Handling struct {
	Event       Event
	Account     Account // resolved: empty only if the event could not be decoded
	Channel     Channel // resolved: never ACCOUNT
	Environment string  // production, sandbox or simulator
	Request     alipay.Request
	Origin      Origin
	ReplayCount int
	Rewound     bool // the group was set back: this may have been published before
}

// Result is the outcome of one event, published once (schema CallResult).
type Result struct {
	EventID        EventID
	EventType      EventType
	Account        Account
	Environment    string
	Channel        Channel
	OrderNo        alipay.OutTradeNo
	TradeNo        alipay.TradeNo
	KoubeiOrderNo  alipay.KoubeiOrderNo
	Method         alipay.Method // empty: no call was planned
	Outcome        CallOutcome
	CallClass      CallClass
	Reason         string // a word for machines
	Code           string
	SubCode        string
	Message        string // for people, as the next
	SubMessage     string
	ResultStatus   string // HK
	RequestNo      alipay.RequestNo
	SentStatus     string // the status word sent to Alipay
	HKOrderID      string
	BuyerUserID    string // personal data, as the next
	BuyerOpenID    string
	ResolvedBy     ResolvedBy
	Verified       bool
	Rewound        bool
	Attempts       int
	ReplayCount    int
	FirstAttemptAt *time.Time
	FinishedAt     time.Time
	AlipayTraceID  string
	Origin         Origin
	ReplyJSON      string
}

// ResultOf returns the outcome of an event from what planning or calling gave. The error is
// nil, or what [Planner.Plan] or a call returned. A call that ended without an answer to
// believe is EXHAUSTED: as long as there is budget, ask again instead of calling this.
func ResultOf(h Handling, reply alipay.Reply, err error, at time.Time) Result {
	var skip *SkipError
	var bad *InvalidError
	switch {
	case errors.As(err, &skip):
		return Ended(h, OutcomeSkipped, skip.Reason, "", at)
	case errors.As(err, &bad):
		return Ended(h, OutcomeInvalid, bad.Reason, bad.detail(), at)
	}
	r := Ended(h, outcomeOf(alipay.ClassOf(err)), "", "", at)
	r.CallClass = CallClass(alipay.ClassOf(err).String())
	r.addReply(reply)
	r.addError(err)
	switch r.Outcome {
	case OutcomeApplied, OutcomeAccepted, OutcomeRejected:
		r.ResolvedBy = ResolvedByReply
	case OutcomeStopped:
		r.Reason = ReasonAccountStopped
	}
	return r
}

// ReasonAccountStopped is the reason of an event that ended while its account was stopped.
const ReasonAccountStopped = "account_stopped"

// outcomeOf is the table of DESIGN.md, "Classes", for calls that are not made again.
func outcomeOf(c alipay.Class) CallOutcome {
	switch c {
	case alipay.Done:
		return OutcomeApplied
	case alipay.Accepted:
		return OutcomeAccepted
	case alipay.Rejected:
		return OutcomeRejected
	case alipay.Misconfigured:
		return OutcomeStopped
	}
	return OutcomeExhausted
}

// Resolved returns the outcome of a call whose answer was lost, from the query that asked
// for its effect. The outcome is the caller's judgement: [OutcomeApplied] when the trade is
// the one that was asked for, [OutcomeRejected] with a reason when it is another or closed,
// [OutcomeExhausted] when nothing shows whose it is.
func Resolved(h Handling, query alipay.Reply, outcome CallOutcome, reason string, at time.Time) Result {
	r := Ended(h, outcome, reason, "", at)
	r.ResolvedBy = ResolvedByQuery
	switch outcome {
	case OutcomeRejected:
		r.CallClass = ClassRejected
	case OutcomeExhausted:
		r.CallClass = ClassAmbiguous
	default:
		r.CallClass = ClassDone
	}
	r.addReply(query)
	return r
}

// Ended returns an outcome that no answer decided: INVALID, SKIPPED, SUPERSEDED, EXPIRED,
// STOPPED, and EXHAUSTED before the first attempt.
func Ended(h Handling, outcome CallOutcome, reason, message string, at time.Time) Result {
	r := Result{
		EventID:       h.Event.ID,
		EventType:     h.Event.Type,
		Account:       h.Account,
		Environment:   h.Environment,
		Channel:       h.Channel,
		OrderNo:       h.Event.OrderNo,
		TradeNo:       h.Event.TradeNo,
		KoubeiOrderNo: h.Event.KoubeiOrderNo,
		Outcome:       outcome,
		CallClass:     ClassNone,
		Reason:        reason,
		Message:       message,
		ResolvedBy:    ResolvedByNone,
		Rewound:       h.Rewound,
		ReplayCount:   h.ReplayCount,
		FinishedAt:    at,
		Origin:        h.Origin,
	}
	r.addRequest(h.Request)
	return r
}

func (r *Result) addRequest(req alipay.Request) {
	if req == nil {
		return
	}
	r.Method = req.Method()
	switch req := req.(type) {
	case *alipay.OrderInfoSync:
		r.RequestNo, r.SentStatus = req.OutRequestNo, statusOf(req.OrderBizInfo)
	case *alipay.HKOrderSync:
		r.RequestNo, r.SentStatus = req.RequestID, req.OrderStatus
	}
}

// statusOf reads the status word of an order_biz_info; empty when it has none.
func statusOf(info string) string {
	var v struct{ Status json.RawMessage }
	var word string
	if json.Unmarshal([]byte(info), &v) != nil || json.Unmarshal(v.Status, &word) != nil {
		return ""
	}
	return word
}

func (r *Result) addReply(reply alipay.Reply) {
	if reply.TradeNo != "" {
		r.TradeNo = reply.TradeNo
	}
	r.Code, r.SubCode = reply.Code, reply.SubCode
	r.Message, r.SubMessage = reply.Message, reply.SubMessage
	r.ResultStatus = reply.ResultStatus
	r.HKOrderID = reply.HKOrderID
	r.BuyerUserID, r.BuyerOpenID = reply.BuyerUserID, reply.BuyerOpenID
	r.Verified = reply.Verified
	r.AlipayTraceID = reply.TraceID
	r.Attempts = reply.Attempts
	if !reply.FirstAttemptAt.IsZero() {
		first := reply.FirstAttemptAt
		r.FirstAttemptAt = &first
	}
	if reply.Verified {
		r.ReplyJSON = string(reply.Body)
	}
}

// addError adds what the reply does not say, most of all why there was none.
func (r *Result) addError(err error) {
	var e *alipay.Error
	if !errors.As(err, &e) || r.Code != "" {
		return
	}
	r.Code, r.SubCode, r.Message = e.Code, e.SubCode, e.Message
	if r.Message == "" && e.Err != nil {
		r.Message = e.Err.Error()
	}
}
