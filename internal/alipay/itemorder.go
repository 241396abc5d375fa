package alipay

import "time"

// ItemOrderQuery is koubei.trade.itemorder.query: it asks for one Koubei order.
type ItemOrderQuery struct {
	OrderNo KoubeiOrderNo // 1 to 64
	Extra   Members
}

// Method returns [MethodItemOrderQuery].
func (*ItemOrderQuery) Method() Method { return MethodItemOrderQuery }

// Repeatable is true: asking changes nothing.
func (*ItemOrderQuery) Repeatable() bool { return true }

// Validate checks the only parameter (koubei.trade.itemorder.query, "order_no").
func (r *ItemOrderQuery) Validate() error { return validate(r) }

// ItemOrder is a Koubei order as Alipay showed it (koubei.trade.itemorder.query, response).
// Its amounts have no unit on the page: CNY assumed.
type ItemOrder struct {
	OrderNo                 KoubeiOrderNo
	OutOrderNo              OutTradeNo
	TradeNo                 TradeNo
	Status                  string // INIT, WAIT_PAY, PAID, SUCCESS (paid out), FINISH (refunded in full), CLOSE
	PartnerID               string
	SellerID                string
	BuyerID                 string
	BizProduct              string
	GmtCreate               *time.Time // UTC, as the next two
	GmtPayment              *time.Time
	GmtModified             *time.Time
	TotalAmount             *Money
	RealPayAmount           *Money
	DiscountAmount          *Money
	DeliverSellerRealAmount *Money
	Items                   []ItemOrderLine

	More     map[string]string // every further member: path to JSON text
	Unparsed map[string]string // members that could not be read exactly: path to JSON text
}

// ItemOrderLine is one line of a Koubei order ("item_order_vo").
type ItemOrderLine struct {
	ItemOrderNo  string
	SKUID        string
	Quantity     int64
	Price        *Money
	ExtInfo      string // opaque: called JSON on the page, which the page's own sample is not
	Status       string // 2026, as the next two
	MerchantFund *Money
	PlatformFund *Money
}
