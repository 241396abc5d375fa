package alipay

// OrderInfoSync is alipay.trade.orderinfo.sync: it tells Alipay how a credit order ended.
type OrderInfoSync struct {
	TradeNo       TradeNo   // 1 to 64; the page calls it optional but names no other number
	OutRequestNo  RequestNo // 1 to 64; Alipay is idempotent on it: the same number again changes nothing
	BizType       string    // CREDIT_AUTH or CREDIT_DEDUCT
	OrderBizInfo  string    // JSON object text, up to 2018; sent as a text
	OrigRequestNo RequestNo // up to 64, 2026: number of the original request, e.g. of a refund
	Extra         Members

	// AllowViolated lets the status VIOLATED through, which writes a negative credit record
	// and is gone from the newest models. Not sent.
	AllowViolated bool
}

// Method returns [MethodOrderInfoSync].
func (*OrderInfoSync) Method() Method { return MethodOrderInfoSync }

// Repeatable is true: the same out_request_no again does not update the order (official
// model of 2026, "out_request_no").
func (*OrderInfoSync) Repeatable() bool { return true }

// Validate checks lengths, the two business types that are public, and that no negative
// credit record is written by accident.
func (r *OrderInfoSync) Validate() error { return validate(r) }

func (r *OrderInfoSync) check() error {
	var c checks
	c.need("trade_no", string(r.TradeNo), 64)
	c.need("out_request_no", string(r.OutRequestNo), 64)
	c.need("biz_type", r.BizType, 64)
	c.word("biz_type", r.BizType, "CREDIT_AUTH", "CREDIT_DEDUCT")
	info := c.json("order_biz_info", r.OrderBizInfo, 2018)
	if !r.AllowViolated && (info.Mentions("VIOLATED") || r.Extra.Mentions("VIOLATED")) {
		c.fail("order_biz_info", "forbidden", "says VIOLATED, which this account does not allow")
	}
	c.text("orig_request_no", string(r.OrigRequestNo), 64)
	return c.err
}

func (r *OrderInfoSync) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("trade_no", string(r.TradeNo))
		o.str("out_request_no", string(r.OutRequestNo))
		o.str("biz_type", r.BizType)
		o.str("order_biz_info", r.OrderBizInfo)
		o.str("orig_request_no", string(r.OrigRequestNo))
		o.more(r.Extra)
	})
}
