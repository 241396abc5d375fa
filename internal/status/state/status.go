package state

import (
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// State is how the bridge reads the state of an order (schema TradeStatus, "state").
type State string

// The states.
const (
	Unknown           State = "UNKNOWN"
	Pending           State = "PENDING"            // waits for payment
	Paid              State = "PAID"               // refunds are possible
	PartiallyRefunded State = "PARTIALLY_REFUNDED" // paid, and some of it refunded
	Finished          State = "FINISHED"           // paid, refunds are not possible any more
	Closed            State = "CLOSED"             // it is not known whether it was ever paid
	ClosedUnpaid      State = "CLOSED_UNPAID"
	Refunded          State = "REFUNDED" // in full
	Failed            State = "FAILED"   // Alipay refused the create
	Synced            State = "SYNCED"   // HK: Alipay reports no state of its own
	Held              State = "HELD"     // an operator decides, see Anomalies
)

// Status is the merged state of one order (schema TradeStatus). Nothing else of an order is kept.
type Status struct {
	Account           order.Account
	Environment       string
	Channel           order.Channel
	OrderNo           alipay.OutTradeNo
	TradeNo           alipay.TradeNo
	KoubeiOrderNo     alipay.KoubeiOrderNo
	Version           int64 // 1, 2, 3, ...
	State             State
	AlipayStatus      string
	SentStatus        string
	SentStatusAt      *time.Time
	OrderVersion      int64                 // of SentStatus
	Cause             order.ObservationKind // of the last change
	CauseID           string
	CreateEventID     order.EventID // empty: no result of a create was seen
	CreateTraceparent string
	ObservedAt        time.Time // of the last change
	PaidAt            *time.Time
	RefundedAt        *time.Time
	ClosedAt          *time.Time
	Total             *alipay.Money
	Paid              *alipay.Money
	Received          *alipay.Money
	Refunded          *alipay.Money
	SellerID          string
	Anomalies         []string
	Accepted          []string // of Anomalies: an operator accepted them
}

// Key is the key of the order's records.
func (s Status) Key() string { return order.Key(s.Account, s.OrderNo) }
