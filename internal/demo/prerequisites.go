package demo

import (
	"time"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// Prerequisites are what must exist at Alipay before events about it can succeed: the trades of
// credit orders and the orders of Koubei, which the bridge does not create. Alipay does not know
// order numbers that begin with R.
func Prerequisites(events []order.Event, appID string, now time.Time) (trades []simulator.Trade, orders []simulator.ItemOrder) {
	seen := map[string]bool{}
	for _, e := range events {
		no := string(e.OrderNo)
		if no == "" || no[0] == 'R' || seen[no] {
			continue
		}
		switch {
		case e.KoubeiOrderNo != "":
			seen[no] = true
			orders = append(orders, simulator.ItemOrder{
				App: appID, OrderNo: string(e.KoubeiOrderNo), OutOrderNo: no, PartnerID: "2088000000000001", TradeNo: "2026110122001" + no,
				Status: "PAID", BuyerID: "2088102146225135", Total: 8800, RealPay: 8000, Discount: 800, SellerReceives: 7900,
				CreatedAt: now.Add(-time.Hour), PaidAt: now.Add(-time.Minute),
				Items: []simulator.Item{{ItemOrderNo: no + "1", SkuID: "sku-1", Quantity: 1, Price: 8800}},
			})
		case e.BizType != "" && e.TradeNo != "" && e.Channel != order.ChannelHK:
			seen[no] = true
			trades = append(trades, simulator.Trade{
				App: appID, OutTradeNo: no, TradeNo: string(e.TradeNo), Status: simulator.WaitBuyerPay, Total: 19900,
				Subject: "Rental", BuyerID: "2088102146225135", CreatedAt: now.Add(-72 * time.Hour), ExpiresAt: now.Add(240 * time.Hour),
			})
		}
	}
	return trades, orders
}
