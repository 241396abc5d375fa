package order

import (
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// ObservationKind is where a trade was seen (schema TradeObservation, "kind").
type ObservationKind string

// The kinds of observations.
const (
	ObservedUnknown        ObservationKind = "UNKNOWN"
	ObservedInResult       ObservationKind = "RESULT"
	ObservedInSnapshot     ObservationKind = "SNAPSHOT"
	ObservedInNotification ObservationKind = "NOTIFICATION"
	ObservedInSweep        ObservationKind = "SWEEP"      // a snapshot that the bridge asked for by itself
	Unresolved             ObservationKind = "UNRESOLVED" // not seen: the sweep no longer asks
	Accepted               ObservationKind = "ACCEPTED"   // an operator accepts a HELD trade
	Forgotten              ObservationKind = "FORGOTTEN"  // the order ends with a tombstone
)

// Observation is what one result, snapshot or notification says about a trade, or what was decided
// about it: all that trade status needs, and no personal data (schema TradeObservation).
type Observation struct {
	Account           Account
	Environment       string
	Channel           Channel
	OrderNo           alipay.OutTradeNo
	TradeNo           alipay.TradeNo
	KoubeiOrderNo     alipay.KoubeiOrderNo
	Kind              ObservationKind
	CauseID           string // event id, or notify_id
	Method            alipay.Method
	Outcome           CallOutcome // of a result, else empty
	AlipayStatus      string
	SentStatus        string // that Alipay accepted from us
	SentStatusAt      *time.Time
	OrderVersion      int64
	Total             *alipay.Money
	Paid              *alipay.Money
	Received          *alipay.Money
	Refunded          *alipay.Money
	SellerID          string
	CreditPayMode     string
	PaidAt            *time.Time
	RefundedAt        *time.Time
	ClosedAt          *time.Time
	ObservedAt        time.Time
	CreateEventID     EventID
	CreateTraceparent string
	Late              bool  // changes no state, and only makes the bridge ask Alipay
	Version           int64 // of trade status, that Accepted or Forgotten is about; 0: any, but of Forgotten one that cannot be read
}

// Key is the key of the order's records.
func (o Observation) Key() string { return Key(o.Account, o.OrderNo) }

// Key is account/order: what outputs are partitioned by.
func Key(a Account, no alipay.OutTradeNo) string { return string(a) + "/" + string(no) }

// ObserveResult returns what a result says about its trade, and whether it says anything: only
// a create and a sync that Alipay decided do. What a query saw is in its snapshot.
// The traceparent is that of the event's handling; it is kept for creates, for links.
func ObserveResult(h Handling, r Result, traceparent string) (Observation, bool) {
	o := Observation{
		Account: r.Account, Environment: r.Environment, Channel: r.Channel,
		OrderNo: r.OrderNo, TradeNo: r.TradeNo, KoubeiOrderNo: r.KoubeiOrderNo,
		Kind: ObservedInResult, CauseID: string(r.EventID), Method: r.Method, Outcome: r.Outcome,
		OrderVersion: h.Event.Version, ObservedAt: r.FinishedAt,
	}
	taken := r.Outcome == OutcomeApplied || r.Outcome == OutcomeAccepted
	switch req := h.Request.(type) {
	case *alipay.TradeCreate:
		total := req.TotalAmount
		o.Total, o.SellerID = &total, req.SellerID
		o.CreateEventID, o.CreateTraceparent = r.EventID, traceparent
		return o, taken || r.Outcome == OutcomeRejected
	case *alipay.OrderInfoSync, *alipay.HKOrderSync:
		at := h.Event.OccurredAt
		o.SentStatus, o.SentStatusAt = r.SentStatus, &at
		return o, taken
	}
	return Observation{}, false
}

// ObserveSnapshot returns what a snapshot says about its trade.
func ObserveSnapshot(s Snapshot) Observation {
	o := Observation{
		Account: s.Account, Environment: s.Environment, Channel: s.Channel,
		OrderNo: s.OrderNo, TradeNo: s.TradeNo, KoubeiOrderNo: s.KoubeiOrderNo,
		Kind: ObservedInSnapshot, CauseID: string(s.EventID), Method: s.Method,
		AlipayStatus: s.Status, Total: s.TotalAmount,
		Paid: s.BuyerPayAmount, Received: s.ReceiptAmount, PaidAt: s.SendPayDate,
		SellerID: s.SellerID, CreditPayMode: s.CreditPayMode, ObservedAt: s.ObservedAt,
	}
	if s.Method == alipay.MethodItemOrderQuery {
		o.Paid, o.Received, o.PaidAt = s.RealPayAmount, s.DeliverSellerRealAmount, s.GmtPayment
	}
	if s.AskedBy == AskedBySweep {
		o.Kind = ObservedInSweep
	}
	return o
}

// JournalEntry lists the offsets of a partition that ended without a result, and why (schema
// JournalEntry).
type JournalEntry struct {
	Topic     string
	Partition int32
	Group     string
	Skipped   []SkippedRange // in the order of offsets, without overlap
	WrittenAt time.Time
}

// SkippedRange is consecutive offsets that were skipped for one reason.
type SkippedRange struct {
	First, Last int64 // both included
	Reason      string
}
