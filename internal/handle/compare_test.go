package handle_test

import (
	"strconv"
	"testing"
	"testing/synctest"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// TestWhoseTradeWasFound is the decision table of docs/DESIGN.md, "A trade is found".
func TestWhoseTradeWasFound(t *testing.T) {
	cny := func(minor int64) *alipay.Money { return &alipay.Money{Minor: minor, Currency: "CNY"} }
	create := &alipay.TradeCreate{
		OutTradeNo: "o1", TotalAmount: *cny(8888), Subject: "tea", BuyerID: "2088102146225135", BuyerOpenID: "open-1", BuyerLogonID: "15900005620",
		SellerID: "2088000000000009", StoreID: "S1", PassbackParams: "p=1&q=a b",
	}
	for _, tt := range []struct {
		name  string
		shown alipay.Trade
		want  string
	}{
		{"amount and buyer", alipay.Trade{TotalAmount: cny(8888), BuyerUserID: "2088102146225135"}, "ours"},
		{"amount and open id", alipay.Trade{TotalAmount: cny(8888), BuyerOpenID: "open-1"}, "ours"},
		{"amount and masked login name", alipay.Trade{TotalAmount: cny(8888), BuyerLogonID: "159****5620"}, "ours"},
		{"amount and subject", alipay.Trade{TotalAmount: cny(8888), Subject: "tea"}, "ours"},
		{"amount and seller", alipay.Trade{TotalAmount: cny(8888), More: map[string]string{"seller_id": `"2088000000000009"`}}, "ours"},
		{"amount and store", alipay.Trade{TotalAmount: cny(8888), StoreID: "S1"}, "ours"},
		{"amount and parameters", alipay.Trade{TotalAmount: cny(8888), PassbackParams: "p=1&q=a b"}, "ours"},
		{"amount and parameters as they were sent", alipay.Trade{TotalAmount: cny(8888), PassbackParams: "p%3D1%26q%3Da+b"}, "ours"},
		{"parameters with a broken code", alipay.Trade{TotalAmount: cny(8888), Subject: "tea", PassbackParams: "p=1%"}, "another"},
		{"amount alone", alipay.Trade{TotalAmount: cny(8888)}, "undecided"},
		{"a seller that cannot be read", alipay.Trade{TotalAmount: cny(8888), More: map[string]string{"seller_id": `7`}}, "undecided"},
		{"no amount", alipay.Trade{BuyerUserID: "2088102146225135", Subject: "tea"}, "undecided"},
		{"nothing", alipay.Trade{}, "undecided"},
		{"another amount", alipay.Trade{TotalAmount: cny(8889), BuyerUserID: "2088102146225135"}, "another"},
		{"another currency", alipay.Trade{TotalAmount: &alipay.Money{Minor: 8888, Currency: "USD"}, BuyerUserID: "2088102146225135"}, "another"},
		{"another buyer", alipay.Trade{TotalAmount: cny(8888), BuyerUserID: "2088000000000001"}, "another"},
		{"another open id", alipay.Trade{TotalAmount: cny(8888), BuyerUserID: "2088102146225135", BuyerOpenID: "open-2"}, "another"},
		{"another login name", alipay.Trade{TotalAmount: cny(8888), BuyerLogonID: "138****0000"}, "another"},
		{"another subject", alipay.Trade{TotalAmount: cny(8888), BuyerUserID: "2088102146225135", Subject: "gold"}, "another"},
		{"another seller", alipay.Trade{TotalAmount: cny(8888), BuyerUserID: "2088102146225135", More: map[string]string{"seller_id": `"2088000000000008"`}}, "another"},
		{"another store", alipay.Trade{TotalAmount: cny(8888), BuyerUserID: "2088102146225135", StoreID: "S2"}, "another"},
		{"other parameters", alipay.Trade{TotalAmount: cny(8888), BuyerUserID: "2088102146225135", PassbackParams: "p=2"}, "another"},
		{"another buyer, no amount", alipay.Trade{BuyerUserID: "2088000000000001"}, "another"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := handle.Whose(create, tt.shown); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMaskedLoginNames(t *testing.T) {
	for _, tt := range []struct{ name, shown, want string }{
		{"15900005620", "159****5620", "ours"},
		{"15900005621", "159****5620", "another"},
		{"alice@example.com", "ali***@example.com", "ours"},
		{"ALICE@example.com", "ali***@example.com", "ours"},
		{"bob@example.com", "ali***@example.com", "another"},
		{"a@b.c", "ali***@example.com", "another"},
		{"alice@example.com", "alice@example.com", "ours"},
		{"alice@example.com", "159****5620", "undecided"},
		{"15900005620", "ali***@example.com", "undecided"},
		{"15900005620", "+86-159****5620", "ours"},
		{"+86-15900005620", "159****5620", "ours"},
		{"15900005620", "+86-138****5620", "another"},
		{"alice@example.com", "***", "undecided"},
		{"15900005620", "****5620", "ours"}, // the mask may be at either end
		{"15900005620", "****5621", "another"},
		{"15900005620", "159****", "ours"},
		{"15900005620", "158****", "another"},
		{"1595620", "159****5620", "ours"},   // and stand for nothing
		{"159620", "159****9620", "another"}, // but no character counts twice
		{"a-b@example.com", "a-b@example.com", "ours"},
		{"a-b@example.com", "x-b@example.com", "another"}, // no country code
	} {
		t.Run(tt.name+" as "+tt.shown, func(t *testing.T) {
			create := &alipay.TradeCreate{TotalAmount: alipay.Money{Minor: 1, Currency: "CNY"}, BuyerLogonID: tt.name}
			if got := handle.Whose(create, alipay.Trade{TotalAmount: &create.TotalAmount, BuyerLogonID: tt.shown}); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What becomes of a create whose number has a trade already.
func TestATradeIsFound(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*testing.T, *desk) // after the first create
		change func(*order.Event)
		want   order.CallOutcome
		reason string
		letter bool
	}{
		{"paid meanwhile", func(t *testing.T, d *desk) { must(t, d.sim.Pay("o1")) }, func(*order.Event) {}, order.OutcomeApplied, "", false},
		{"closed", func(t *testing.T, d *desk) { must(t, d.sim.Do("o1", simulator.Step{Do: "close"})) }, func(*order.Event) {}, order.OutcomeRejected, "trade_closed", false},
		{"other content", func(*testing.T, *desk) {}, func(e *order.Event) { e.Subject = "ten kilograms of gold" }, order.OutcomeRejected, "conflict", false},
		{"another buyer by login name", func(t *testing.T, d *desk) { must(t, d.sim.Pay("o1")) },
			func(e *order.Event) { e.BuyerUserID, e.BuyerLogonID = "", "13899990000" }, order.OutcomeRejected, "conflict", false},
		{"a login name of another kind", func(t *testing.T, d *desk) { must(t, d.sim.Pay("o1")) },
			func(e *order.Event) { e.BuyerUserID, e.BuyerLogonID = "", "mallory@example.com" }, order.OutcomeExhausted, "undecided", true},
		{"a buyer that cannot be compared", func(t *testing.T, d *desk) { must(t, d.sim.Pay("o1")) },
			func(e *order.Event) { e.BuyerUserID, e.BuyerOpenID = "", "open-id-of-someone" }, order.OutcomeExhausted, "undecided", true},
		{"closed, and a buyer that cannot be compared", func(t *testing.T, d *desk) { must(t, d.sim.Do("o1", simulator.Step{Do: "close"})) },
			func(e *order.Event) { e.BuyerUserID, e.BuyerOpenID = "", "open-id-of-someone" }, order.OutcomeExhausted, "undecided", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.send(created("o1"))
				tt.before(t, d)
				ev := created("o1")
				ev.ID = "e2"
				tt.change(&ev)
				got := d.send(ev)
				if got.Outcome != tt.want || got.Reason != tt.reason || (got.dead != nil && got.dead["dead-reason"] == tt.reason) != tt.letter {
					t.Errorf("%s %q, dead letter %v; want %s %q", got.Outcome, got.Reason, got.dead, tt.want, tt.reason)
				}
				if n := d.sim.Tally("o1").Executions; n != 1 {
					t.Errorf("%d executions", n)
				}
			})
		})
	}
}

// Every exchange of an event is counted, queries after a lost answer included.
func TestEveryExchangeIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.CutBefore(simulator.TradeCreate).Times(100))
		got := d.send(created("o1"))
		requests := len(d.sim.Journal().Requests)
		if got.Outcome != order.OutcomeExhausted || got.Attempts != requests || got.dead["dead-attempts"] != itoa(requests) || got.FirstAttemptAt == nil {
			t.Errorf("%s: %d attempts, dead-attempts %s; the gateway saw %d", got.Outcome, got.Attempts, got.dead["dead-attempts"], requests)
		}
	})
}

func itoa(n int) string { return strconv.Itoa(n) }
