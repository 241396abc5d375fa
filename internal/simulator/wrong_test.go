package simulator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
)

// TestWrongPayments: genuinely signed notifications, and answers to queries, of payments that the
// order did not ask for.
func TestWrongPayments(t *testing.T) {
	seller := generated().app.App.SellerID
	for _, tt := range []struct {
		name string
		step simulator.Step
		want map[string]string // in the notification
		asks map[string]any    // in the answer to a query by order number
	}{
		{"as ordered", simulator.Step{Do: simulator.ActPay}, map[string]string{"total_amount": "88.88", "seller_id": seller, "trans_currency": ""}, map[string]any{"total_amount": "88.88", "trans_currency": nil}},
		{"amount", simulator.Step{Do: simulator.ActPay, Amount: 1}, map[string]string{"total_amount": "0.01", "buyer_pay_amount": "0.01", "seller_id": seller}, map[string]any{"total_amount": "0.01"}},
		{"seller", simulator.Step{Do: simulator.ActPay, Seller: "2088000000000666"}, map[string]string{"total_amount": "88.88", "seller_id": "2088000000000666"}, nil},
		{"currency", simulator.Step{Do: simulator.ActPay, Currency: "HKD"}, map[string]string{"total_amount": "88.88", "trans_currency": "HKD"}, map[string]any{"trans_currency": "HKD"}},
		{"second trade", simulator.Step{Do: simulator.ActPaySecond}, map[string]string{"out_trade_no": "o_1", "total_amount": "88.88"}, map[string]any{"trade_status": "TRADE_SUCCESS"}},
		{"foreign", simulator.Step{Do: simulator.ActForeign, Amount: 7}, map[string]string{"total_amount": "0.07", "seller_id": seller, "notify_type": "trade_status_sync"}, map[string]any{"trade_status": "WAIT_BUYER_PAY"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &receiver{answer: "success"}
			b := newHarness(t, simulator.Options{Client: r.client()})
			b.call("alipay.trade.create", order("o_1"), notified)
			first, _ := b.sim.Trade("o_1")
			if err := b.sim.Do("o_1", tt.step); err != nil {
				t.Fatal(err)
			}
			b.sim.Deliver(t.Context())
			if len(r.got) != 1 || !fits(r.got[0]) {
				t.Fatalf("notified of %v", r.got)
			}
			for name, want := range tt.want {
				if got := r.got[0].Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			answer := b.call("alipay.trade.query", map[string]any{"out_trade_no": "o_1"}, nil).fields
			for name, want := range tt.asks {
				if answer[name] != want {
					t.Errorf("the query has %s = %v, want %v", name, answer[name], want)
				}
			}
			another := tt.step.Do != simulator.ActPay
			if is := r.got[0].Get("trade_no") != first.TradeNo; is != another {
				t.Errorf("another trade number: %v, want %v", is, another)
			}
			if is := r.got[0].Get("out_trade_no") != "o_1"; is != (tt.step.Do == simulator.ActForeign) {
				t.Errorf("order %q", r.got[0].Get("out_trade_no"))
			}
			if got, _ := b.sim.Trade(first.TradeNo); another && got.Status != simulator.WaitBuyerPay {
				t.Errorf("the first trade is %s", got.Status)
			}
			if n := len(b.sim.Journal().Executions); n != 1 {
				t.Errorf("%d executions, want the create's", n)
			}
		})
	}
}

// TestWrongSteps: only payments have a seller and a currency.
func TestWrongSteps(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	b.call("alipay.trade.create", order("o_1"), nil)
	for _, step := range []simulator.Step{
		{Do: "earthquake"}, {Do: simulator.ActClose, Seller: "1"}, {Do: simulator.ActFinish, Currency: "HKD"},
		{Do: simulator.ActPay, Amount: -1}, {Do: simulator.ActPay, Amount: 1 << 60},
	} {
		if b.sim.Do("o_1", step) == nil {
			t.Errorf("%+v was accepted", step)
		}
		if b.sim.AddTrade(simulator.Trade{OutTradeNo: "o_2", Total: 1, Script: []simulator.Step{step}}) == nil {
			t.Errorf("a trade with %+v was accepted", step)
		}
	}
	if err := b.sim.Do("o_1", simulator.Step{Do: simulator.ActForeign}); err != nil {
		t.Fatal(err)
	}
	if b.sim.Do("o_1", simulator.Step{Do: simulator.ActForeign}) == nil {
		t.Error("the same foreign order was paid twice")
	}
}

// TestSharesOfBuyers: the seed chooses who pays wrongly, whatever the order of the creates.
func TestSharesOfBuyers(t *testing.T) {
	wrong := func(seed uint64, orders []int) (out []string) {
		b := newHarness(t, simulator.Options{Seed: seed, Buyers: []simulator.Buyer{
			{Share: 0.25, Steps: []simulator.Step{{Do: simulator.ActPay, Amount: 1}}}, {Steps: []simulator.Step{{Do: simulator.ActPay}}},
		}})
		for _, i := range orders {
			b.call("alipay.trade.create", order(fmt.Sprint("o_", i)), nil)
		}
		for _, trade := range b.sim.Trades() {
			if trade.Status != simulator.TradeSuccess {
				t.Errorf("%s is %s", trade.OutTradeNo, trade.Status)
			}
			if trade.Total == 1 {
				out = append(out, trade.OutTradeNo)
			}
		}
		slices.Sort(out)
		return out
	}
	up, down := []int{}, []int{}
	for i := range 60 {
		up, down = append(up, i), append(down, 59-i)
	}
	one := wrong(1, up)
	if len(one) < 5 || len(one) > 28 || !slices.Equal(one, wrong(1, down)) || slices.Equal(one, wrong(2, up)) {
		t.Errorf("wrong: %q", one)
	}
	if _, err := simulator.New(simulator.Options{Buyers: []simulator.Buyer{{Share: 1.5}}}); err == nil {
		t.Error("a share of 1.5 was accepted")
	}
}

// TestPartialRefundsAreNotified: with the total so far, and as TRADE_SUCCESS until nothing is left.
func TestPartialRefundsAreNotified(t *testing.T) {
	r := &receiver{answer: "success"}
	b := newHarness(t, simulator.Options{Client: r.client(), Notify: []simulator.TradeStatus{simulator.TradeSuccess, simulator.TradeClosed}, Buyers: []simulator.Buyer{{Steps: []simulator.Step{
		{Do: simulator.ActPay}, {After: time.Second, Do: simulator.ActRefund, Amount: 888}, {After: time.Second, Do: simulator.ActRefund, Amount: 1000}, {After: time.Second, Do: simulator.ActRefund},
	}}}})
	b.call("alipay.trade.create", order("o_1"), notified)
	b.sim.Advance(time.Minute)
	b.sim.Deliver(t.Context())
	var got []string
	for _, n := range r.got {
		got = append(got, n.Get("trade_status")+" "+n.Get("refund_fee"))
	}
	if want := []string{"TRADE_SUCCESS ", "TRADE_SUCCESS 8.88", "TRADE_SUCCESS 18.88", "TRADE_CLOSED 88.88"}; !slices.Equal(got, want) {
		t.Errorf("notified of %q, want %q", got, want)
	}
}

// TestStateKeepsSecondTrades: both trades of an order survive a restart, and so does which one its
// number finds.
func TestStateKeepsSecondTrades(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	b.call("alipay.trade.create", order("o_1"), notified)
	first, _ := b.sim.Trade("o_1")
	if err := b.sim.Do("o_1", simulator.Step{Do: simulator.ActPaySecond}); err != nil {
		t.Fatal(err)
	}
	second, _ := b.sim.Trade("o_1")
	var file bytes.Buffer
	if err := b.sim.Save(&file); err != nil {
		t.Fatal(err)
	}
	after := newHarness(t, simulator.Options{})
	if err := after.sim.Restore(&file); err != nil {
		t.Fatal(err)
	}
	got, _ := after.sim.Trade("o_1")
	old, _ := after.sim.Trade(first.TradeNo)
	if got.TradeNo != second.TradeNo || got.Status != simulator.TradeSuccess || old.Status != simulator.WaitBuyerPay || len(after.sim.Trades()) != 2 {
		t.Errorf("after: %+v and %+v", got, old)
	}
}

// TestNotificationFaults: they act on notifications of trades; bad ones are refused at the start.
func TestNotificationFaults(t *testing.T) {
	r := &receiver{answer: "success"}
	b := newHarness(t, simulator.Options{Client: r.client(), Notifications: outbox.Options{Faults: []outbox.Fault{{Kind: outbox.Lost, Order: "o_1"}}}})
	for _, no := range []string{"o_1", "o_2", "o_3"} {
		b.call("alipay.trade.create", order(no), notified)
		if err := b.sim.Pay(no); err != nil {
			t.Fatal(err)
		}
		b.sim.AddNotificationFault(outbox.Fault{Kind: outbox.RSA, Order: "o_2"})
		b.sim.AddNotificationFault(outbox.Fault{Kind: outbox.RSA, Order: "o_3"})
		if no == "o_2" {
			b.sim.ClearNotificationFaults()
		}
	}
	b.sim.Deliver(t.Context())
	if len(r.got) != 2 || r.got[0].Get("sign_type") != "RSA" || r.got[1].Get("sign_type") != "RSA2" || !fits(r.got[1]) {
		t.Errorf("notified of %v", r.got)
	}
	for _, o := range []outbox.Options{{Faults: []outbox.Fault{{Kind: "earthquake"}}}, {Keep: -1}, {Senders: -1}} {
		if _, err := simulator.New(simulator.Options{Notifications: o}); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// TestAddedTradesHaveBuyers: their steps come at their times after the trade was made.
func TestAddedTradesHaveBuyers(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	if err := b.sim.AddTrade(simulator.Trade{OutTradeNo: "o_1", Total: 1, Script: []simulator.Step{{After: time.Hour, Do: simulator.ActPay}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []simulator.TradeStatus{simulator.WaitBuyerPay, simulator.TradeSuccess} {
		b.sim.Advance(30 * time.Minute)
		if got, _ := b.sim.Trade("o_1"); got.Status != want {
			t.Errorf("%s, want %s", got.Status, want)
		}
	}
}

// stubborn answers a second after it was asked, whatever becomes of the sender.
type stubborn struct{ done bool }

func (s *stubborn) RoundTrip(*http.Request) (*http.Response, error) {
	time.Sleep(time.Second)
	s.done = true
	return nil, errors.New("too late")
}

// TestRunWaitsForItsDeliveries: nothing runs any more when it returns.
func TestRunWaitsForItsDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &stubborn{}
		b := newHarness(t, simulator.Options{Client: &http.Client{Transport: r}, Now: time.Now})
		b.call("alipay.trade.create", order("o_1"), notified)
		if err := b.sim.Pay("o_1"); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, stop)
		if err := b.sim.Run(ctx); err != nil || !r.done {
			t.Errorf("Run returned %v during a delivery", err)
		}
	})
}

// TestBadStates: a state file with the same trade twice is refused.
func TestBadStates(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	trade := fmt.Sprintf(`{"app": %q, "out_trade_no": "o_1", "trade_no": "n_1", "status": "WAIT_BUYER_PAY", "total": "1.00"}`, appID)
	if err := b.sim.Restore(strings.NewReader(`{"version": 1, "trades": [` + trade + `]}`)); err != nil {
		t.Fatal(err)
	}
	if err := b.sim.Restore(strings.NewReader(`{"version": 1, "trades": [` + trade + "," + trade + `]}`)); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("err = %v", err)
	}
}

// TestCreatesWakeRun: a buyer of a trade that is created while Run has nothing to do acts at his time, and the merchant is
// notified at once.
func TestCreatesWakeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: "success"}
		b := newHarness(t, simulator.Options{Client: r.client(), Now: time.Now, Buyers: []simulator.Buyer{{Steps: []simulator.Step{{After: time.Second, Do: simulator.ActPay}}}}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.sim.Run(ctx) }()
		synctest.Wait()
		b.call("alipay.trade.create", order("o_1"), notified)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(r.got) != 1 {
			t.Errorf("%d notifications after two seconds, want one", len(r.got))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
