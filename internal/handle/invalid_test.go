package handle_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/sight"
)

// A character that the app's charset lacks can never be sent: nothing was, so it is not a refusal of Alipay's.
func TestACharacterThatTheCharsetLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		app, err := appKeys()
		must(t, err)
		gbk, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{
			URL: "http://sim", AppID: app.App.ID, Signer: keys.NewRSASigner(app.MerchantKey), AlipayKey: &app.App.SigningKey.PublicKey, Charset: alipay.CharsetGBK,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nothing may be sent") },
		})
		must(t, err)
		guard := breaker.New(breaker.Options{Consecutive: 1})
		d.options.Accounts["shop"] = handle.NewAccount(handle.Account{Name: "shop", App: "main", AttemptTimeout: attemptTimeout,
			Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.ChannelTrade})},
			func() sight.Call { return sight.Call{Call: guard.Call(gbk.Client(alipay.Merchant{}))} })
		d.handler = handle.NewHandler(d.options)
		ev := created("o1")
		ev.Subject = "tea \U0001f375"
		got := d.send(ev)
		if got.Outcome != order.OutcomeInvalid || got.ResolvedBy != order.ResolvedByNone || got.Reason != "invalid" || got.Attempts != 0 || got.CallClass != order.ClassNone {
			t.Errorf("%s by %s, reason %q, %d attempts, class %s", got.Outcome, got.ResolvedBy, got.Reason, got.Attempts, got.CallClass)
		}
		if got.dead["dead-reason"] != "invalid" || got.dead["dead-attempts"] != "0" || got.dead["dead-error"] == "" {
			t.Errorf("dead letter %v", got.dead)
		}
	})
}

// A topic of queries takes queries alone: its pipeline keeps no order with the calls for the same order number.
func TestATopicOfQueriesTakesQueriesOnly(t *testing.T) {
	for typ, want := range map[order.EventType]string{
		order.TypeQueryRequested: "", order.TypeCreated: "invalid", order.TypeCancelled: "invalid", order.TypeShipped: "invalid", order.TypeUnknown: "unknown_type",
	} {
		t.Run(string(typ), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.send(created("o1"))
				d.options.Inputs = map[string]handle.TopicAccounts{"in": {Accounts: []order.Account{"shop"}, Default: "shop", QueriesOnly: true}}
				d.handler = handle.NewHandler(d.options)
				before := len(d.sim.Journal().Requests)
				ev := created("o1")
				ev.ID, ev.Type = "e2", typ
				got := d.send(ev)
				if got.Reason != want || got.dead["dead-reason"] != want || (want == "") != (got.Outcome == order.OutcomeApplied) {
					t.Errorf("%s %q, dead letter %v", got.Outcome, got.Reason, got.dead)
				}
				if n := len(d.sim.Journal().Requests) - before; (n > 0) != (want == "") {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

// shownTrade loses the create and then shows a trade.
type shownTrade struct {
	body  string
	calls int
}

func (f *shownTrade) Do(_ context.Context, r alipay.Request) (alipay.Reply, error) {
	f.calls++
	rep := alipay.Reply{Method: r.Method(), Attempts: f.calls, FirstAttemptAt: time.Now(), LastAttemptAt: time.Now()}
	if r.Method() == alipay.MethodTradeCreate {
		return rep, &alipay.Error{Method: r.Method(), Class: alipay.Ambiguous}
	}
	rep.Code, rep.Verified, rep.Body = "10000", true, json.RawMessage(f.body)
	return rep, nil
}
func (f *shownTrade) Exhausted() bool  { return false }
func (f *shownTrade) Until(time.Time)  {}
func (f *shownTrade) Look() look.Facts { return look.Facts{} }

// An amount that is missing or cannot be read exactly is unknown: it is asked for again, and then a person decides.
func TestAnAmountThatCannotBeReadIsNoConflict(t *testing.T) {
	const rest = `"code":"10000","msg":"Success","out_trade_no":"o1","trade_no":"t1","trade_status":"TRADE_SUCCESS","buyer_user_id":"2088102146225135"`
	for name, body := range map[string]string{
		"absent":                        `{` + rest + `}`,
		"null":                          `{` + rest + `,"total_amount":null}`,
		"empty":                         `{` + rest + `,"total_amount":""}`,
		"a comma":                       `{` + rest + `,"total_amount":"88,88"}`,
		"in words":                      `{` + rest + `,"total_amount":"eighty"}`,
		"an exponent":                   `{` + rest + `,"total_amount":8888e-2}`,
		"finer than a fen":              `{` + rest + `,"total_amount":"88.881"}`,
		"a currency that is a number":   `{` + rest + `,"total_amount":"88.88","trans_currency":"1.2"}`,
		"a currency that no page lists": `{` + rest + `,"total_amount":"88.88","trans_currency":"XXX"}`,
		"withheld":                      ``,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				call := &shownTrade{body: body}
				d.options.Accounts["shop"] = handle.NewAccount(handle.Account{Name: "shop", App: "main", AttemptTimeout: time.Second,
					Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.ChannelTrade})}, func() *shownTrade { return call })
				d.handler = handle.NewHandler(d.options)
				got := d.send(created("o1"))
				if got.Outcome != order.OutcomeExhausted || got.Reason != "undecided" || got.dead["dead-reason"] != "undecided" || call.calls != 4 {
					t.Errorf("%s %q, dead letter %v after %d calls", got.Outcome, got.Reason, got.dead, call.calls)
				}
			})
		})
	}
}
