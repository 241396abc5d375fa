package order

import (
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// EventID names one event for ever; the same on every resend.
type EventID string

// Account names one merchant in the settings.
type Account string

// EventType is what happened to the order (OrderEvent, "event_type").
type EventType string

// The types of events. [TypeUnknown] never causes a call: it is what an older reader sees
// for a newer symbol.
const (
	TypeUnknown           EventType = "UNKNOWN"
	TypeCreated           EventType = "CREATED"
	TypePaid              EventType = "PAID"
	TypePaymentFailed     EventType = "PAYMENT_FAILED"
	TypeAccepted          EventType = "ACCEPTED"
	TypePreparing         EventType = "PREPARING"
	TypeReady             EventType = "READY"
	TypeShipped           EventType = "SHIPPED"
	TypeDelivered         EventType = "DELIVERED"
	TypeCompleted         EventType = "COMPLETED"
	TypeCancelled         EventType = "CANCELLED"
	TypeExpired           EventType = "EXPIRED"
	TypeOverdue           EventType = "OVERDUE"
	TypePartiallyRefunded EventType = "PARTIALLY_REFUNDED"
	TypeRefunded          EventType = "REFUNDED"
	TypeAmended           EventType = "AMENDED"
	TypeStatusChanged     EventType = "STATUS_CHANGED"
	TypeSettledElsewhere  EventType = "SETTLED_ELSEWHERE" // a failed credit deduction was paid another way
	TypeChargeWithdrawn   EventType = "CHARGE_WITHDRAWN"  // a credit deduction was called off
	TypeQueryRequested    EventType = "QUERY_REQUESTED"
)

// EventTypes returns every type, in the schema's order.
func EventTypes() []EventType {
	return []EventType{
		TypeUnknown, TypeCreated, TypePaid, TypePaymentFailed, TypeAccepted, TypePreparing, TypeReady, TypeShipped,
		TypeDelivered, TypeCompleted, TypeCancelled, TypeExpired, TypeOverdue, TypePartiallyRefunded, TypeRefunded,
		TypeAmended, TypeStatusChanged, TypeSettledElsewhere, TypeChargeWithdrawn, TypeQueryRequested,
	}
}

// Channel is the Alipay product that the order belongs to (OrderEvent, "channel").
type Channel string

// The channels. [ChannelUnknown] never causes a call.
const (
	ChannelUnknown Channel = "UNKNOWN"
	ChannelAccount Channel = "ACCOUNT" // the account's own channel
	ChannelTrade   Channel = "TRADE"
	ChannelCredit  Channel = "CREDIT"
	ChannelHK      Channel = "HK"
	ChannelKoubei  Channel = "KOUBEI"
)

// Channels returns every channel, in the schema's order.
func Channels() []Channel {
	return []Channel{ChannelUnknown, ChannelAccount, ChannelTrade, ChannelCredit, ChannelHK, ChannelKoubei}
}

// Event is one fact in the life of one order, with the order's whole current view as far as
// the producer knows it (schema OrderEvent, where each field has its place on the wire).
// Empty is absent.
type Event struct {
	ID         EventID
	Type       EventType
	OccurredAt time.Time         // grows with every event of one order
	OrderNo    alipay.OutTradeNo // the merchant's, the same over all events
	Account    Account           // empty: the topic's default account
	Channel    Channel
	Version    int64 // producer's version of the order, growing; 0: none

	TradeNo       alipay.TradeNo
	KoubeiOrderNo alipay.KoubeiOrderNo

	Total          *alipay.Money // before discounts
	Discountable   *alipay.Money
	Undiscountable *alipay.Money
	Discount       *alipay.Money
	Payable        *alipay.Money // what the user pays or paid
	Refunded       *alipay.Money // running total; sent nowhere

	BuyerUserID   string // personal data, as the next two
	BuyerOpenID   string
	BuyerLogonID  string
	OpAppID       string
	OpBuyerOpenID string // personal data

	SellerID        string
	MerchantID      string
	SubMerchantID   string
	SubMerchantType string
	OrgPID          string
	OperatorID      string
	StoreID         string
	AlipayStoreID   string
	TerminalID      string

	Subject            string
	Body               string
	ProductCode        string
	MerchantOrderNo    string
	PassbackParams     string
	QueryOptions       []string
	EnablePayChannels  []string
	DisablePayChannels []string
	Items              []Item
	ExtendParams       *ExtendParams
	Settlements        []Settlement
	SettlePeriodTime   string
	LogisticsType      string
	Receiver           *Receiver
	BusinessParamsJSON string

	TimeoutExpress string     // counts from creation at Alipay
	ExpiresAt      *time.Time // latest payment; wins over TimeoutExpress
	OrderCreatedAt *time.Time // the same in all events of the order

	Status           string // the merchant's own status word; wins over the mapping
	BizType          string
	RequestNo        alipay.RequestNo // empty: made from ID
	OrigRequestNo    alipay.RequestNo
	OrderBizInfoJSON string
	ExtInfoJSON      string
	ExtraJSON        string
}

// Item is one line of the order.
type Item struct {
	GoodsID        string
	Name           string
	Quantity       int64
	Price          *alipay.Money // of one piece
	Category       string
	CategoriesTree string
	Body           string
	ShowURL        string
	AlipayGoodsID  string
	OutItemID      string
	OutSKUID       string
	GoodsEANID     string
	ExtraJSON      string
}

// ExtendParams is create.extend_params.
type ExtendParams struct {
	SysServiceProviderID  string
	IndustryRefluxInfo    string
	CardType              string
	HbFqNum               string
	HbFqSellerPercent     string
	RoyaltyFreeze         string
	SpecifiedSellerName   string
	CreditExtInfo         string
	TcInstallmentOrderID  string
	TradeComponentOrderID string
	ExtraJSON             string
}

// Settlement is create.settle_info.settle_detail_infos, of which Alipay accepts one.
type Settlement struct {
	TransInType      string
	TransIn          string
	SummaryDimension string
	SettleEntityID   string
	SettleEntityType string
	Amount           *alipay.Money // nil: the total, which it must be
	ActualAmount     *alipay.Money
	ExtraJSON        string
}

// Receiver is create.receiver_address_info. Personal data.
type Receiver struct {
	Name         string
	Address      string
	Mobile       string
	Zip          string
	DivisionCode string
}

// Expired reports whether a request is past its event's life, so that it must not be sent. Only
// a create has one: a query or a sync about an order that expired still says something.
func Expired(e Event, r alipay.Request, now time.Time) bool {
	_, creates := r.(*alipay.TradeCreate)
	return creates && e.ExpiresAt != nil && !now.Before(*e.ExpiresAt)
}
