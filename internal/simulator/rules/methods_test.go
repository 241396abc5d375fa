package rules_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// chars is a text of n characters that have more than one byte each.
func chars(n int) string { return strings.Repeat("\u8336", n) }

// letters is a text of n ASCII letters.
func letters(n int) string { return strings.Repeat("a", n) }

// jsonText is a JSON object in a text of n characters.
func jsonText(n int) string { return `{"a":"` + letters(n-8) + `"}` }

// list repeats an entry n times.
func list(n int, entry any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = entry
	}
	return out
}

// object is JSON as a test writes it.
type object = map[string]any

// fieldCase is one rule of a field: a value that it lets through and one that it refuses.
type fieldCase struct {
	path      string // members and positions in lists, with points between them
	rule      string
	good, bad any // nil: the field is absent; keep: as in the valid content
}

// keep leaves the valid content as it is.
const keep = "\x00keep"

// with returns valid content with one value replaced.
func with(valid func() object, path string, value any) object {
	content := valid()
	if value != keep {
		set(content, strings.Split(path, "."), value)
	}
	return content
}

// set replaces the value at a path and returns the container.
func set(into any, path []string, value any) {
	switch c := into.(type) {
	case object:
		if len(path) > 1 {
			set(c[path[0]], path[1:], value)
			return
		}
		if value == nil {
			delete(c, path[0])
			return
		}
		c[path[0]] = value
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil {
			panic(err)
		}
		set(c[i], path[1:], value)
	default:
		panic("the valid content has no " + path[0])
	}
}

// parse writes content and reads it as the gateway does.
func parse(t testing.TB, content any) wire.Fields {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := wire.ParseObject(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return fields
}

// runFieldCases checks each rule from both sides. check returns nil for valid content.
func runFieldCases(t *testing.T, valid func() object, cases []fieldCase, check func(wire.Fields) error) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.path+" "+tt.rule, func(t *testing.T) {
			if err := check(parse(t, with(valid, tt.path, tt.good))); err != nil {
				t.Errorf("%v is refused: %v", tt.good, err)
			}
			if err := check(parse(t, with(valid, tt.path, tt.bad))); err == nil {
				t.Errorf("%v is accepted", tt.bad)
			}
		})
	}
}

// asError returns the verdict of a refusal as an error.
func asError(r *wire.Reply) error {
	if r == nil {
		return nil
	}
	return errors.New(r.Verdict())
}

// verdictOf returns the verdict of a refusal; "" if there is none.
func verdictOf(r *wire.Reply) string {
	if r == nil {
		return ""
	}
	return r.Verdict()
}

func checkCreate(c wire.Fields) error { return asError(rules.CheckCreate(c, seller)) }

const (
	seller = "2088000000000000"
	buyer  = "2088102146225135"
)

// validCreate has every object of the page, with no more in it than the page requires.
func validCreate() object {
	return object{
		"out_trade_no": "o_1", "total_amount": "88.88", "subject": "tea", "buyer_id": buyer,
		"goods_detail":          []any{object{"goods_id": "g1", "goods_name": "tea", "quantity": 1, "price": "88.88"}},
		"extend_params":         object{},
		"settle_info":           object{"settle_detail_infos": []any{object{"trans_in_type": "loginName", "trans_in": "A0001", "amount": "88.88"}}},
		"sub_merchant":          object{"merchant_id": "m1"},
		"logistics_detail":      object{},
		"receiver_address_info": object{},
	}
}

