package simulator_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// TestStateSurvives: a new simulator with the state of an old one continues where that one stopped.
func TestStateSurvives(t *testing.T) {
	r := &receiver{answer: "fail"}
	options := simulator.Options{
		Client: r.client(),
		Buyers: []simulator.Buyer{{Order: "o_", Steps: []simulator.Step{{After: time.Hour, Do: simulator.ActPay}}}},
	}
	old := newHarness(t, options)
	old.sim.Advance(time.Minute)
	first := old.call("alipay.trade.create", order("o_1"), notified)
	old.call("alipay.trade.create", order("p_1"), notified)
	if err := old.sim.Pay("p_1"); err != nil {
		t.Fatal(err)
	}
	old.sim.Deliver(t.Context())
	hk := old.hk(hkBody("m_1", old.now))
	var file bytes.Buffer
	if err := old.sim.Save(&file); err != nil {
		t.Fatal(err)
	}

	b := newHarness(t, options)
	if err := b.sim.Restore(&file); err != nil {
		t.Fatal(err)
	}
	if got := b.call("alipay.trade.create", order("o_1"), nil); got.code != "10000" || got.fields["trade_no"] != first.fields["trade_no"] {
		t.Errorf("repeated create: %+v", got)
	}
	if got := b.hk(hkBody("m_1", b.now)); got.orderID != hk.orderID || b.sim.Tally("m_1").Executions != 0 {
		t.Errorf("repeated update: %+v, %+v", got, b.sim.Tally("m_1"))
	}
	b.sim.Advance(4 * time.Minute)
	b.sim.Deliver(t.Context())
	if len(r.got) != 2 || r.got[1].Get("notify_id") != r.got[0].Get("notify_id") || !fits(r.got[1]) {
		t.Errorf("notifications: %v", r.got)
	}
	b.sim.Advance(time.Hour)
	if got, _ := b.sim.Trade("o_1"); got.Status != simulator.TradeSuccess {
		t.Errorf("the buyer did not pay: %+v", got)
	}
	if err := b.sim.Restore(strings.NewReader(`{"version":0}`)); err == nil {
		t.Error("a state of another version was accepted")
	}
}
