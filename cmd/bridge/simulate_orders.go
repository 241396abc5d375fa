package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// simulatedAccount is one account of the settings that simulate writes.
type simulatedAccount struct{ name, channel string }

// simulatedAccounts are the accounts of bridge.yaml and of examples/orders.jsonl.
func simulatedAccounts() []simulatedAccount {
	return []simulatedAccount{{"shop-trade", "TRADE"}, {"shop-credit", "CREDIT"}, {"shop-koubei", "KOUBEI"}, {"shop-hk", "HK"}}
}

// unknownOrders begins the order numbers that Alipay shall not know, so that it refuses.
const unknownOrders = "R"

// preloadLife is how long a credit order made for an example waits for its buyer.
const preloadLife = 365 * 24 * time.Hour

// knownOrder is what an order event says of an order that was made without the bridge.
type knownOrder struct {
	OrderNo       string `json:"order_no"`
	Account       string `json:"account"`
	Channel       string `json:"channel"`
	Type          string `json:"event_type"`
	TradeNo       string `json:"trade_no"`
	KoubeiOrderNo string `json:"koubei_order_no"`
	Total         *struct {
		Minor int64 `json:"minor"`
	} `json:"total"`
}

// preload makes the credit trades and Koubei orders that events name by Alipay's numbers,
// and returns how many. TRADE orders are made by the bridge; the HK gateway knows none.
func preload(sim *simulator.Simulator, apps []simulator.App, events io.Reader) (int, error) {
	orders, err := knownOrders(events)
	if err != nil {
		return 0, err
	}
	made := 0
	for _, o := range orders {
		switch {
		case o.Channel == "CREDIT" && o.TradeNo != "":
			app, merchant := owner(apps, o.Account)
			err = sim.AddTrade(simulator.Trade{
				App: app, Merchant: merchant, OutTradeNo: o.OrderNo, TradeNo: o.TradeNo, Total: o.total(), Subject: "made for an example",
				BuyerID: "2088100000000001", ExpiresAt: time.Now().Add(preloadLife),
			})
		case o.Channel == "KOUBEI" && o.KoubeiOrderNo != "":
			app, _ := owner(apps, o.Account)
			err = sim.AddItemOrder(simulator.ItemOrder{
				App: app, OrderNo: o.KoubeiOrderNo, OutOrderNo: o.OrderNo, Status: o.koubeiStatus(), BuyerID: "2088100000000001",
				Total: o.total(), RealPay: o.total(), SellerReceives: o.total(),
				Items: []simulator.Item{{ItemOrderNo: o.KoubeiOrderNo + "01", SkuID: "sku-1", Quantity: 1, Price: o.total()}},
			})
		default:
			continue
		}
		if err != nil {
			return made, err
		}
		made++
	}
	return made, nil
}

// knownOrders reads events and joins those of one order; lines that are no events are left to
// the one who sends them.
func knownOrders(events io.Reader) ([]knownOrder, error) {
	var orders []knownOrder
	at := map[string]int{} // position by account and order number
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e knownOrder
		if json.Unmarshal(lines.Bytes(), &e) != nil || strings.HasPrefix(e.OrderNo, unknownOrders) {
			continue
		}
		if e.Channel == "" || e.Channel == "ACCOUNT" {
			e.Channel = channelOf(e.Account)
		}
		key := e.Account + "/" + e.OrderNo
		i, known := at[key]
		if !known {
			i = len(orders)
			at[key], orders = i, append(orders, e)
		}
		orders[i].join(e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	if len(orders) == 0 {
		return nil, errors.New("holds no order events")
	}
	return orders, nil
}

// join adds what a later event of the order says.
func (o *knownOrder) join(e knownOrder) {
	o.Type = e.Type
	if e.TradeNo != "" {
		o.TradeNo = e.TradeNo
	}
	if e.KoubeiOrderNo != "" {
		o.KoubeiOrderNo = e.KoubeiOrderNo
	}
	if e.Total != nil {
		o.Total = e.Total
	}
}

func (o *knownOrder) total() simulator.Fen {
	if o.Total == nil || o.Total.Minor <= 0 {
		return 8800
	}
	return simulator.Fen(o.Total.Minor)
}

// koubeiStatus is where the order stands after its last event.
func (o *knownOrder) koubeiStatus() string {
	switch o.Type {
	case "COMPLETED":
		return "SUCCESS"
	case "REFUNDED":
		return "FINISH"
	case "CANCELLED":
		return "CLOSE"
	}
	return "PAID"
}

func channelOf(account string) string {
	for _, a := range simulatedAccounts() {
		if a.name == account {
			return a.channel
		}
	}
	return ""
}

// owner returns the app under which an account of this name acts, and its merchant's name:
// none when the app acts for itself.
func owner(apps []simulator.App, account string) (app, merchant string) {
	for _, a := range apps {
		if slices.ContainsFunc(a.Merchants, func(m simulator.Merchant) bool { return m.Name == account }) {
			return a.ID, account
		}
	}
	if len(apps) > 0 {
		app = apps[0].ID
	}
	return app, ""
}
