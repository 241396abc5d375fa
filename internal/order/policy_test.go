package order_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

func TestK2_PayeesAreRefusedUnlessListed(t *testing.T) {
	settled := func(e *order.Event) {
		e.Settlements = []order.Settlement{{TransInType: "cardAliasNo", TransIn: "V", SettleEntityID: "V"}}
	}
	for field, tt := range map[string]struct {
		channel order.Channel
		typ     order.EventType
		name    func(*order.Event) // names the receiver "V"
		also    []string           // other fields that must be allowed
	}{
		"seller_id":       {order.ChannelTrade, order.TypeCreated, func(e *order.Event) { e.SellerID = "V" }, nil},
		"sub_merchant_id": {order.ChannelTrade, order.TypeCreated, func(e *order.Event) { e.SubMerchantID = "V" }, nil},
		"extend_params.sys_service_provider_id": {order.ChannelTrade, order.TypeCreated,
			func(e *order.Event) { e.ExtendParams = &order.ExtendParams{SysServiceProviderID: "V"} }, nil},
		"settlements.trans_in":         {order.ChannelTrade, order.TypeCreated, settled, []string{"settlements.settle_entity_id"}},
		"settlements.settle_entity_id": {order.ChannelTrade, order.TypeCreated, settled, []string{"settlements.trans_in"}},
		"org_pid":                      {order.ChannelTrade, order.TypeQueryRequested, func(e *order.Event) { e.OrgPID = "V" }, nil},
		"merchant_id":                  {order.ChannelHK, order.TypePaid, func(e *order.Event) { e.MerchantID = "V" }, nil},
	} {
		t.Run(field, func(t *testing.T) {
			e := event(tt.channel, tt.typ)
			tt.name(&e)
			allowed := order.Payees{}
			for _, other := range tt.also {
				allowed[other] = []string{"V"}
			}
			if got, want := verdict(planner(order.Defaults{Payees: allowed}).Plan(e)), "payee_not_allowed "+field; got != want {
				t.Errorf("not listed: got %q, want %q", got, want)
			}
			allowed[field] = []string{"W", "V"}
			if r, err := planner(order.Defaults{Payees: allowed}).Plan(e); err != nil {
				t.Errorf("listed: %q", verdict(r, err))
			}
		})
		if !slices.Contains(order.PayeeFields(), field) {
			t.Errorf("%s is no payee field", field)
		}
	}
}

// notPayees look like receivers and are none.
var notPayees = []string{
	"settlements.settle_entity_type", "settlements.trans_in_type", "sub_merchant_type", "settle_period_time", "settlements",
	"extend_params.specified_seller_name", // what the buyer reads
	"extend_params.hb_fq_seller_percent",  // a share of a fee, not a receiver
}

// A new field that says who is paid must get a row in the policy, or a reason here.
func TestK2_EveryPayeeFieldHasAPolicy(t *testing.T) {
	var schema struct{ Fields []schemaField }
	if err := json.Unmarshal([]byte(schemas.OrderEvent), &schema); err != nil {
		t.Fatal(err)
	}
	for _, path := range schemaPaths("", schema.Fields) {
		suspicious := slices.ContainsFunc([]string{"seller", "merchant_id", "sub_merchant", "trans_in", "settle", "pid", "provider", "royalty_in", "agreement", "payee"},
			func(word string) bool { return strings.Contains(path, word) })
		top, _, nested := strings.Cut(path, ".")
		if nested && top == "settlements" {
			suspicious = !slices.Contains([]string{"settlements.amount", "settlements.actual_amount", "settlements.summary_dimension", "settlements.extra_json"}, path)
		}
		if suspicious && !slices.Contains(order.PayeeFields(), path) && !slices.Contains(notPayees, path) {
			t.Errorf("%s names a receiver and has no policy", path)
		}
	}
}

type schemaField struct {
	Name string
	Type json.RawMessage
}

// schemaPaths returns the dotted names of all fields, through unions and lists.
func schemaPaths(prefix string, fields []schemaField) []string {
	var paths []string
	for _, f := range fields {
		paths = append(paths, prefix+f.Name)
		for _, inner := range recordsIn(f.Type) {
			if inner.Name != "Money" {
				paths = append(paths, schemaPaths(prefix+f.Name+".", inner.Fields)...)
			}
		}
	}
	return paths
}

type schemaRecord struct {
	Name   string
	Fields []schemaField
	Items  json.RawMessage
}

func recordsIn(typ json.RawMessage) []schemaRecord {
	var list []json.RawMessage
	if json.Unmarshal(typ, &list) == nil {
		var records []schemaRecord
		for _, branch := range list {
			records = append(records, recordsIn(branch)...)
		}
		return records
	}
	var r schemaRecord
	if json.Unmarshal(typ, &r) != nil {
		return nil
	}
	if r.Items != nil {
		return recordsIn(r.Items)
	}
	if r.Fields == nil {
		return nil
	}
	return []schemaRecord{r}
}

