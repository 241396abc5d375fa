package alipay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// TestEveryFieldReachesTheWire: the content of a full create names every member of the page
// and of the newer models, once.
func TestEveryFieldReachesTheWire(t *testing.T) {
	r := alipaytest.FullCreate()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	names := contentNames(t, r)
	want := strings.Fields(`out_trade_no seller_id total_amount discountable_amount undiscountable_amount subject body buyer_id
		buyer_open_id buyer_logon_id op_app_id op_buyer_open_id goods_detail operator_id store_id alipay_store_id terminal_id
		extend_params timeout_express time_expire settle_info merchant_type sub_merchant logistics_detail business_params
		receiver_address_info product_code merchant_order_no passback_params query_options enable_pay_channels`)
	if !slices.Equal(names, want) {
		t.Errorf("content names %v, want %v", names, want)
	}
	r.EnablePayChannels, r.DisablePayChannels = nil, []string{"a", "b"}
	content, err := alipay.Content(r)
	if err != nil || !strings.Contains(string(content), `"passback_params":"a+b","query_options":["hyb_amount"],"disable_pay_channels":"a,b"}`) {
		t.Errorf("content ends %s (%v)", content[len(content)-150:], err)
	}
}

func contentNames(t *testing.T, r alipay.Request) []string {
	t.Helper()
	content, err := alipay.Content(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := alipay.ParseMembers(string(content))
	if err != nil {
		t.Fatal(err)
	}
	return m.Names()
}

// spellings are ways to write a name that some readers treat as the same.
func spellings(name string) []string {
	parts := strings.Split(name, "_")
	camel := parts[0]
	for _, p := range parts[1:] {
		camel += strings.ToUpper(p[:1]) + p[1:]
	}
	return []string{
		name, camel, strings.ToUpper(name), strings.ToUpper(camel), strings.ReplaceAll(name, "_", ""), name + "_",
		fmt.Sprintf(`\u%04x%s`, name[0], name[1:]),
	}
}

// TestTypedNamesAreRefused: no further member has the name of a field, in any spelling, at
// any depth, whether the field is set or not.
func TestTypedNamesAreRefused(t *testing.T) {
	n := 0
	check := func(where string, names []string, with func(alipay.Members) alipay.Request) {
		t.Helper()
		for _, name := range names {
			for _, s := range spellings(name) {
				for _, form := range []string{`{"%s":"9.00"}`, `{"royalty_info":{"%s":"9.00"}}`, `{"later":[[{"x":1,"%s":"9.00"}]]}`} {
					m, err := alipay.ParseMembers(fmt.Sprintf(form, s))
					if err != nil {
						t.Fatal(err)
					}
					var f *alipay.FieldError
					if err := with(m).Validate(); !errors.As(err, &f) || f.Reason != "typed" {
						t.Errorf("%s: %s: err = %v, want typed", where, fmt.Sprintf(form, s), err)
					}
					n++
				}
			}
		}
		m, err := alipay.ParseMembers(`{"later":{"x":[1,2.50]}}`)
		if err != nil {
			t.Fatal(err)
		}
		content, err := alipay.Content(with(m))
		if err != nil || !strings.Contains(string(content), `"later":{"x":[1,2.50]}`) {
			t.Errorf("%s: a new member is not sent: %s (%v)", where, content, err)
		}
	}
	members := func(json string) []string {
		m, err := alipay.ParseMembers(json)
		if err != nil {
			t.Fatal(err)
		}
		return m.Names()
	}
	inner := func(name string) string { // of a sub-object of the full create
		content, _ := alipay.Content(alipaytest.FullCreate())
		m, err := alipay.ParseMembers(string(content))
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := m.Get(name)
		return strings.Trim(string(raw), "[]")
	}
	create := append(contentNames(t, alipaytest.FullCreate()), "disable_pay_channels")
	check("create", create, func(m alipay.Members) alipay.Request { r := alipaytest.Create(); r.Extra = m; return r })
	check("goods", members(inner("goods_detail")), func(m alipay.Members) alipay.Request {
		r := alipaytest.FullCreate()
		r.GoodsDetail[0].Extra = m
		return r
	})
	check("extend", members(inner("extend_params")), func(m alipay.Members) alipay.Request {
		r := alipaytest.Create()
		r.ExtendParams = &alipay.ExtendParams{CardType: "c", Extra: m}
		return r
	})
	settle := strings.Fields("trans_in_type trans_in summary_dimension settle_entity_id settle_entity_type amount actual_amount")
	check("settle", settle, func(m alipay.Members) alipay.Request {
		r := alipaytest.FullCreate()
		r.SettleInfo.Details[0].Extra = m
		return r
	})
	check("query", strings.Fields("out_trade_no trade_no org_pid query_options"), func(m alipay.Members) alipay.Request {
		r := alipaytest.Query()
		r.Extra = m
		return r
	})
	check("sync", strings.Fields("trade_no out_request_no biz_type order_biz_info orig_request_no"), func(m alipay.Members) alipay.Request {
		r := alipaytest.OrderInfoSync()
		r.Extra = m
		return r
	})
	check("koubei", []string{"order_no"}, func(m alipay.Members) alipay.Request {
		r := alipaytest.ItemOrderQuery()
		r.Extra = m
		return r
	})
	hk := strings.Fields(`requestId merchantId tradeNo merchantBizNo merchantBizType amount payAmount discountAmount orderStatus
		orderCreateTime orderModifyTime userId openId extInfo newFieldjrPOUb`)
	check("hk", hk, func(m alipay.Members) alipay.Request { r := alipaytest.HKOrderSync(); r.Extra = m; return r })
	t.Logf("%d spellings refused", n)
}

// TestMembersAreBounded: names, repeats, depth and length of a JSON text from an event.
func TestMembersAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"no object":          `[1]`,
		"cut":                `{"a":1`,
		"rest":               `{"a":1}x`,
		"comma":              `{"a":1,}`,
		"repeat":             `{"a":1,"a":2}`,
		"repeat by spelling": `{"ab":1,"a_B":2}`,
		"repeat by escape":   `{"ab":1,"\u0061b":2}`,
		"repeat below":       `{"x":[{"ab":1,"AB":2}]}`,
		"command":            `{"@type":"x"}`,
		"reference":          `{"x":{"$ref":"y"}}`,
		"dash":               `{"a-b":1}`,
		"empty name":         `{"":1}`,
		"digit first":        `{"1a":1}`,
		"long name":          `{"` + strings.Repeat("a", 65) + `":1}`,
		"foreign letters":    "{\"\u5b57\":1}",
		"no UTF-8":           "{\"a\":\"\xff\"}",
		"17 deep":            strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17),
		"17 deep in lists":   `{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + "}",
		"longer than 64 KiB": `{"a":"` + strings.Repeat("x", 64<<10) + `"}`,
		"comment":            `{"a":1/**/}`,
		"single quotes":      `{'a':1}`,
		"leading zero":       `{"a":01}`,
		"line end in a text": "{\"a\":\"\n\"}",
		"unknown escape":     `{"a":"\x41"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := alipay.ParseMembers(text); !errors.Is(err, alipay.ErrMembers) {
				t.Errorf("err = %v, want ErrMembers", err)
			}
		})
	}
	deepest := strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16)
	if _, err := alipay.ParseMembers(deepest); err != nil {
		t.Errorf("16 deep: %v", err)
	}
}

