package consume_test

import (
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// New tenants count for the next event, and for the next attempt of one that waits; what was
// taken away is refused, also while the topic still lists it.
func TestTenantsAreReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newDesk(t, simulator.Refuse(simulator.TradeCreate, "ACQ.ACCESS_FORBIDDEN"))
		waiting, err := d.handler.Prepare(t.Context(), d.record(created("o1")))
		must(t, err)
		if _, err := waiting.Handle(t.Context()); alipay.ClassOf(err) != alipay.Misconfigured {
			t.Fatalf("err = %v", err)
		}
		skips := order.DefaultMapping().With(order.Row{Types: []order.EventType{order.TypeCreated}, Do: order.Skip, Word: "not_wanted"})
		account := func(app string) map[order.Account]*consume.Account {
			return map[order.Account]*consume.Account{"shop": consume.NewAccount(consume.Account{
				Name: "shop", App: app, Planner: order.NewPlanner(skips, order.Defaults{Channel: order.ChannelTrade}),
			}, func() *breaker.Call { return nil })}
		}
		inputs := map[string]consume.Input{"in": {Accounts: []order.Account{"shop", "kong"}, Default: "shop"}}
		d.handler.SetTenants(inputs, account("another"))
		if _, err := waiting.Handle(t.Context()); err != nil {
			t.Errorf("moved to another app: %v, want the old app's answer", err)
		}
		d.handler.SetTenants(inputs, account("main"))
		if got := d.send(created("o2")); got.skip != "not_wanted" {
			t.Errorf("the next event: %+v", got)
		}
		if out, err := waiting.Handle(t.Context()); out.Skip != "not_wanted" || err != nil {
			t.Errorf("an event that waits: %+v, %v", out, err)
		}
		if got := d.send(paidHK("o3", "e1", 0)); got.dead["dead-reason"] != "unknown_account" {
			t.Errorf("an account that is gone: %+v", got)
		}
		d.handler.SetTenants(map[string]consume.Input{"in": {Accounts: []order.Account{"kong"}, Default: "shop"}}, account("main"))
		if got := d.send(created("o4")); got.dead["dead-reason"] != "account_not_allowed" {
			t.Errorf("an account that the topic may not name any more: %+v", got)
		}
	})
}
