package order_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

const (
	createCall = "alipay.trade.create"
	queryCall  = "alipay.trade.query"
	syncCall   = "alipay.trade.orderinfo.sync"
	hkCall     = "alipayhk.merchant.order.sync"
	koubeiCall = "koubei.trade.itemorder.query"
)

// wantByDefault is DESIGN.md, "Mapping", for the events of [event]: HK and CREDIT with a
// trade number, KOUBEI with its number, CREDIT without biz_type. What is not listed is
// skipped as unmapped.
var wantByDefault = map[order.Channel]map[order.EventType]string{
	order.ChannelTrade: {
		order.TypeCreated: createCall, order.TypeCancelled: queryCall, order.TypeExpired: queryCall,
		order.TypePartiallyRefunded: queryCall, order.TypeRefunded: queryCall, order.TypeQueryRequested: queryCall,
	},
	order.ChannelCredit: {
		order.TypeQueryRequested: queryCall, order.TypeSettledElsewhere: "invalid biz_type", order.TypeChargeWithdrawn: "invalid biz_type",
		order.TypeCompleted: "skip no_biz_type", order.TypeCancelled: "skip no_biz_type",
	},
	order.ChannelHK: {
		order.TypeCreated: hkCall + " WAIT_PAY", order.TypePaid: hkCall + " PAID", order.TypeAccepted: hkCall + " ORDER_TAKEN",
		order.TypePreparing: hkCall + " ORDER_TAKEN", order.TypeShipped: hkCall + " IN_DELIVERY", order.TypeReady: hkCall + " TO_PICK_UP",
		order.TypeCompleted: hkCall + " FINISHED", order.TypeCancelled: hkCall + " CLOSED", order.TypeExpired: hkCall + " CLOSED",
		order.TypeRefunded: hkCall + " REFUNDED", order.TypePartiallyRefunded: "skip partial_refund",
		order.TypeDelivered: "skip not_terminal", order.TypeAmended: "skip no_status", order.TypeStatusChanged: "skip no_status",
		order.TypeQueryRequested: "skip no_query_api",
	},
	order.ChannelKoubei: {
		order.TypeQueryRequested: koubeiCall, order.TypePaid: koubeiCall, order.TypeCompleted: koubeiCall,
		order.TypeCancelled: koubeiCall, order.TypeRefunded: koubeiCall,
	},
}

func TestDefaultMapping(t *testing.T) {
	p := planner(order.Defaults{})
	for channel, byType := range wantByDefault {
		for _, typ := range order.EventTypes() {
			want := byType[typ]
			switch {
			case typ == order.TypeUnknown:
				want = "unknown_type event_type"
			case want == "":
				want = "skip unmapped"
			}
			if got := verdict(p.Plan(event(channel, typ))); got != want {
				t.Errorf("%s %s: got %q, want %q", channel, typ, got, want)
			}
		}
	}
}

