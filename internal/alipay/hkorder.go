package alipay

import (
	"strings"
	"time"
)

// HKOrderSync is AlipayHK's "Synchronize Order": the whole current view of one order. HK
// processes it only if ModifyTime is later than that of the last one it processed.
type HKOrderSync struct {
	RequestID       RequestNo  // 1 to 36; 32 hex digits fit every page of the family
	MerchantID      string     // needed when an agent sells
	TradeNo         TradeNo    // 1 to 64
	MerchantBizNo   OutTradeNo // 1 to 64, the same over all updates of one order
	MerchantBizType string     // 1 to 64; the page lists TRADE_ORDER only
	Amount          *Money     // before discounts
	PayAmount       *Money     // what the user pays or paid
	DiscountAmount  *Money
	OrderStatus     string    // the merchant's own word; the page lists none
	CreateTime      time.Time // the first event, the same in every call
	ModifyTime      time.Time // this event: the clock of idempotency
	UserID          string    // one of the two is needed
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

func (r *HKOrderSync) check() error {
	var c checks
	c.need("requestId", string(r.RequestID), 36)
	c.text("merchantId", r.MerchantID, 64)
	c.need("tradeNo", string(r.TradeNo), 64)
	c.need("merchantBizNo", string(r.MerchantBizNo), 64)
	c.need("merchantBizType", r.MerchantBizType, 64)
	c.need("orderStatus", r.OrderStatus, 64)
	checkMinor(&c, "amount", r.Amount)
	checkMinor(&c, "payAmount", r.PayAmount)
	checkMinor(&c, "discountAmount", r.DiscountAmount)
	if r.CreateTime.UnixMilli() <= 0 {
		c.fail("orderCreateTime", "missing", "is missing")
	}
	if r.ModifyTime.UnixMilli() <= 0 {
		c.fail("orderModifyTime", "missing", "is missing")
	}
	if strings.TrimSpace(r.UserID) == "" && strings.TrimSpace(r.OpenID) == "" {
		c.fail("userId", "missing", "and openId are missing")
	}
	c.text("userId", r.UserID, 64)
	c.text("openId", r.OpenID, 128)
	c.json("extInfo", r.ExtInfo, 0)
	return c.err
}

// checkMinor checks an optional amount in minor units. Zero is an amount: a discount of
// nothing is a fact.
func checkMinor(c *checks, field string, m *Money) {
	switch {
	case m == nil:
	case len(m.Currency) != 3 || strings.Trim(m.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		c.fail(field+".currency", "currency", "is not three capitals (ISO 4217)")
	case m.Minor < 0:
		c.fail(field+".value", "range", "is negative")
	}
}

func (r *HKOrderSync) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("requestId", string(r.RequestID))
		o.str("merchantId", r.MerchantID)
		o.str("tradeNo", string(r.TradeNo))
		o.str("merchantBizNo", string(r.MerchantBizNo))
		o.str("merchantBizType", r.MerchantBizType)
		writeMinor(o, "amount", r.Amount)
		writeMinor(o, "payAmount", r.PayAmount)
		writeMinor(o, "discountAmount", r.DiscountAmount)
		o.str("orderStatus", r.OrderStatus)
		o.num("orderCreateTime", r.instant(r.CreateTime))
		o.num("orderModifyTime", r.instant(r.ModifyTime))
		o.str("userId", r.UserID)
		o.str("openId", r.OpenID)
		o.field("newFieldjrPOUb", false) // a placeholder left on the page: never sent
		r.writeExtInfo(o)
		o.more(r.Extra)
	})
}

// instant is a time as a number. The sibling pages' samples are milliseconds. [inferred]
func (r *HKOrderSync) instant(at time.Time) int64 {
	if r.Seconds {
		return at.Unix()
	}
	return at.UnixMilli()
}

// writeExtInfo writes extInfo, which the page requires although it lists no child.
func (r *HKOrderSync) writeExtInfo(o *object) {
	m, err := ParseMembers(r.ExtInfo)
	if err != nil {
		o.err = err
		return
	}
	o.raw("extInfo", m.text())
}

func writeMinor(o *object, name string, m *Money) {
	o.sub(name, m != nil, func(o *object) {
		o.str("value", m.MinorText())
		o.str("currency", m.Currency)
	})
}