func TestFieldsOfCreate(t *testing.T) {
	entry := object{"trans_in_type": "loginName", "trans_in": "A0001", "amount": "88.88"}
	runFieldCases(t, validCreate, []fieldCase{
		{"out_trade_no", "is required", keep, nil},
		{"out_trade_no", "has at most 64 characters", letters(64), letters(65)},
		{"out_trade_no", "has letters, digits and underscores only", "aZ_9", "a-1"},
		{"seller_id", "has at most 28 characters", chars(28), chars(29)},
		{"seller_id", "is a text", "s", 1},
		{"total_amount", "is required", keep, nil},
		{"discountable_amount", "is 0.01 or more", "0.01", "0.00"},
		{"discountable_amount", "is an amount", "1.5", "1.005"},
		{"undiscountable_amount", "is 0.01 or more", 0.01, 0},
		{"subject", "is required", keep, nil},
		{"subject", "is not blank", keep, "  "},
		{"subject", "is a text", keep, 16},
		{"subject", "has at most 256 characters", chars(256), chars(257)},
		{"subject", "has no slash", "50% + tea; \"fine\"", "tea/coffee"},
		{"subject", "has no equals sign", keep, "1=1"},
		{"subject", "has no ampersand", keep, "tea & coffee"},
		{"body", "has at most 128 characters", chars(128), chars(129)},
		{"buyer_id", "is a user id", keep, "1088102146225135"},
		{"buyer_open_id", "has at most 128 characters", chars(128), chars(129)},
		{"buyer_logon_id", "has at most 100 characters", chars(100), chars(101)},
		{"goods_detail", "is a list", []any{}, object{}},
		{"goods_detail", "has objects as entries", keep, []any{"tea"}},
		{"goods_detail.0.goods_id", "is required", keep, nil},
		{"goods_detail.0.goods_id", "has at most 32 characters", chars(32), chars(33)},
		{"goods_detail.0.goods_name", "is required", keep, nil},
		{"goods_detail.0.goods_name", "has at most 256 characters", chars(256), chars(257)},
		{"goods_detail.0.quantity", "is required", keep, nil},
		{"goods_detail.0.quantity", "is above zero", "1", 0},
		{"goods_detail.0.quantity", "is a whole number", 2, 1.5},
		{"goods_detail.0.quantity", "has at most 10 digits", "1234567890", "12345678901"},
		{"goods_detail.0.price", "is required", keep, nil},
		{"goods_detail.0.price", "may be zero, not below", "0", "-1"},
		{"goods_detail.0.price", "is at most 100000000", "100000000", "100000000.01"},
		{"goods_detail.0.goods_category", "has at most 24 characters", chars(24), chars(25)},
		{"goods_detail.0.categories_tree", "has at most 128 characters", chars(128), chars(129)},
		{"goods_detail.0.body", "has at most 1000 characters", chars(1000), chars(1001)},
		{"goods_detail.0.show_url", "has at most 400 characters", chars(400), chars(401)},
		{"goods_detail.0.alipay_goods_id", "is a text", "1", 1},
		{"goods_detail.0.out_item_id", "is a text", "1", 1},
		{"goods_detail.0.out_sku_id", "is a text", "1", 1},
		{"goods_detail.0.goods_ean_id", "is a text", "1", 1},
		{"operator_id", "has at most 28 characters", chars(28), chars(29)},
		{"store_id", "has at most 32 characters", chars(32), chars(33)},
		{"terminal_id", "has at most 32 characters", chars(32), chars(33)},
		{"alipay_store_id", "has at most 32 characters", chars(32), chars(33)},
		{"extend_params", "is an object", keep, "{}"},
		{"extend_params.sys_service_provider_id", "has at most 64 characters", chars(64), chars(65)},
		{"extend_params.industry_reflux_info", "has at most 512 characters", chars(512), chars(513)},
		{"extend_params.card_type", "has at most 32 characters", chars(32), chars(33)},
		{"timeout_express", "is a number with a unit", "90m", "90"},
		{"timeout_express", "has no leading zero", "1h", "01h"},
		{"timeout_express", "may be the end of the day", "1c", "2c"},
		{"time_expire", "is a text", "2026-01-01 18:00:00", 20260101},
		{"settle_info", "is an object", keep, "x"},
		{"settle_info.settle_detail_infos", "is required", keep, nil},
		{"settle_info.settle_detail_infos", "is not empty", keep, []any{}},
		{"settle_info.settle_detail_infos", "has at most one entry", list(1, entry), list(2, entry)},
		{"settle_info.settle_period_time", "is at most 365 days", "365d", "366d"},
		{"settle_info.settle_detail_infos.0.trans_in_type", "is required", keep, nil},
		{"settle_info.settle_detail_infos.0.trans_in_type", "is a word of the page", "defaultSettle", "nickname"},
		{"settle_info.settle_detail_infos.0.trans_in", "is required", keep, nil},
		{"settle_info.settle_detail_infos.0.trans_in", "has at most 64 characters", chars(64), chars(65)},
		{"settle_info.settle_detail_infos.0.summary_dimension", "has at most 64 characters", chars(64), chars(65)},
		{"settle_info.settle_detail_infos.0.settle_entity_id", "has at most 64 characters", chars(64), chars(65)},
		{"settle_info.settle_detail_infos.0.settle_entity_type", "is a word of the page", "Store", "Shop"},
		{"settle_info.settle_detail_infos.0.amount", "is required", keep, nil},
		{"settle_info.settle_detail_infos.0.actual_amount", "is an amount", "1", "0"},
		{"merchant_type", "is a word of the page", "merchant", "shop"},
		{"sub_merchant", "is an object", keep, "m1"},
		{"sub_merchant.merchant_id", "is required", keep, nil},
		{"sub_merchant.merchant_type", "is a word of the page", "alipay", "merchant"},
		{"logistics_detail", "is an object", keep, "EMS"},
		{"logistics_detail.logistics_type", "is a word of the page", "EMS", "PIGEON"},
		{"business_params", "is JSON in a text", `{"data":"1"}`, "data"},
		{"business_params", "may be an object, not a list", object{"data": "1"}, []any{}},
		{"business_params", "has at most 512 characters", jsonText(512), jsonText(513)},
		{"receiver_address_info", "is an object", keep, "x"},
		{"receiver_address_info.name", "has at most 512 characters", chars(512), chars(513)},
		{"receiver_address_info.address", "has at most 512 characters", chars(512), chars(513)},
		{"receiver_address_info.mobile", "has at most 60 characters", chars(60), chars(61)},
		{"receiver_address_info.zip", "has at most 40 characters", chars(40), chars(41)},
		{"receiver_address_info.division_code", "has at most 16 characters", chars(16), chars(17)},
		{"product_code", "is a text", "x", 1},
		{"op_app_id", "has at most 32 characters", chars(32), chars(33)},
		{"op_buyer_open_id", "has at most 128 characters", chars(128), chars(129)},
		{"passback_params", "has at most 512 characters", chars(512), chars(513)},
		{"query_options", "is a list", []any{"hyb_amount"}, "hyb_amount"},
		{"query_options", "has texts as entries", []any{}, []any{1}},
		{"enable_pay_channels", "is a text", "balance", 1},
		{"disable_pay_channels", "is a text", "balance", 1},
		{"merchant_order_no", "has at most 32 characters", chars(32), chars(33)},
		{"royalty_info", "is an object", object{}, "x"},
		{"agreement_sign_params", "is an object", object{}, "x"},
		{"ext_user_info", "is an object", object{}, "x"},
		{"bkagent_req_info", "is an object", object{}, "x"},
	}, checkCreate)
}