func TestMappingByWhatTheEventCarries(t *testing.T) {
	const given = `{"status":"CLOSED","memo":1}`
	for _, tt := range []struct {
		name    string
		channel order.Channel
		typ     order.EventType
		change  func(*order.Event)
		want    string
	}{
		{"credit, both given: as given, for any type", order.ChannelCredit, order.TypePaid,
			func(e *order.Event) { e.BizType, e.OrderBizInfoJSON = "CREDIT_AUTH", given }, syncCall + " " + given},
		{"credit, a query stays a query", order.ChannelCredit, order.TypeQueryRequested,
			func(e *order.Event) { e.BizType, e.OrderBizInfoJSON = "CREDIT_AUTH", given }, queryCall},
		{"credit, settled elsewhere", order.ChannelCredit, order.TypeSettledElsewhere,
			func(e *order.Event) { e.BizType = "CREDIT_DEDUCT" }, syncCall + ` {"status":"COMPLETE"}`},
		{"credit, charge withdrawn", order.ChannelCredit, order.TypeChargeWithdrawn,
			func(e *order.Event) { e.BizType = "CREDIT_DEDUCT" }, syncCall + ` {"status":"CLOSED"}`},
		{"credit, completed with biz_type", order.ChannelCredit, order.TypeCompleted,
			func(e *order.Event) { e.BizType = "CREDIT_AUTH" }, syncCall + ` {"status":"COMPLETE"}`},
		{"credit, cancelled with biz_type", order.ChannelCredit, order.TypeCancelled,
			func(e *order.Event) { e.BizType = "CREDIT_AUTH" }, syncCall + ` {"status":"CLOSED"}`},
		{"credit, no trade number", order.ChannelCredit, order.TypeSettledElsewhere,
			func(e *order.Event) { e.BizType, e.TradeNo = "CREDIT_AUTH", "" }, "invalid trade_no"},
		{"credit, a word that writes a negative record", order.ChannelCredit, order.TypeOverdue,
			func(e *order.Event) { e.BizType, e.OrderBizInfoJSON = "CREDIT_AUTH", `{"status":"VIOLATED"}` }, "invalid order_biz_info"},
		{"hk, created before any trade", order.ChannelHK, order.TypeCreated, noTradeNo, "skip no_trade_no"},
		{"hk, payment failed before any trade", order.ChannelHK, order.TypePaymentFailed, noTradeNo, "skip no_trade_no"},
		{"hk, cancelled before any trade", order.ChannelHK, order.TypeCancelled, noTradeNo, "skip no_trade_no"},
		{"hk, expired before any trade", order.ChannelHK, order.TypeExpired, noTradeNo, "skip no_trade_no"},
		{"hk, paid without a trade", order.ChannelHK, order.TypePaid, noTradeNo, "invalid trade_no"},
		{"hk, the merchant's own word wins", order.ChannelHK, order.TypePaid,
			func(e *order.Event) { e.Status = "COOKING" }, hkCall + " COOKING"},
		{"hk, a change with a word", order.ChannelHK, order.TypeStatusChanged,
			func(e *order.Event) { e.Status = "COOKING" }, hkCall + " COOKING"},
		{"hk, refunded in full", order.ChannelHK, order.TypeRefunded,
			func(e *order.Event) { e.Refunded = hkd(10800) }, hkCall + " REFUNDED"},
		{"hk, refunded in part", order.ChannelHK, order.TypeRefunded,
			func(e *order.Event) { e.Refunded = hkd(10799) }, "skip partial_refund"},
		{"hk, refunded in another currency", order.ChannelHK, order.TypeRefunded,
			func(e *order.Event) { e.Refunded = cny(10800) }, "skip partial_refund"},
		{"hk, not known when it began", order.ChannelHK, order.TypePaid,
			func(e *order.Event) { e.OrderCreatedAt = nil }, "invalid order_created_at"},
		{"koubei, asked without number", order.ChannelKoubei, order.TypeQueryRequested, noKoubeiNo, "invalid koubei_order_no"},
		{"koubei, paid without number", order.ChannelKoubei, order.TypePaid, noKoubeiNo, "skip unmapped"},
		{"an unknown channel", order.ChannelUnknown, order.TypeCreated, nil, "unknown_type channel"},
		{"the account's channel, which has none", order.ChannelAccount, order.TypeCreated, nil, "unknown_type channel"},
		{"no event id", order.ChannelTrade, order.TypeCreated, func(e *order.Event) { e.ID = "" }, "invalid event_id"},
		{"an endless event id", order.ChannelTrade, order.TypeCreated,
			func(e *order.Event) { e.ID = order.EventID(strings.Repeat("x", 65)) }, "invalid event_id"},
		{"no order number", order.ChannelKoubei, order.TypePaid, func(e *order.Event) { e.OrderNo = " " }, "invalid order_no"},
		{"no time", order.ChannelTrade, order.TypeCancelled, func(e *order.Event) { e.OccurredAt = time.Time{} }, "invalid occurred_at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(tt.channel, tt.typ)
			if tt.change != nil {
				tt.change(&e)
			}
			if got := verdict(planner(order.Defaults{}).Plan(e)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func noTradeNo(e *order.Event)  { e.TradeNo = "" }
func noKoubeiNo(e *order.Event) { e.KoubeiOrderNo = "" }

func TestAccountsOwnRowsComeFirst(t *testing.T) {
	credit := order.Row{Channels: []order.Channel{order.ChannelCredit}, Types: []order.EventType{order.TypeCreated}, Do: order.Create}
	delivered := order.Row{Channels: []order.Channel{order.ChannelHK}, Types: []order.EventType{order.TypeDelivered}, Do: order.HKSync, Word: "FINISHED"}
	unknown := order.Row{Channels: []order.Channel{order.ChannelTrade}, Do: order.Create}
	m := order.DefaultMapping().With(credit, delivered, unknown)
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	p := order.NewPlanner(m, order.Defaults{})
	for _, tt := range []struct {
		channel order.Channel
		typ     order.EventType
		want    string
	}{
		{order.ChannelCredit, order.TypeCreated, createCall},
		{order.ChannelHK, order.TypeDelivered, hkCall + " FINISHED"},
		{order.ChannelHK, order.TypePaid, hkCall + " PAID"},
		{order.ChannelTrade, order.TypeUnknown, "unknown_type event_type"}, // no row makes a call of it
	} {
		if got := verdict(p.Plan(event(tt.channel, tt.typ))); got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.channel, tt.typ, got, tt.want)
		}
	}
}

func TestMappingCheck(t *testing.T) {
	if err := order.DefaultMapping().Check(); err != nil {
		t.Fatal(err)
	}
	trade, hk := []order.Channel{order.ChannelTrade}, []order.Channel{order.ChannelHK}
	for name, row := range map[string]order.Row{
		"an unknown channel":         {Channels: []order.Channel{"MOON"}, Do: order.Skip, Word: "x"},
		"the channel UNKNOWN":        {Channels: []order.Channel{order.ChannelUnknown}, Do: order.Skip, Word: "x"},
		"an unknown type":            {Types: []order.EventType{"TELEPORTED"}, Do: order.Skip, Word: "x"},
		"the type UNKNOWN":           {Types: []order.EventType{order.TypeUnknown}, Do: order.Skip, Word: "x"},
		"an unknown condition":       {If: []order.Condition{"sunny"}, Do: order.Skip, Word: "x"},
		"an unknown action":          {Channels: trade, Do: "pay"},
		"no action":                  {Channels: trade},
		"a skip without reason":      {Do: order.Skip},
		"a create with a word":       {Channels: trade, Do: order.Create, Word: "x"},
		"a sync without a word":      {Channels: hk, Do: order.HKSync},
		"a call for every channel":   {Do: order.Create},
		"an HK call for TRADE":       {Channels: trade, Do: order.HKSync, Word: "PAID"},
		"a gateway call for HK":      {Channels: hk, Do: order.Query},
		"a koubei query for a trade": {Channels: trade, Do: order.KoubeiQuery},
	} {
		if err := (order.Mapping{row}).Check(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestPlanIsPure(t *testing.T) {
	full := filled[order.Event]()
	for _, channel := range []order.Channel{order.ChannelTrade, order.ChannelCredit, order.ChannelHK, order.ChannelKoubei} {
		for _, typ := range order.EventTypes() {
			e := event(channel, typ)
			e.QueryOptions, e.Items, e.Settlements = full.QueryOptions, nil, nil
			before := e
			p := planner(order.Defaults{})
			first, errFirst := p.Plan(e)
			second, errSecond := planner(order.Defaults{}).Plan(e)
			if !reflect.DeepEqual(e, before) || !reflect.DeepEqual(errFirst, errSecond) || !reflect.DeepEqual(first, second) {
				t.Errorf("%s %s: planning twice gave %v, %v and %v, %v", channel, typ, first, errFirst, second, errSecond)
			}
			if first != nil && body(t, first) != body(t, second) {
				t.Errorf("%s %s: the bytes differ", channel, typ)
			}
		}
	}
}

// Every identifier is a pure function of the event; these values must never change, or
// repeats of old events would have a second effect.
func TestIdentifiers(t *testing.T) {
	for _, tt := range []struct{ name, id, hex, dashed string }{
		{"a UUID, in small letters", eventID, "0d1c7f2e111142228333444455556666", "0d1c7f2e-1111-4222-8333-444455556666"},
		{"32 hex digits", "0D1C7F2E111142228333444455556666", "0d1c7f2e111142228333444455556666", "0d1c7f2e-1111-4222-8333-444455556666"},
		{"any other text", "order-4711/paid", "@", "@"},
		{"nearly a UUID", "0d1c7f2e-1111-4222-8333-44445555666g", "@", "@"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hk, credit := event(order.ChannelHK, order.TypePaid), event(order.ChannelCredit, order.TypeSettledElsewhere)
			hk.ID, credit.ID, credit.BizType = order.EventID(tt.id), order.EventID(tt.id), "CREDIT_AUTH"
			gotHK := mustPlan(t, order.Defaults{}, hk).(*alipay.HKOrderSync).RequestID
			gotSync := mustPlan(t, order.Defaults{}, credit).(*alipay.OrderInfoSync).OutRequestNo
			if tt.hex == "@" {
				checkVersion5(t, string(gotHK), string(gotSync))
				return
			}
			if string(gotHK) != tt.hex || string(gotSync) != tt.dashed {
				t.Errorf("got %s and %s, want %s and %s", gotHK, gotSync, tt.hex, tt.dashed)
			}
		})
	}
}

func checkVersion5(t *testing.T, hex, dashed string) {
	t.Helper()
	if strings.ReplaceAll(dashed, "-", "") != hex || len(hex) != 32 || hex[12] != '5' || !strings.ContainsRune("89ab", rune(hex[16])) {
		t.Errorf("%s and %s are not one version 5 UUID", hex, dashed)
	}
}

func TestHashedIDNeverChanges(t *testing.T) {
	e := event(order.ChannelHK, order.TypePaid)
	e.ID = "order-4711/paid"
	got := mustPlan(t, order.Defaults{}, e).(*alipay.HKOrderSync).RequestID
	// Made with Python: uuid.uuid5(UUID("8a4354ca-e9f8-496c-a9d5-5849eb17758c"), "order-4711/paid").hex
	if want := alipay.RequestNo("bb2b96e760a55bca82786c7e325c4e3a"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEventsOwnRequestNumberWins(t *testing.T) {
	e := event(order.ChannelCredit, order.TypeSettledElsewhere)
	e.BizType, e.RequestNo, e.OrigRequestNo = "CREDIT_AUTH", "HZ01RF001", "HZ01RF000"
	got := body(t, mustPlan(t, order.Defaults{}, e))
	want := `{"trade_no":"2018061021001004680073956707","out_request_no":"HZ01RF001","biz_type":"CREDIT_AUTH",` +
		`"order_biz_info":"{\"status\":\"COMPLETE\"}","orig_request_no":"HZ01RF000"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func mustPlan(t *testing.T, d order.Defaults, e order.Event) alipay.Request {
	t.Helper()
	r, err := planner(d).Plan(e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHKBody(t *testing.T) {
	e := event(order.ChannelHK, order.TypePaid)
	e.Payable, e.Discount, e.BuyerOpenID = hkd(10000), hkd(800), "open"
	got := body(t, mustPlan(t, order.Defaults{}, e))
	want := `{"requestId":"0d1c7f2e111142228333444455556666","tradeNo":"2024052222001412345678901234","merchantBizNo":"o_1",` +
		`"merchantBizType":"TRADE_ORDER","amount":{"value":"10800","currency":"HKD"},"payAmount":{"value":"10000","currency":"HKD"},` +
		`"discountAmount":{"value":"800","currency":"HKD"},"orderStatus":"PAID","orderCreateTime":1690000000456,` +
		`"orderModifyTime":1700000000123,"userId":"2160120051483575","openId":"open","extInfo":{}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The first event of an order is its own beginning.
func TestHKCreatedBegins(t *testing.T) {
	e := event(order.ChannelHK, order.TypeCreated)
	e.OrderCreatedAt = nil
	if got := mustPlan(t, order.Defaults{}, e).(*alipay.HKOrderSync).CreateTime; !got.Equal(occurred) {
		t.Errorf("created %v, want %v", got, occurred)
	}
}

// A credit order may have been made under another number; elsewhere an answer must fit both.
func TestQueryNumbers(t *testing.T) {
	credit, trade := event(order.ChannelCredit, order.TypeQueryRequested), event(order.ChannelTrade, order.TypeQueryRequested)
	trade.TradeNo = "T"
	for _, tt := range []struct {
		e    order.Event
		want string
	}{
		{credit, `{"trade_no":"2018061021001004680073956707"}`},
		{trade, `{"out_trade_no":"o_1","trade_no":"T"}`},
		{event(order.ChannelTrade, order.TypeCancelled), `{"out_trade_no":"o_1"}`},
	} {
		if got := body(t, mustPlan(t, order.Defaults{}, tt.e)); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestAccountChannel(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	e.Channel = order.ChannelAccount
	p := planner(order.Defaults{Channel: order.ChannelTrade})
	if got := verdict(p.Plan(e)); got != createCall || p.Channel(e) != order.ChannelTrade {
		t.Errorf("got %q on %s", got, p.Channel(e))
	}
}

func TestExpired(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	at := occurred.Add(time.Hour)
	e.ExpiresAt = &at
	create, query := &alipay.TradeCreate{}, &alipay.TradeQuery{}
	for _, tt := range []struct {
		name string
		r    alipay.Request
		now  time.Time
		want bool
	}{
		{"before", create, at.Add(-time.Millisecond), false},
		{"at the instant", create, at, true},
		{"a query still shows something", query, at.Add(time.Hour), false},
	} {
		if got := order.Expired(e, tt.r, tt.now); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
	e.ExpiresAt = nil
	if order.Expired(e, create, at) {
		t.Error("an event without an end expired")
	}
}