func TestMembersKeepOrderAndLiterals(t *testing.T) {
	m, err := alipay.ParseMembers("{ \"b\" : 1.50 ,\n \"a\" : { \"x\" : [ 1e2 , \"\\u4e2d <&>\" ] } }")
	if err != nil {
		t.Fatal(err)
	}
	r := alipaytest.Query()
	r.Extra = m
	got, err := alipay.Content(r)
	const want = `{"out_trade_no":"ORD_1","b":1.50,"a":{"x":[1e2,"\u4e2d <&>"]}}`
	if err != nil || string(got) != want {
		t.Errorf("content = %s (%v), want %s", got, err, want)
	}
	if raw, ok := m.Get("B_"); !ok || string(raw) != "1.50" {
		t.Errorf("Get in another spelling = %s, %v", raw, ok)
	}
}

func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[true,null,"x\u0041"]}`, `{}`, `{"a_b":{"aB":-1.5e3}}`, `{"a":1,"A":2}`, ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := alipay.ParseMembers(text)
		if err != nil || text == "" {
			return
		}
		r := alipaytest.ItemOrderQuery()
		r.Extra = m
		content, err := alipay.Content(r)
		if err == nil && !json.Valid(content) {
			t.Errorf("%q made the content %q", text, content)
		}
		m.Mentions("VIOLATED")
	})
}

// TestFolding: names are compared in lower case without _ and -, with any characters.
func TestFolding(t *testing.T) {
	for _, name := range []string{"", "a", "total_amount", "TotalAmount", "TOTAL-AMOUNT", "_-_", "a_B-c", "\u212aelvin", "\u0130_I", "totalamount"} {
		want := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
		if got := jsonscan.FoldName(name); got != want {
			t.Errorf("FoldName(%q) = %q, want %q", name, got, want)
		}
	}
	m, err := alipay.ParseMembers(`{"a":{"b_C":[{"Roy_alty":1}]} , "x" : " } \" "}`)
	if err != nil {
		t.Fatal(err)
	}
	if !m.NamesHold([]string{"none", "royalty"}) || m.NamesHold([]string{"}", "1"}) {
		t.Error("the names at every depth are not looked at")
	}
	if raw, _ := m.Get("A"); string(raw) != `{"b_C":[{"Roy_alty":1}]}` {
		t.Errorf("a = %s", raw)
	}
}
