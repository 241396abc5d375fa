package state

import (
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// Anomalies. Each is published once, when it is first seen.
const (
	PaidAfterClosed    = "paid_after_closed"
	FinishedThenClosed = "finished_then_closed" // or seen in the other order
	SecondTradeNo      = "second_trade_no"
	AmountMismatch     = "amount_mismatch"
	CurrencyMismatch   = "currency_mismatch"
	SellerMismatch     = "seller_mismatch"
	NotCreated         = "not_created"      // ends with the result of the create
	UnsettledCredit    = "unsettled_credit" // ends when a query shows the charge
	ClockNotGrowing    = "clock_not_growing"
	Unresolved         = "unresolved"
)

// holding are the anomalies with which a trade is HELD until an operator accepts it.
var holding = map[string]bool{
	SecondTradeNo: true, AmountMismatch: true, CurrencyMismatch: true, SellerMismatch: true,
	NotCreated: true, UnsettledCredit: true,
}

// word is what a status word of Alipay means.
type word struct {
	state State
	rank  int  // a trade only moves to a higher rank
	split bool // Closed is ClosedUnpaid or Refunded where that is known
}

// paid reports whether the word says that the buyer paid.
func (w word) paid() bool { return w.state == Paid || w.state == Finished }

// ended is the rank of the words after which nothing comes.
const ended = 3

// classic are the words of alipay.trade.query and of notifications, koubei those of
// koubei.trade.itemorder.query.
var (
	classic = map[string]word{
		string(alipay.WaitBuyerPay):  {state: Pending, rank: 1},
		string(alipay.TradeSuccess):  {state: Paid, rank: 2},
		string(alipay.TradeFinished): {state: Finished, rank: ended},
		string(alipay.TradeClosed):   {state: Closed, rank: ended, split: true},
	}
	koubei = map[string]word{
		"INIT":     {state: Pending},
		"WAIT_PAY": {state: Pending, rank: 1},
		"PAID":     {state: Paid, rank: 2},
		"SUCCESS":  {state: Finished, rank: ended},
		"FINISH":   {state: Refunded, rank: ended},
		"CLOSE":    {state: Closed, rank: ended},
	}
)

// channelRules is what differs between the channels.
type channelRules struct {
	words   map[string]word
	creates bool // the bridge creates all its trades, so that another is an anomaly
	clock   bool // Alipay ignores a sync whose time is not newer than that of the last
	synced  bool // a sync is all there is to know
}

var channels = map[order.Channel]channelRules{
	order.ChannelTrade:  {words: classic, creates: true},
	order.ChannelCredit: {words: classic}, // Alipay makes these trades; the bridge only where an account wants it
	order.ChannelKoubei: {words: koubei},
	order.ChannelHK:     {clock: true, synced: true},
}

func (s Status) rules() channelRules { return channels[s.Channel] }

// ShowsPayment reports whether Alipay's status word says that the buyer paid. A refund in full, or a payment of a
// trade that was closed before, is another word.
func (s Status) ShowsPayment() bool {
	w, ok := s.word()
	return ok && w.paid()
}

// word is what Alipay's last status word means; false: there is none, or a new one.
func (s Status) word() (word, bool) {
	w, ok := s.rules().words[s.AlipayStatus]
	return w, ok
}
