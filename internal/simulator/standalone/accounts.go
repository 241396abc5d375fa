package standalone

import (
	"slices"

	"alipay-kafka-bridge/internal/simulator"
)

// creditAccount is the account whose trades must exist before the bridge reads events about them.
const creditAccount = "shop-credit"

// classicAccounts are the accounts of bridge.yaml at the classic gateway.
func classicAccounts() []string { return []string{"shop-trade", creditAccount, "shop-koubei"} }

// Preload gives the first app trades and orders that it knows from the start, and returns how
// many there are. The trades belong to the credit account, if the app has one.
func Preload(o *simulator.Options, trades []simulator.Trade, orders []simulator.ItemOrder) int {
	if len(o.Apps) == 0 {
		return 0
	}
	if slices.ContainsFunc(o.Apps[0].Merchants, func(m simulator.Merchant) bool { return m.Name == creditAccount }) {
		for i := range trades {
			trades[i].Merchant = creditAccount
		}
	}
	o.Trades, o.ItemOrders = append(o.Trades, trades...), append(o.ItemOrders, orders...)
	return len(trades) + len(orders)
}
