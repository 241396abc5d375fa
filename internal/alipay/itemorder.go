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

func (r *ItemOrderQuery) check() error {
	var c checks
	c.need("order_no", string(r.OrderNo), 64)
	return c.err
}

func (r *ItemOrderQuery) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("order_no", string(r.OrderNo))
		o.more(r.Extra)
	})
}

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

// ItemOrder reads the answer of koubei.trade.itemorder.query, by the rules of [Reply.Trade].
func (r Reply) ItemOrder() (ItemOrder, error) {
	f, err := r.fields(MethodItemOrderQuery)
	if err != nil {
		return ItemOrder{}, err
	}
	o := ItemOrder{
		OrderNo:                 KoubeiOrderNo(f.text("order_no")),
		OutOrderNo:              OutTradeNo(f.text("out_order_no")),
		TradeNo:                 TradeNo(f.text("trade_no")),
		Status:                  f.text("status"),
		PartnerID:               f.text("partner_id"),
		SellerID:                f.text("seller_id"),
		BuyerID:                 f.text("buyer_id"),
		BizProduct:              f.text("biz_product"),
		GmtCreate:               f.time("gmt_create"),
		GmtPayment:              f.time("gmt_payment"),
		GmtModified:             f.time("gmt_modified"),
		TotalAmount:             f.money("total_amount", CNY),
		RealPayAmount:           f.money("real_pay_amount", CNY),
		DiscountAmount:          f.money("discount_amount", CNY),
		DeliverSellerRealAmount: f.money("deliver_seller_real_amount", CNY),
	}
	// A wrapped list is called item_order_v_o (official Java SDK).
	for _, name := range []string{"item_order_vo", "item_order_v_o"} {
		f.list(name, func(in *fields) { o.Items = append(o.Items, readLine(in)) })
	}
	f.rest()
	o.More, o.Unparsed = f.more, f.unparsed
	return o, nil
}

func readLine(in *fields) ItemOrderLine {
	return ItemOrderLine{
		ItemOrderNo:  in.text("item_order_no"),
		SKUID:        in.text("sku_id"),
		Quantity:     in.whole("quantity"),
		Price:        in.money("price", CNY),
		ExtInfo:      in.text("ext_info"),
		Status:       in.text("status"),
		MerchantFund: in.money("merchant_fund", CNY),
		PlatformFund: in.money("platform_fund", CNY),
	}
}