func TestK3_ExtraMembers(t *testing.T) {
	money := order.Defaults{ExtraNames: []string{"royalty_info", "memo"}, ExtraMoney: true}
	listed := order.Defaults{ExtraNames: []string{"royalty_info", "memo", "total_amount", "TotalAmount", "TOTAL_AMOUNT"}}
	for _, tt := range []struct {
		name, extra string
		defaults    order.Defaults
		want        string // verdict, or a part of the body
	}{
		{"none", ``, order.Defaults{}, createCall},
		{"off until listed", `{"memo":1}`, order.Defaults{}, "invalid extra_json"},
		{"listed", `{"memo": {"a":[1,"b"]}}`, listed, `"memo":{"a":[1,"b"]}}`},
		{"listed in another spelling", `{"Memo":1}`, listed, "invalid extra_json"},
		{"listed, but it pays a receiver", `{"royalty_info":{}}`, listed, "payee_not_allowed extra_json"},
		{"pays a receiver further down", `{"memo":[{"royaltyInfo":{}}]}`, listed, "payee_not_allowed extra_json"},
		{"pays a receiver, spelled with an escape", `{"memo":{"r\u006fyalty":1}}`, listed, "payee_not_allowed extra_json"},
		{"pays a receiver, with the switch of its own", `{"royalty_info":{"a":1}}`, money, `"royalty_info":{"a":1}}`},
		{"a typed name", `{"total_amount":"0.01"}`, listed, "invalid total_amount"},
		{"a typed name in camel case", `{"TotalAmount":"0.01"}`, listed, "invalid total_amount"},
		{"a typed name in capitals", `{"TOTAL_AMOUNT":"0.01"}`, listed, "invalid total_amount"},
		{"a typed name further down", `{"memo":{"a":{"totalAmount":"0.01"}}}`, listed, "invalid total_amount"},
		{"a name twice", `{"memo":1,"memo":2}`, listed, "invalid extra_json"},
		{"a command to some readers", `{"memo":{"@type":"x"}}`, listed, "invalid extra_json"},
		{"a list", `[]`, listed, "invalid extra_json"},
		{"no JSON", `{`, listed, "invalid extra_json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(order.ChannelTrade, order.TypeCreated)
			e.ExtraJSON = tt.extra
			r, err := planner(tt.defaults).Plan(e)
			got := verdict(r, err)
			if err == nil && tt.want != createCall {
				got = body(t, r)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The whole view of an order may hold members for its create; a query that follows must not
// send them.
func TestExtraMembersGoWithTheirCall(t *testing.T) {
	d := order.Defaults{ExtraNames: []string{"memo"}}
	e := event(order.ChannelTrade, order.TypeCancelled)
	e.ExtraJSON = `{"memo":1}`
	if got, want := body(t, mustPlan(t, d, e)), `{"out_trade_no":"o_1"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	e.Type = order.TypeQueryRequested
	if got, want := body(t, mustPlan(t, d, e)), `{"out_trade_no":"o_1","memo":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestK3_ViolatedNeedsASwitch(t *testing.T) {
	e := event(order.ChannelCredit, order.TypeOverdue)
	e.BizType, e.OrderBizInfoJSON = "CREDIT_AUTH", `{"st\u0061tus":"VIOLATED"}`
	if got, want := verdict(planner(order.Defaults{}).Plan(e)), "invalid order_biz_info"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if r, err := planner(order.Defaults{AllowViolated: true}).Plan(e); err != nil {
		t.Errorf("with the switch: %q", verdict(r, err))
	}
}

// Errors name fields and never hold values: they may be personal.
func TestErrorsHoldNoValues(t *testing.T) {
	const secret = "SECRET/="
	for name, change := range map[string]func(*order.Event){
		"subject":     func(e *order.Event) { e.Subject = secret },
		"buyer":       func(e *order.Event) { e.BuyerUserID = secret },
		"seller":      func(e *order.Event) { e.SellerID = secret },
		"order":       func(e *order.Event) { e.OrderNo = secret },
		"extra":       func(e *order.Event) { e.ExtraJSON = `{"SECRET":"SECRET"}` },
		"broken":      func(e *order.Event) { e.ExtraJSON = `{"a":SECRET}` },
		"timeout":     func(e *order.Event) { e.TimeoutExpress = secret },
		"logistics":   func(e *order.Event) { e.LogisticsType = secret },
		"business":    func(e *order.Event) { e.BusinessParamsJSON = secret },
		"settlements": func(e *order.Event) { e.Settlements = []order.Settlement{{TransInType: secret, TransIn: secret}} },
	} {
		e := event(order.ChannelTrade, order.TypeCreated)
		change(&e)
		_, err := planner(order.Defaults{}).Plan(e)
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
