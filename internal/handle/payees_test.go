package handle_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

// stranger is a receiver that the accounts without a policy do not allow.
const stranger = "2088102146225136"

// naming are events that name a receiver, or a member of a JSON text that may.
var naming = []struct {
	name string
	hk   bool
	set  func(*order.Event)
	want string // for an account without a policy; empty: nothing is named
	typ  order.EventType
}{
	{name: "nothing", set: func(*order.Event) {}},
	{name: "seller_id", set: func(e *order.Event) { e.SellerID = stranger }, want: "payee_not_allowed"},
	{name: "sub_merchant_id", set: func(e *order.Event) { e.SubMerchantID = stranger }, want: "payee_not_allowed"},
	{name: "extend_params.sys_service_provider_id", set: func(e *order.Event) { e.ExtendParams = &order.ExtendParams{SysServiceProviderID: stranger} }, want: "payee_not_allowed"},
	{name: "settlements.trans_in", set: func(e *order.Event) {
		e.Settlements = []order.Settlement{{TransInType: "userId", TransIn: stranger}}
	}, want: "payee_not_allowed"},
	{name: "settlements.settle_entity_id", set: func(e *order.Event) {
		e.Settlements = []order.Settlement{{TransInType: "defaultSettle", SettleEntityID: stranger, SettleEntityType: "SecondMerchant"}}
	}, want: "payee_not_allowed"},
	{name: "org_pid", set: func(e *order.Event) { e.OrgPID = stranger }, want: "payee_not_allowed", typ: order.TypeQueryRequested},
	{name: "merchant_id", hk: true, set: func(e *order.Event) { e.MerchantID = stranger }, want: "payee_not_allowed"},
	{name: "nothing at AlipayHK", hk: true, set: func(*order.Event) {}},
	{name: "extra_json memo", set: func(e *order.Event) { e.ExtraJSON = `{"memo":"m"}` }, want: "invalid"},
	{name: "extra_json royalty_info", set: func(e *order.Event) { e.ExtraJSON = `{"royalty_info":{"royalty_type":"ROYALTY"}}` }, want: "invalid"},
	{name: "extra_json agreement_sign_params", set: func(e *order.Event) { e.ExtraJSON = `{"agreement_sign_params":{"a":"b"}}` }, want: "invalid"},
	{name: "extra_json memo that pays", set: func(e *order.Event) { e.ExtraJSON = `{"memo":{"royaltyInfo":[]}}` }, want: "invalid"},
	{name: "extra_json of an item", set: func(e *order.Event) {
		e.Items = []order.Item{{GoodsID: "g", Name: "tea", Quantity: 1, Price: yuan(8888), ExtraJSON: `{"royalty_info":{}}`}}
	}, want: "invalid"},
	{name: "extra_json of extend_params", set: func(e *order.Event) { e.ExtendParams = &order.ExtendParams{ExtraJSON: `{"royalty_info":{}}`} }, want: "invalid"},
	{name: "extra_json of a settlement", set: func(e *order.Event) {
		e.Settlements = []order.Settlement{{TransInType: "defaultSettle", ExtraJSON: `{"royalty_info":{}}`}}
	}, want: "invalid"},
}

// TestK1K2C7_RefusedEventsReachNobody: every input topic with every account and every way to
// name a receiver. The simulator's journal is the witness: what is refused was never sent.
func TestK1K2C7_RefusedEventsReachNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.withPayees()
		topics := map[string][]order.Account{"in": {"shop", "kong"}, "listed": {"listed", "kong-listed"}, "queries": {"shop"}}
		rows, sent := 0, 0
		for topic, may := range topics {
			for _, account := range []order.Account{"shop", "other", "listed", "kong", "kong-listed", "nobody"} {
				for _, n := range naming {
					if n.hk != (account == "kong" || account == "kong-listed") && account != "nobody" {
						continue
					}
					rows++
					want := n.want
					switch {
					case account == "nobody":
						want = "unknown_account"
					case !slices.Contains(may, account):
						want = "account_not_allowed"
					case account == "listed" || account == "kong-listed":
						want = ""
					}
					no := fmt.Sprint("row_", rows)
					ev := created(no)
					if n.hk {
						ev = paidHK(no, "e"+no, 0)
					}
					if n.typ != "" {
						ev.Type = n.typ
					}
					n.set(&ev)
					ev.Account = account
					record := d.record(ev)
					record.Topic = topic
					got := d.handle(t.Context(), record)
					tally := d.sim.Tally(no)
					if reached := tally.Requests + tally.Queries; (reached > 0) != (want == "") || want != "" && tally.Executions > 0 {
						t.Errorf("%s, account %s, %s: %d requests, %d executions, want refused %q (%s)", topic, account, n.name, reached, tally.Executions, want, got.Reason)
					}
					if want != "" && (got.Reason != want || got.dead["dead-reason"] != want || got.Outcome != order.OutcomeInvalid) {
						t.Errorf("%s, account %s, %s: %s %s, want %s", topic, account, n.name, got.Outcome, got.Reason, want)
					}
					if want == "" {
						sent++
					}
				}
			}
		}
		if journal := d.sim.Journal(); len(journal.Requests) < sent || sent < 10 || rows < 150 {
			t.Errorf("%d rows, %d to be sent, %d requests in the journal", rows, sent, len(journal.Requests))
		}
	})
}

// withPayees gives the desk three input topics, and accounts whose policies allow stranger.
func (d *desk) withPayees() {
	payees := order.Payees{}
	for _, field := range order.PayeeFields() {
		payees[field] = []string{stranger}
	}
	allowing := func(as order.Account, ch order.Channel) *handle.Account {
		a := *d.options.Accounts[as]
		a.Name += "-listed"
		a.Planner = order.NewPlanner(order.DefaultMapping(), order.Defaults{
			Channel: ch, Payees: payees, ExtraNames: []string{"memo", "royalty_info", "agreement_sign_params"}, ExtraMoney: true,
		})
		return &a
	}
	o := d.options
	o.Accounts["listed"], o.Accounts["kong-listed"] = allowing("shop", order.ChannelTrade), allowing("kong", order.ChannelHK)
	o.Inputs = map[string]handle.TopicAccounts{
		"in": {Accounts: []order.Account{"shop", "kong"}}, "listed": {Accounts: []order.Account{"listed", "kong-listed"}}, "queries": {Accounts: []order.Account{"shop"}},
	}
	o.Encoder = records.NewEncoder(d.codec, records.Topics{
		Results: "results", Snapshots: "snapshots", Observations: "observations", Journal: "journal",
		DeadLetters: map[string]string{"in": "in.dlq", "listed": "in.dlq", "queries": "in.dlq"},
	}, nil)
	d.handler = handle.NewHandler(o)
}
