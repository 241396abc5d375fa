package order_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
)

// Identifiers have 1 to 64 characters, not bytes; and an event has a time.
func TestBoundsOfAnEvent(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*order.Event)
		want   string
	}{
		"an id of 64":          {func(e *order.Event) { e.ID = order.EventID(strings.Repeat("单", 64)) }, createCall},
		"an id of 65":          {func(e *order.Event) { e.ID = order.EventID(strings.Repeat("x", 65)) }, "invalid event_id"},
		"no id":                {func(e *order.Event) { e.ID = "" }, "invalid event_id"},
		"a number of 64":       {func(e *order.Event) { e.OrderNo = alipay.OutTradeNo(strings.Repeat("x", 64)) }, createCall},
		"a number of 65":       {func(e *order.Event) { e.OrderNo = alipay.OutTradeNo(strings.Repeat("x", 65)) }, "invalid order_no"},
		"no number":            {func(e *order.Event) { e.OrderNo = " " }, "invalid order_no"},
		"the first time":       {func(e *order.Event) { e.OccurredAt = time.UnixMilli(1) }, createCall},
		"the epoch is no time": {func(e *order.Event) { e.OccurredAt = time.UnixMilli(0) }, "invalid occurred_at"},
		"no time":              {func(e *order.Event) { e.OccurredAt = time.Time{} }, "invalid occurred_at"},
	} {
		e := event(order.ChannelTrade, order.TypeCreated)
		tt.change(&e)
		if got := verdict(planner(order.Defaults{}).Plan(e)); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// What is too long is cut to its beginning and a hash, and the first such field is named.
func TestBounded(t *testing.T) {
	fits, tooLong := strings.Repeat("a", 256), strings.Repeat("b", 257)
	e := order.Event{ID: order.EventID(fits), OrderNo: alipay.OutTradeNo(tooLong), Status: tooLong}
	got, err := e.Bounded()
	var bad *order.InvalidError
	if !errors.As(err, &bad) || bad.Field != "order_no" {
		t.Errorf("%v, want order_no named", err)
	}
	cut := strings.Repeat("b", 64) + "...sha256:"
	if string(got.ID) != fits || !strings.HasPrefix(string(got.OrderNo), cut) || len(got.OrderNo) != len(cut)+64 || got.Status != string(got.OrderNo) {
		t.Errorf("%+v", got)
	}
	if _, err := (order.Event{ID: order.EventID(fits)}).Bounded(); err != nil {
		t.Error(err)
	}
}

// A year is the most that an event before 2004 may be old.
func TestAgeOfATestsEvent(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	e.OccurredAt, e.OrderCreatedAt = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), nil
	year := 365 * 24 * time.Hour
	if err := order.CheckTimes(e, e.OccurredAt.Add(year)); err != nil {
		t.Errorf("a year old: %v", err)
	}
	if err := order.CheckTimes(e, e.OccurredAt.Add(year+1)); err == nil {
		t.Error("older than a year: accepted")
	}
}

// The head of an event is what its lane and its memory need; bytes that are no event have none.
func TestEventHead(t *testing.T) {
	c := codec(t)
	value, err := c.EncodeEvent(t.Context(), "order-events", order.Event{Account: "a", OrderNo: "o", Type: order.TypePaid, Channel: order.ChannelHK})
	if err != nil {
		t.Fatal(err)
	}
	head, err := c.EventHead(t.Context(), "order-events", value)
	if err != nil || head.Account != "a" || head.OrderNo != "o" || head.Type != order.TypePaid || head.Channel != order.ChannelHK || head.Values == 0 {
		t.Errorf("%+v, %v", head, err)
	}
	if _, err := c.EventHead(t.Context(), "order-events", value[:len(value)/2]); err == nil {
		t.Error("half an event has a head")
	}
}

