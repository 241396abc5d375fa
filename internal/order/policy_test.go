package order_test

import (
	"encoding/json"
	"net/url"
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
		"store_id":        {order.ChannelTrade, order.TypeCreated, func(e *order.Event) { e.StoreID = "V" }, nil},
		"alipay_store_id": {order.ChannelTrade, order.TypeCreated, func(e *order.Event) { e.AlipayStoreID = "V" }, nil},
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

// A new field that says who is paid must get a row in the table of policies.
func TestK2_EveryPayeeFieldHasAPolicy(t *testing.T) {
	var schema struct{ Fields []schemaField }
	if err := json.Unmarshal([]byte(schemas.OrderEvent), &schema); err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, p := range order.Policies() {
		if rules[p.Field] {
			t.Errorf("%s has two policies", p.Field)
		}
		rules[p.Field] = true
		if p.Source == "" || p.Reason == "" {
			t.Errorf("%s: a policy without source or reason", p.Field)
		}
	}
	paths := schemaPaths("", schema.Fields)
	for _, path := range paths {
		suspicious := slices.ContainsFunc([]string{"seller", "merchant_id", "sub_merchant", "trans_in", "settle", "pid", "provider", "royalty", "agreement", "payee", "store", "_json", "_info"},
			func(word string) bool { return strings.Contains(path, word) })
		if suspicious && !rules[path] {
			t.Errorf("%s can move money, or looks so, and has no policy", path)
		}
	}
	for _, p := range order.Policies() {
		if p.Rule != order.Setting && !slices.Contains(paths, p.Field) {
			t.Errorf("%s has a policy and is no field", p.Field)
		}
	}
}

// A store that the account itself has by default is no choice of the event's.
func TestK2_TheAccountsOwnStoreIsAllowed(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	for store, want := range map[string]string{"": createCall, "NJ_001": createCall, "ATTACKER_STORE": "payee_not_allowed store_id"} {
		e.StoreID = store
		if got := verdict(planner(order.Defaults{StoreID: "NJ_001"}).Plan(e)); got != want {
			t.Errorf("store %q: got %q, want %q", store, got, want)
		}
	}
}

// deeper returns ways to hide a member in a JSON text: by depth, and by texts in texts.
func deeper(member string) map[string]string {
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	text := "{" + member + "}"
	return map[string]string{
		"at the top":             text,
		"deeper":                 `{"a":[{"b":` + text + `}]}`,
		"in a text":              `{"a":` + quoted(text) + `}`,
		"in a list of texts":     `{"a":[1,` + quoted("["+text+"]") + `]}`,
		"in a text in a text":    `{"a":` + quoted(`{"b":`+quoted(text)+`}`) + `}`,
		"in a quoted text":       `{"a":` + quoted(quoted(text)) + `}`,
		"after blanks":           `{"a":` + quoted(" \n\t"+text) + `}`,
		"after a mark":           `{"a":` + quoted("\ufeff"+text) + `}`,
		"escaped for URLs":       `{"a":` + quoted(url.PathEscape(text)) + `}`,
		"with single quotes":     `{"a":` + quoted(strings.ReplaceAll(text, `"`, `'`)) + `}`,
		"without quotes":         `{"a":` + quoted(strings.ReplaceAll(text, `"`, ``)) + `}`,
		"escaped for HTML":       `{"a":` + quoted(strings.ReplaceAll(text, `"`, `&quot;`)) + `}`,
		"with a comma too many":  `{"a":` + quoted("{"+member+",}") + `}`,
		"with an escaped letter": `{"a":"` + strings.NewReplacer(`"`, `\\u0022`).Replace(text) + `"}`,
	}
}

// Free JSON is searched to the bottom for names that pay, and for typed names.
func TestK2_FreeTextsAreSearchedToTheBottom(t *testing.T) {
	fields := map[string]func(text string) order.Event{
		"business_params": func(text string) order.Event {
			e := event(order.ChannelTrade, order.TypeCreated)
			e.BusinessParamsJSON = text
			return e
		},
		"extend_params.industry_reflux_info": func(text string) order.Event {
			e := event(order.ChannelTrade, order.TypeCreated)
			e.ExtendParams = &order.ExtendParams{IndustryRefluxInfo: text}
			return e
		},
		"extend_params.credit_ext_info": func(text string) order.Event {
			e := event(order.ChannelTrade, order.TypeCreated)
			e.ExtendParams = &order.ExtendParams{CreditExtInfo: text}
			return e
		},
		"extra_json": func(text string) order.Event {
			e := event(order.ChannelTrade, order.TypeCreated)
			e.ExtraJSON = `{"memo":` + text + `}`
			return e
		},
		"order_biz_info": func(text string) order.Event {
			e := event(order.ChannelCredit, order.TypeOverdue)
			e.BizType, e.OrderBizInfoJSON = "CREDIT_AUTH", text
			return e
		},
		"ext_info": func(text string) order.Event {
			e := event(order.ChannelHK, order.TypePaid)
			e.ExtInfoJSON = text
			return e
		},
	}
	typed := map[string]string{
		"business_params": "total_amount", "extra_json": "total_amount", "order_biz_info": "trade_no",
		"extend_params.industry_reflux_info": "hb_fq_num", "extend_params.credit_ext_info": "card_type",
	}
	p := planner(order.Defaults{ExtraNames: []string{"memo"}})
	for field, with := range fields {
		for where, text := range deeper(`"colour":"red"`) {
			if r, err := p.Plan(with(text)); err != nil {
				t.Errorf("%s, a harmless member %s: %s", field, where, verdict(r, err))
			}
		}
		for _, name := range []string{"royalty_info", "sellerId", "STORE_ID", "agreementSignParams", "settle_info"} {
			for where, text := range deeper(`"` + name + `":"1"`) {
				if got, want := verdict(p.Plan(with(text))), "payee_not_allowed "+field; got != want {
					t.Errorf("%s, %s %s: got %q, want %q", field, name, where, got, want)
				}
			}
		}
		if typed[field] == "" {
			continue
		}
		for where, text := range deeper(`"` + typed[field] + `":"1"`) {
			if got := verdict(p.Plan(with(text))); !strings.HasPrefix(got, "invalid ") {
				t.Errorf("%s, %s %s: got %q, want it refused", field, typed[field], where, got)
			}
		}
	}
}

// A shopper's words are no JSON: they refuse nothing.
func TestK2_WordsOfAShopperAreNoMembers(t *testing.T) {
	for _, memo := range []string{"seller: please wrap", "[gift] seller wraps", "{hello}", "royalty = 5 %", `"nice seller"`, "100% agreement", "%7", "&quot;", `{"note":"seller: please wrap"}`, "VIOLATED"} {
		text, _ := json.Marshal(map[string]string{"buyer_memo": memo})
		e := event(order.ChannelTrade, order.TypeCreated)
		e.BusinessParamsJSON = string(text)
		if r, err := planner(order.Defaults{}).Plan(e); err != nil {
			t.Errorf("%s: %s", text, verdict(r, err))
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
	for where, text := range deeper(`"status":"VIOLATED"`) {
		e.OrderBizInfoJSON = text
		if got, want := verdict(planner(order.Defaults{}).Plan(e)), "invalid order_biz_info"; got != want {
			t.Errorf("%s: got %q, want %q", where, got, want)
		}
		e.OrderBizInfoJSON, e.ExtraJSON = `{"status":"COMPLETE"}`, `{"memo":`+text+`}`
		if got, want := verdict(planner(order.Defaults{ExtraNames: []string{"memo"}}).Plan(e)), "invalid order_biz_info"; got != want {
			t.Errorf("extra_json, %s: got %q, want %q", where, got, want)
		}
		e.ExtraJSON = ""
	}
	// As the API page's sample has it: wrapped in its own name.
	e.OrderBizInfoJSON = `{"order_biz_info":"{\"status\":\"VIOLATED\"}"}`
	if got, want := verdict(planner(order.Defaults{}).Plan(e)), "invalid order_biz_info"; got != want {
		t.Errorf("wrapped: got %q, want %q", got, want)
	}
	e.OrderBizInfoJSON = `{"order_biz_info":"{\"status\":\"COMPLETE\"}"}`
	if r, err := planner(order.Defaults{}).Plan(e); err != nil {
		t.Errorf("wrapped, COMPLETE: %q", verdict(r, err))
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
