package alipay

import (
	"context"
	"encoding/json"
	"time"
)

// Method names one API call as its gateway does.
type Method string

// The five calls that the bridge makes.
const (
	MethodTradeCreate    Method = "alipay.trade.create"
	MethodTradeQuery     Method = "alipay.trade.query"
	MethodOrderInfoSync  Method = "alipay.trade.orderinfo.sync"
	MethodItemOrderQuery Method = "koubei.trade.itemorder.query"
	MethodHKOrderSync    Method = "alipayhk.merchant.order.sync"
)

// Identifiers, each with the name that Alipay gives it.
type (
	// OutTradeNo is the merchant's order number (out_trade_no, HK merchantBizNo).
	OutTradeNo string
	// TradeNo is Alipay's number of a trade (trade_no, HK tradeNo).
	TradeNo string
	// RequestNo names one sync (out_request_no, HK requestId).
	RequestNo string
	// KoubeiOrderNo is Koubei's number of an order (order_no).
	KoubeiOrderNo string
)

// Request is one API call with its parameters. The set is closed: [TradeCreate],
// [TradeQuery], [OrderInfoSync], [ItemOrderQuery] and [HKOrderSync].
type Request interface {
	Method() Method
	// Validate checks what can be known before sending: lengths, ranges, one-of fields.
	Validate() error
	// Repeatable says whether sending the identical request again is harmless according to the documents.
	Repeatable() bool

	check() error             // see [Check]
	content() ([]byte, error) // see [Content]
}

// Check is [Request.Validate] without what only writing the content finds: for a caller that
// writes the content next.
func Check(r Request) error { return r.check() }

// Reply is what Alipay answered. A client fills it as far as the answer could be read,
// also when it returns an error.
type Reply struct {
	Method       Method
	Code         string // gateway code (10000 ...) or HK resultCode
	SubCode      string
	Message      string
	SubMessage   string
	ResultStatus string // HK only: S, F, U or A
	OutTradeNo   OutTradeNo
	TradeNo      TradeNo
	HKOrderID    string
	BuyerUserID  string
	BuyerOpenID  string
	Verified     bool            // the signature of the answer was checked
	TraceID      string          // for Alipay's support: trace_id or Tracer-Id header
	Body         json.RawMessage // the answer node in UTF-8; nil unless verified

	// The guard that made the call fills in the attempts and the times of the first and last one.
	Attempts       int
	FirstAttemptAt time.Time
	LastAttemptAt  time.Time
}

// Content returns the canonical JSON of a request: biz_content on the classic gateway, the
// body on AlipayHK's. The same request gives the same bytes.
func Content(r Request) ([]byte, error) { return r.content() }

// Send makes the exchange of a sealed request, once. It returns a function that opens the
// answer and must be called once.
type Send func(ctx context.Context) (open func() (Reply, error))