// minimalCreate has the required fields and a buyer.
func minimalCreate() object {
	return object{"out_trade_no": "o_1", "total_amount": "88.88", "subject": "tea", "buyer_id": buyer}
}

// Rules that concern more than one field, or the limits of the total.
func TestRulesAcrossFieldsOfCreate(t *testing.T) {
	settle := func(kind, to, amount string) object {
		return object{"settle_info": object{"settle_detail_infos": []any{object{"trans_in_type": kind, "trans_in": to, "amount": amount}}}}
	}
	for _, tt := range []struct {
		name      string
		good, bad object // replace members of minimalCreate; nil takes a member away
	}{
		{"the total is required", object{}, object{"total_amount": nil}},
		{"the total is 0.01 or more", object{"total_amount": "0.01"}, object{"total_amount": "0.00"}},
		{"the total is at most 100000000", object{"total_amount": "100000000"}, object{"total_amount": "100000000.01"}},
		{"the total may be a number", object{"total_amount": 88.88}, object{"total_amount": true}},
		{"two parts add up to the total",
			object{"discountable_amount": "80", "undiscountable_amount": "8.88"}, object{"discountable_amount": "80", "undiscountable_amount": "8.87"}},
		{"the discountable part is not above the total", object{"discountable_amount": "88.88"}, object{"discountable_amount": "88.89"}},
		{"the undiscountable part is not above the total", object{"undiscountable_amount": "88.88"}, object{"undiscountable_amount": "88.89"}},
		{"a buyer is named by open id", object{"buyer_id": nil, "buyer_open_id": "b"}, object{"buyer_id": nil}},
		{"a buyer is named by logon id", object{"buyer_id": nil, "buyer_logon_id": "b"}, object{"buyer_id": nil}},
		{"the settle amount is the total", settle("loginName", "A0001", "88.88"), settle("loginName", "A0001", "88.87")},
		{"a settle user is a user id", settle("userId", buyer, "88.88"), settle("userId", "A0001", "88.88")},
		{"the time limit is at most 15 days", object{"timeout_express": "15d"}, object{"timeout_express": "16d"}},
		{"the time limit is at most 15 days, in hours", object{"timeout_express": "360h"}, object{"timeout_express": "361h"}},
		{"the time limit is at most 15 days, in minutes", object{"timeout_express": "21600m"}, object{"timeout_express": "21601m"}},
		{"time_expire is a time", object{"time_expire": "2026-01-01 18:00:00"}, object{"time_expire": "tomorrow"}},
		{"one list of channels only", object{"enable_pay_channels": "balance"}, object{"enable_pay_channels": "balance", "disable_pay_channels": "pcredit"}},
		{"the buyer is not the payee of the request", object{"seller_id": seller}, object{"seller_id": buyer}},
		{"the buyer is not the owner of the account", object{"seller_id": buyer + "x"}, object{"buyer_id": seller}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, side := range []struct {
				changes object
				valid   bool
			}{{tt.good, true}, {tt.bad, false}} {
				content := minimalCreate()
				for name, value := range side.changes {
					set(content, []string{name}, value)
				}
				if err := checkCreate(parse(t, content)); (err == nil) != side.valid {
					t.Errorf("%v: %v", side.changes, err)
				}
			}
		})
	}
}

