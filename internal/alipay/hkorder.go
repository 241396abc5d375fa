package alipay

import (
	"time"
)

// HKOrderSync is AlipayHK's "Synchronize Order": the whole current view of one order. HK
// processes it only if ModifyTime is later than that of the last one it processed.
type HKOrderSync struct {
	RequestID       RequestNo  // 1 to 36; 32 hex digits fit every page of the family
	MerchantID      string     // required when an agent sells
	TradeNo         TradeNo    // 1 to 64
	MerchantBizNo   OutTradeNo // 1 to 64, the same over all updates of one order
	MerchantBizType string     // 1 to 64; the page lists TRADE_ORDER only
	Amount          *Money     // before discounts
	PayAmount       *Money     // what the user pays or paid
	DiscountAmount  *Money
	OrderStatus     string    // the merchant's own word; the page lists none
	CreateTime      time.Time // the first event, the same in every call
	ModifyTime      time.Time // this event: the clock of idempotency
	UserID          string    // one of the two is required
	OpenID          string    // up to 128
	ExtInfo         string    // JSON object text; empty is {}
	Seconds         bool      // the two times are written in seconds instead of milliseconds: the page gives no unit
	Extra           Members
}

// Method returns [MethodHKOrderSync].
func (*HKOrderSync) Method() Method { return MethodHKOrderSync }

// Repeatable is true: a request whose orderModifyTime is not later than the last processed
// one is not processed again (AlipayHK Synchronize Order, "orderModifyTime").
func (*HKOrderSync) Repeatable() bool { return true }

// Validate checks the required fields and the amounts. The page gives no lengths: 64 for
// numbers and words [inferred], 36 for a dashed UUID; the Order Service page of the same
// path allows 32.
func (r *HKOrderSync) Validate() error { return validate(r) }
