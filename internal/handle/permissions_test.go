package handle_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/sight"
	"alipay-kafka-bridge/internal/simulator"
)

// New tenants count for the next event, and for the next attempt of one that waits; what was
// taken away is refused, also while the topic still lists it.
func TestPermissionsAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Refuse(simulator.TradeCreate, "ACQ.ACCESS_FORBIDDEN"))
		in := consume.Input{Record: d.record(created("o1"))}
		waiting, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		if _, err := waiting.Handle(t.Context(), in); alipay.ClassOf(err) != alipay.Misconfigured {
			t.Fatalf("err = %v", err)
		}
		inputs := map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{"shop", "kong"}, Default: "shop"}}
		skips := shopWith(order.Row{Types: []order.EventType{order.TypeCreated}, Do: order.Skip, Word: "not_wanted"})
		d.handler.SetPermissions(inputs, skips)
		if got := d.send(created("o2")); got.skip != "not_wanted" {
			t.Errorf("the next event: %+v", got)
		}
		if out, err := waiting.Handle(t.Context(), in); out.Skip != "not_wanted" || err != nil {
			t.Errorf("an event that waits: %+v, %v", out, err)
		}
		if got := d.send(paidHK("o3", "e1", 0)); got.dead["dead-reason"] != "unknown_account" {
			t.Errorf("an account that is gone: %+v", got)
		}
		d.handler.SetPermissions(map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{"kong"}, Default: "shop"}}, skips)
		if got := d.send(created("o4")); got.dead["dead-reason"] != "account_not_allowed" {
			t.Errorf("an account that the topic may not name any more: %+v", got)
		}
	})
}

// shopWith is account shop alone, with one more row in its mapping.
func shopWith(row order.Row) map[order.Account]*handle.Account {
	return map[order.Account]*handle.Account{"shop": handle.NewAccount(handle.Account{
		Name: "shop", App: "main", AttemptTimeout: attemptTimeout,
		Planner: order.NewPlanner(order.DefaultMapping().With(row), order.Defaults{Channel: order.ChannelTrade, StoreID: "new"}),
	}, func() sight.Call { return sight.Call{Call: new(breaker.Call)} })}
}

// What an event's topic may name when its handling begins counts, not what it could when it
// was read.
func TestWithdrawnBeforeTheFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		in := consume.Input{Record: d.record(created("o1"))}
		waiting, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		d.handler.SetPermissions(map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{"kong"}}}, nil)
		out, err := waiting.Handle(t.Context(), in)
		if n := d.sim.Tally("o1").Requests; n != 0 || err != nil || len(out.Records) != 2 {
			t.Errorf("%d requests, %d records, %v; want a result and a dead letter", n, len(out.Records), err)
		}
	})
}

// A create in doubt is resolved as it was sent, even if the settings changed meanwhile: it may
// have made a trade. Sent again, it is the same bytes.
func TestACreateInDoubtKeepsItsRequest(t *testing.T) {
	noQuery := simulator.Refuse(simulator.TradeQuery, "isv.insufficient-isv-permissions").WithCode("40006")
	for name, tt := range map[string]struct {
		row      order.Row
		lost     simulator.Fault
		requests int
	}{
		"skipped now, and done":     {order.Row{Types: []order.EventType{order.TypeCreated}, Do: order.Skip, Word: "not_wanted"}, simulator.CutAfter(simulator.TradeCreate), 1},
		"a query now, and done":     {order.Row{Types: []order.EventType{order.TypeCreated}, Do: order.Query}, simulator.CutAfter(simulator.TradeCreate), 1},
		"other store, and not done": {order.Row{Types: []order.EventType{order.TypeShipped}, Do: order.Skip, Word: "not_wanted"}, simulator.CutBefore(simulator.TradeCreate), 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, tt.lost, noQuery)
				in := consume.Input{Record: d.record(created("o1"))}
				waiting, err := d.handler.Prepare(t.Context(), in)
				must(t, err)
				if _, err := waiting.Handle(t.Context(), in); alipay.ClassOf(err) != alipay.Misconfigured {
					t.Fatalf("err = %v", err)
				}
				d.handler.SetPermissions(map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{"shop"}, Default: "shop"}}, shopWith(tt.row))
				out, err := waiting.Handle(t.Context(), in)
				must(t, err)
				if len(out.Records) < 2 || out.Records[0].Topic != "results" || out.Skip != "" {
					t.Errorf("%d records, skip %q", len(out.Records), out.Skip)
				}
				contents := map[simulator.Digest]bool{}
				creates := 0
				for _, r := range d.sim.Journal().Requests {
					if r.Method == simulator.TradeCreate {
						creates++
						contents[r.Content] = true
					}
				}
				if n := d.sim.Tally("o1").Executions; n != 1 || creates != tt.requests || len(contents) != 1 {
					t.Errorf("%d executions, %d creates of %d contents", n, creates, len(contents))
				}
			})
		})
	}
}

// The settings are replaced as a whole: no event sees the topic's old default account and the
// new list.
func TestPermissionsAreReadAtOnce(t *testing.T) {
	d := newDesk(t)
	in := consume.Input{Record: d.record(created("o1"))}
	set := func(name order.Account) {
		d.handler.SetPermissions(map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{name}, Default: name}},
			map[order.Account]*handle.Account{name: {Name: name, App: "main", Planner: new(order.Planner)}})
	}
	set("shop")
	ctx, stop := context.WithCancel(t.Context())
	var setting sync.WaitGroup
	setting.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			set([]order.Account{"shop", "other"}[i%2])
		}
	})
	for range 20_000 {
		if task, err := d.handler.Prepare(t.Context(), in); err != nil || task.Pool.App == "" {
			t.Errorf("refused: %v", err)
			break
		}
	}
	stop()
	setting.Wait()
}
