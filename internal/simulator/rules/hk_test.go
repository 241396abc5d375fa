package rules_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// Order times of the valid body, in milliseconds.
const (
	made    = 1716340300000
	changed = 1716340341000
)

// validHK has all required members and all amounts.
func validHK() object {
	amount := func() object { return object{"value": "100", "currency": "HKD"} }
	return object{
		"requestId": "r1", "tradeNo": "t1", "merchantBizNo": "m1", "merchantBizType": "TRADE_ORDER", "orderStatus": "PAID",
		"orderCreateTime": made, "orderModifyTime": changed, "userId": "u1", "extInfo": object{},
		"amount": amount(), "payAmount": amount(), "discountAmount": amount(),
	}
}

func TestFieldsOfHK(t *testing.T) {
	strict := rules.HK{BizTypes: []string{"TRADE_ORDER"}}
	runFieldCases(t, validHK, []fieldCase{
		{"requestId", "is required", keep, nil},
		{"requestId", "is a text", keep, 1},
		{"requestId", "is not blank", keep, " "},
		{"requestId", "has at most 32 characters", chars(32), chars(33)},
		{"tradeNo", "is required", keep, nil},
		{"merchantBizNo", "is required", keep, nil},
		{"merchantBizType", "is required", keep, nil},
		{"merchantBizType", "is TRADE_ORDER", keep, "trade_order"},
		{"orderStatus", "is required", keep, nil},
		{"merchantId", "is a text", "m", 1},
		{"userId", "is a text", keep, 1},
		{"userId", "or openId is required", keep, nil},
		{"userId", "is not blank", keep, " "},
		{"openId", "is a text", "o", 1},
		{"extInfo", "is required", keep, nil},
		{"extInfo", "is an object", keep, "{}"},
		{"amount", "is an object", nil, 100},
		{"amount.value", "is a text", keep, 100},
		{"amount.value", "is cents", "0", "1.00"},
		{"amount.value", "has at most 64 digits", strings.Repeat("1", 64), strings.Repeat("1", 65)},
		{"amount.currency", "is required", keep, nil},
		{"amount.currency", "is a code of three capitals", "USD", "hkd"},
		{"payAmount.value", "is cents", keep, "x"},
		{"discountAmount.value", "is cents", keep, "x"},
		{"orderCreateTime", "is required", keep, nil},
		{"orderCreateTime", "is a number", keep, "1716340300000"},
		{"orderCreateTime", "is above zero", keep, 0},
		{"orderCreateTime", "is in milliseconds", 100_000_000_000, 99_999_999_999},
		{"orderModifyTime", "is required", keep, nil},
		{"orderModifyTime", "is a whole number", keep, 1716340341000.5},
		{"orderModifyTime", "is above zero", keep, -1},
		{"orderModifyTime", "is in milliseconds", keep, 1716340341},
	}, strict.CheckBody)

	withOpenID := validHK()
	delete(withOpenID, "userId")
	withOpenID["openId"], withOpenID["of_no_page"] = "o1", 1
	if err := strict.CheckBody(parse(t, withOpenID)); err != nil {
		t.Errorf("openId alone, and an unknown member: %v", err)
	}
}

// Where the documents are open, each switch changes one answer.
func TestSwitchesOfHK(t *testing.T) {
	for _, tt := range []struct {
		name            string
		path            string
		value           any
		on              rules.HK
		withOn, withOff bool // with the switch on, and off
	}{
		{"LongRequestID accepts a dashed UUID", "requestId", "d1c221e1-5993-4162-bdbf-f06f33389472", rules.HK{LongRequestID: true}, true, false},
		{"Seconds accepts ten digits", "orderModifyTime", 1716340341, rules.HK{Seconds: true}, true, false},
		{"Seconds still wants a time above zero", "orderModifyTime", 0, rules.HK{Seconds: true}, false, false},
		{"OrderedTimes refuses a change before the creation", "orderModifyTime", made - 1, rules.HK{OrderedTimes: true}, false, true},
		{"OrderedTimes accepts equal times", "orderModifyTime", made, rules.HK{OrderedTimes: true}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := parse(t, with(validHK, tt.path, tt.value))
			tt.on.BizTypes = []string{"TRADE_ORDER"}
			if err := tt.on.CheckBody(body); (err == nil) != tt.withOn {
				t.Errorf("on: %v", err)
			}
			if err := (rules.HK{BizTypes: tt.on.BizTypes}).CheckBody(body); (err == nil) != tt.withOff {
				t.Errorf("off: %v", err)
			}
		})
	}
	t.Run("BizTypes accepts a further type", func(t *testing.T) {
		body := parse(t, with(validHK, "merchantBizType", "SERVICE_ORDER"))
		if err := (rules.HK{BizTypes: []string{"TRADE_ORDER", "SERVICE_ORDER"}}).CheckBody(body); err != nil {
			t.Error(err)
		}
	})
}

func TestWholeNumber(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    any
		want int64
		ok   bool
	}{
		{"whole", json.Number("1716340341000"), 1716340341000, true},
		{"negative", json.Number("-1"), -1, true},
		{"with a fraction", json.Number("1.0"), 0, false},
		{"with an exponent", json.Number("1e3"), 0, false},
		{"too large", json.Number("9223372036854775808"), 9223372036854775807, false},
		{"a text", "1", 0, false},
		{"absent", wire.Fields{}["x"], 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := rules.WholeNumber(tt.v); got != tt.want || ok != tt.ok {
				t.Errorf("got %d, %v, want %d, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
