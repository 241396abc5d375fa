package alipay

// OrderInfoSync is alipay.trade.orderinfo.sync: it reports to Alipay how a credit order ended.
type OrderInfoSync struct {
	TradeNo       TradeNo   // 1 to 64; the page calls it optional but names no other number
	OutRequestNo  RequestNo // 1 to 64; Alipay is idempotent on it: the same number again changes nothing
	BizType       string    // CREDIT_AUTH or CREDIT_DEDUCT
	OrderBizInfo  string    // JSON object text, up to 2018; sent as a text
	OrigRequestNo RequestNo // up to 64, 2026: number of the original request, e.g. of a refund
	Extra         Members

	// AllowViolated lets the status VIOLATED through, which writes a negative credit record
	// and is missing from the newest models. Not sent.
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