// A result of a bridge that did not write its origin has none: offset 0 is a place.
func TestResultWithoutOrigin(t *testing.T) {
	const older = `{"type":"record","name":"CallResult","fields":[{"name":"event_id","type":"string"},{"name":"account","type":"string"},` +
		`{"name":"order_no","type":"string"},{"name":"method","type":"string"},{"name":"outcome","type":{"type":"enum","name":"O","symbols":["APPLIED"]}},` +
		`{"name":"finished_at","type":"long"}]}`
	registry, err := avro.NewFolder(folderWith(older), 0)
	if err != nil {
		t.Fatal(err)
	}
	value, err := registry.Frame(t.Context(), "results", avro.MustCodec(older), nil, func(w *avro.Writer) {
		for _, name := range []string{"event_id", "account", "order_no", "method"} {
			w.Text(name, "x")
		}
		w.Text("outcome", "APPLIED")
		w.Long("finished_at", 5)
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := order.NewCodec(registry).DecodeResult(t.Context(), "results", value)
	if err != nil || r.Origin.Partition != -1 || r.Origin.Offset != -1 {
		t.Errorf("%+v, %v", r.Origin, err)
	}
}

// A row without channels or types is for all of them, and a wrong row is named by its number.
func TestRowsForAll(t *testing.T) {
	for name, row := range map[string]order.Row{
		"any channel": {Types: []order.EventType{order.TypePaid}, Do: order.Skip, Word: "ours"},
		"any type":    {Channels: []order.Channel{order.ChannelHK}, Do: order.Skip, Word: "ours"},
	} {
		p := order.NewPlanner(order.DefaultMapping().With(row), order.Defaults{})
		if got := verdict(p.Plan(event(order.ChannelHK, order.TypePaid))); got != "skip ours" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	bad := order.Mapping{{Do: order.Skip, Word: "x"}, {Do: "pay"}}
	if err := bad.Check(); err == nil || !strings.Contains(err.Error(), "row 2:") {
		t.Errorf("%v, want row 2 named", err)
	}
}

// Ten bad lines are all named, with their numbers, and nothing is said of others.
func TestBadLinesAreNumbered(t *testing.T) {
	_, err := order.ReadEvents("f", strings.NewReader("\n"+strings.Repeat("x\n", 10)), order.NewCodec(nil))
	if err == nil || !strings.Contains(err.Error(), "f:2: ") || !strings.Contains(err.Error(), "f:11: ") || strings.Contains(err.Error(), "more bad lines") {
		t.Errorf("%v", err)
	}
}

// Every receiver of every kind of request is refused by itself: no other field and no other value of its
// list speaks for it.
func TestK2_EachPayeeByItself(t *testing.T) {
	set := map[string]func(e *order.Event, v string){
		"seller_id":       func(e *order.Event, v string) { e.SellerID = v },
		"store_id":        func(e *order.Event, v string) { e.StoreID = v },
		"alipay_store_id": func(e *order.Event, v string) { e.AlipayStoreID = v },
		"sub_merchant_id": func(e *order.Event, v string) { e.SubMerchantID = v },
		"extend_params.sys_service_provider_id": func(e *order.Event, v string) {
			e.ExtendParams = &order.ExtendParams{SysServiceProviderID: v}
		},
		"settlements.trans_in": func(e *order.Event, v string) {
			e.Settlements = []order.Settlement{{TransInType: "userId", TransIn: v}}
		},
		"settlements.settle_entity_id": func(e *order.Event, v string) {
			e.Settlements = []order.Settlement{{TransInType: "defaultSettle", SettleEntityType: "Store", SettleEntityID: v}}
		},
		"org_pid":     func(e *order.Event, v string) { e.OrgPID = v },
		"merchant_id": func(e *order.Event, v string) { e.MerchantID = v },
	}
	const mine, other = "2088102146225135", "2088102146225136"
	for i, field := range order.PayeeFields() {
		if set[field] == nil {
			t.Fatalf("no case for %s", field)
		}
		e := event(order.ChannelTrade, order.TypeCreated)
		switch field {
		case "org_pid":
			e = event(order.ChannelTrade, order.TypeQueryRequested)
		case "merchant_id":
			e = event(order.ChannelHK, order.TypePaid)
		}
		set[field](&e, mine)
		neighbour := order.PayeeFields()[(i+1)%len(order.PayeeFields())]
		for name, tt := range map[string]struct {
			payees  order.Payees
			refused bool
		}{
			"listed":                {order.Payees{field: {other, mine}}, false},
			"another value":         {order.Payees{field: {other}}, true},
			"listed by a neighbour": {order.Payees{neighbour: {mine}}, true},
		} {
			got := verdict(planner(order.Defaults{Payees: tt.payees}).Plan(e))
			if refusal := order.ReasonPayee + " " + field; (got == refusal) != tt.refused {
				t.Errorf("%s, %s: got %q", field, name, got)
			}
		}
	}
}