func TestVerdictsOfCreate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		changes object
		want    string
	}{
		{"a field of the table", object{"subject": nil}, "40004 ACQ.INVALID_PARAMETER"},
		{"a rule across fields", object{"buyer_id": nil}, "40004 ACQ.INVALID_PARAMETER"},
		{"the buyer pays himself", object{"buyer_id": seller}, "40004 ACQ.BUYER_SELLER_EQUAL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			content := minimalCreate()
			for name, value := range tt.changes {
				set(content, []string{name}, value)
			}
			if got := verdictOf(rules.CheckCreate(parse(t, content), seller)); got != tt.want {
				t.Errorf("verdict = %q, want %s", got, tt.want)
			}
		})
	}
}

func TestMembersOfNoPageAreIgnored(t *testing.T) {
	content := minimalCreate()
	content["of_no_page"], content["body"], content["store_id"] = []any{1}, nil, ""
	if err := checkCreate(parse(t, content)); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func TestFieldsOfQuery(t *testing.T) {
	valid := func() object { return object{"out_trade_no": "o_1"} }
	runFieldCases(t, valid, []fieldCase{
		{"out_trade_no", "or trade_no is required", keep, nil},
		{"out_trade_no", "has at most 64 characters", chars(64), chars(65)},
		{"trade_no", "has at most 64 characters", chars(64), chars(65)},
		{"org_pid", "has at most 16 characters", chars(16), chars(17)},
		{"query_options", "is a list of texts", []any{"fund_bill_list"}, []any{1}},
	}, rules.CheckQuery)
	if err := rules.CheckQuery(parse(t, object{"trade_no": "1"})); err != nil {
		t.Errorf("trade_no alone is refused: %v", err)
	}
}

func TestFieldsOfSync(t *testing.T) {
	valid := func() object {
		return object{"trade_no": "1", "out_request_no": "r1", "biz_type": "CREDIT_AUTH"}
	}
	runFieldCases(t, valid, []fieldCase{
		{"trade_no", "is required", keep, nil},
		{"trade_no", "has at most 64 characters", chars(64), chars(65)},
		{"out_request_no", "is required", keep, nil},
		{"out_request_no", "has at most 64 characters", chars(64), chars(65)},
		{"biz_type", "is required", keep, nil},
		{"biz_type", "is a word of the page", "CREDIT_DEDUCT", "CREDIT"},
		{"order_biz_info", "is JSON in a text", `{"status":"COMPLETE"}`, "status"},
		{"order_biz_info", "has at most 2018 characters", jsonText(2018), jsonText(2019)},
		{"order_biz_info", "names an agreed status", `{"status":"VIOLATED"}`, `{"status":"DONE"}`},
		{"orig_request_no", "has at most 64 characters", chars(64), chars(65)},
	}, func(c wire.Fields) error { return asError(rules.CheckSync(c)) })

	for want, content := range map[string]object{
		"40004 ACQ.INVALID_PARAMETER":     {},
		"40004 ACQ.NOTIFY_STATUS_INVALID": {"trade_no": "1", "out_request_no": "r1", "biz_type": "CREDIT_AUTH", "order_biz_info": `{"status":"DONE"}`},
	} {
		t.Run(want, func(t *testing.T) {
			if got := verdictOf(rules.CheckSync(parse(t, content))); got != want {
				t.Errorf("verdict = %q, want %s", got, want)
			}
		})
	}
}

func TestFieldsOfItemOrder(t *testing.T) {
	valid := func() object { return object{"order_no": "1"} }
	runFieldCases(t, valid, []fieldCase{
		{"order_no", "is required", keep, nil},
		{"order_no", "has at most 64 characters", chars(64), chars(65)},
	}, rules.CheckItemOrder)
}

func TestFieldsOfDownload(t *testing.T) {
	valid := func() object { return object{"alipay_cert_sn": "1"} }
	runFieldCases(t, valid, []fieldCase{
		{"alipay_cert_sn", "is required", keep, nil},
	}, func(c wire.Fields) error { return asError(rules.CheckDownload(c)) })
}

func TestSeller(t *testing.T) {
	for _, tt := range []struct {
		name    string
		content object
		want    string
	}{
		{"named by the request", object{"seller_id": buyer}, buyer},
		{"the contract account otherwise", object{}, seller},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := rules.Seller(parse(t, tt.content), seller); got != tt.want {
				t.Errorf("seller = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 1, 1, 18, 0, 0, 0, wire.Beijing)
	for _, tt := range []struct {
		name    string
		content object
		want    time.Time
	}{
		{"no limit in the request", object{}, now.Add(3 * time.Hour)},
		{"minutes", object{"timeout_express": "90m"}, now.Add(90 * time.Minute)},
		{"hours", object{"timeout_express": "2h"}, now.Add(2 * time.Hour)},
		{"days", object{"timeout_express": "3d"}, now.AddDate(0, 0, 3)},
		{"the end of the day in Beijing", object{"timeout_express": "1c"}, time.Date(2026, 1, 2, 0, 0, 0, 0, wire.Beijing)},
		{"an absolute time wins", object{"timeout_express": "90m", "time_expire": "2026-01-01 18:30:00"}, now.Add(30 * time.Minute)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := rules.Expiry(parse(t, tt.content), now.UTC(), 3*time.Hour); !got.Equal(tt.want) {
				t.Errorf("expires at %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFingerprint(t *testing.T) {
	const base = `{"out_trade_no":"o_1","total_amount":"88.80","subject":"ab","buyer_id":"1","body":"88.8"}`
	for _, tt := range []struct {
		name, text string
		same       bool
	}{
		{"another order of members, white space and escapes", `{ "subject":"a\u0062","out_trade_no":"o_1","body":"88.8","total_amount":"88.80","buyer_id":"1"}`, true},
		{"the amount as a number", `{"out_trade_no":"o_1","total_amount":88.8,"subject":"ab","buyer_id":"1","body":"88.8"}`, true},
		{"another buyer_id", `{"out_trade_no":"o_1","total_amount":"88.80","subject":"ab","buyer_id":"2","body":"88.8"}`, true},
		{"buyer_open_id in its place", `{"out_trade_no":"o_1","total_amount":"88.80","subject":"ab","buyer_open_id":"1","body":"88.8"}`, true},
		{"buyer_logon_id in its place", `{"out_trade_no":"o_1","total_amount":"88.80","subject":"ab","buyer_logon_id":"1","body":"88.8"}`, true},
		{"another amount", `{"out_trade_no":"o_1","total_amount":"88.81","subject":"ab","buyer_id":"1","body":"88.8"}`, false},
		{"another subject", `{"out_trade_no":"o_1","total_amount":"88.80","subject":"ac","buyer_id":"1","body":"88.8"}`, false},
		{"a text that only looks like an amount", `{"out_trade_no":"o_1","total_amount":"88.80","subject":"ab","buyer_id":"1","body":"88.80"}`, false},
		{"a member more", `{"out_trade_no":"o_1","total_amount":"88.80","subject":"ab","buyer_id":"1","body":"88.8","x":1}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			one, err1 := wire.ParseObject([]byte(base))
			other, err2 := wire.ParseObject([]byte(tt.text))
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if got := rules.Fingerprint(one) == rules.Fingerprint(other); got != tt.same {
				t.Errorf("same = %v, want %v", got, tt.same)
			}
			if one["buyer_id"] != "1" {
				t.Error("the content was changed")
			}
		})
	}
}
