package main

import (
	"bytes"
	"slices"
	"time"

	"alipay-kafka-bridge/examples"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// simulatedAccount is one account of the settings that simulate writes.
type simulatedAccount struct {
	name    string
	channel order.Channel
}

// creditAccount is the account whose trades must exist before the bridge hears of them.
const creditAccount = "shop-credit"

// simulatedAccounts are the accounts of bridge.yaml and of examples/orders.jsonl.
func simulatedAccounts() []simulatedAccount {
	return []simulatedAccount{
		{"shop-trade", order.ChannelTrade}, {creditAccount, order.ChannelCredit},
		{"shop-koubei", order.ChannelKoubei}, {"shop-hk", order.ChannelHK},
	}
}

// preload gives the first app what events take for granted, and returns how many orders that
// is. file is empty for the events of examples/orders.jsonl.
func preload(o *simulator.Options, file string) (int, error) {
	codec := order.NewCodec(nil) // JSON needs no registry
	events, err := readEvents("examples", bytes.NewReader(examples.Orders), codec)
	if file != "" {
		events, err = readFiles(nil, []string{file}, codec)
	}
	if err != nil || len(o.Apps) == 0 {
		return 0, err
	}
	app := o.Apps[0]
	trades, orders := holdings(events, app.ID, time.Now())
	if slices.ContainsFunc(app.Merchants, func(m simulator.Merchant) bool { return m.Name == creditAccount }) {
		for i := range trades {
			trades[i].Merchant = creditAccount
		}
	}
	o.Trades, o.ItemOrders = append(o.Trades, trades...), append(o.ItemOrders, orders...)
	return len(trades) + len(orders), nil
}
