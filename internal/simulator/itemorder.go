package simulator

import (
	"fmt"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// ItemOrder is a Koubei order (koubei.trade.itemorder.query, response). OrderNo, Status and Total
// are required; an empty App means the only app.
type ItemOrder struct {
	App            string
	OrderNo        string
	OutOrderNo     string // empty: OrderNo
	PartnerID      string
	TradeNo        string
	Status         string // INIT, WAIT_PAY, PAID, SUCCESS, FINISH, CLOSE
	BuyerID        string
	SellerID       string
	BizProduct     string    // empty: ONLINE_TRADE_PAY
	CreatedAt      time.Time // zero: now
	ModifiedAt     time.Time // zero: CreatedAt
	PaidAt         time.Time // zero: not in the answer
	Total          wire.Fen
	RealPay        wire.Fen
	Discount       wire.Fen
	SellerReceives wire.Fen // deliver_seller_real_amount
	Items          []Item
	More           map[string]any // further members of the answer; they replace ours
}

// Item is one line of an ItemOrder ("item_order_vo").
type Item struct {
	ItemOrderNo string   `yaml:"item_order_no"`
	SkuID       string   `yaml:"sku_id"`
	Quantity    int      `yaml:"quantity"`
	Price       wire.Fen `yaml:"price"`
	ExtInfo     string   `yaml:"ext_info"`
}

// itemStatuses are the words of the page; CLOSE is only in its sample.
var itemStatuses = []string{"INIT", "WAIT_PAY", "PAID", "SUCCESS", "FINISH", "CLOSE"}

// AddItemOrder adds a Koubei order, or replaces it.
func (s *Simulator) AddItemOrder(o ItemOrder) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.appByID(o.App)
	if err != nil {
		return fmt.Errorf("item order %q: %w", o.OrderNo, err)
	}
	if o.OrderNo == "" || !slices.Contains(itemStatuses, o.Status) || o.Total < 0 {
		return fmt.Errorf("item order %q: it needs an order number, a known status and a total that is not negative", o.OrderNo)
	}
	o.App = app.ID
	if o.OutOrderNo == "" {
		o.OutOrderNo = o.OrderNo
	}
	if o.BizProduct == "" {
		o.BizProduct = "ONLINE_TRADE_PAY"
	}
	if o.CreatedAt.IsZero() {
		o.CreatedAt = s.Now()
	}
	if o.ModifiedAt.IsZero() {
		o.ModifiedAt = o.CreatedAt
	}
	s.itemOrders[o.App+"\n"+o.OrderNo] = o
	return nil
}

// itemOrder answers koubei.trade.itemorder.query. No document says what an unknown order gets;
// INVALID_PARAMETER is the only code on the page that fits [inferred].
func (s *Simulator) itemOrder(f *classicRequest, c wire.Fields) wire.Reply {
	o, ok := s.itemOrders[f.app.ID+"\n"+c.Text("order_no")]
	if !ok {
		return wire.Failure("INVALID_PARAMETER", "no such order")
	}
	return wire.Success(o.members().Override(o.More))
}

// members returns the order as in the response table of the page.
func (o ItemOrder) members() wire.Members {
	at := func(t time.Time) string { return t.In(wire.Beijing).Format(wire.TimeLayout) }
	items := make([]any, len(o.Items))
	for i, it := range o.Items {
		line := map[string]any{"item_order_no": it.ItemOrderNo, "sku_id": it.SkuID, "quantity": it.Quantity, "price": it.Price}
		if it.ExtInfo != "" {
			line["ext_info"] = it.ExtInfo
		}
		items[i] = line
	}
	m := wire.Members{}.Add("order_no", o.OrderNo).Add("out_order_no", o.OutOrderNo).Add("partner_id", o.PartnerID).
		AddText("trade_no", o.TradeNo).Add("status", o.Status).Add("buyer_id", o.BuyerID).Add("biz_product", o.BizProduct).
		Add("gmt_create", at(o.CreatedAt)).AddText("seller_id", o.SellerID)
	if !o.PaidAt.IsZero() {
		m = m.Add("gmt_payment", at(o.PaidAt))
	}
	m = m.Add("gmt_modified", at(o.ModifiedAt)).Add("total_amount", o.Total).Add("real_pay_amount", o.RealPay)
	if o.Discount != 0 {
		m = m.Add("discount_amount", o.Discount)
	}
	return m.Add("deliver_seller_real_amount", o.SellerReceives).Add("item_order_vo", items)
}
