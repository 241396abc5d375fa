package order_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

const (
	buyerID    = "2088102146225135"
	buyerLogon = "159****5620"
	buyerName  = "Zhang San"
)

// personalAnswer is what alipay.trade.query may say, with members that no document names.
const personalAnswer = `{"code":"10000", "msg":"Success","trade_no":"2013112011001004330000121536","out_trade_no":"o_1",
 "buyer_logon_id":"159****5620","buyer_user_id":"2088102146225135","buyer_user_name":"Zhang San","total_amount":"88.88","trade_status":"TRADE_SUCCESS",
 "fund_bill_list":[{"fund_channel":"ALIPAYACCOUNT","amount":10.0,"account_of":"2088102146225135"}],"point_amount":10,"empty":"","none":null,
 "new_in_2027":{"who":"Zhang San","code":"10000","deep":[["2088102146225135",true,1e3]]},"buyer_user_id.x":"Zhang San","c\u006fde":"10000"}`

func maskedSnapshot() order.Snapshot {
	s := order.Snapshot{OrderNo: "o_1", BuyerUserID: buyerID, BuyerLogonID: buyerLogon, BuyerUserName: buyerName, BuyerOpenID: buyerID,
		PassbackParams: buyerName, StoreName: "store", BodyJSON: personalAnswer,
		Items:    []alipay.ItemOrderLine{{SKUID: "sku", ExtInfo: buyerName}},
		More:     map[string]string{"who": `"` + buyerName + `"`, "out_trade_no": `"o_2"`, "people": `[{"name":"Zhang San"}]`},
		Unparsed: map[string]string{"total_amount": `"88.888"`, "buyer_user_id": buyerID, "new": `{"x":"Zhang San"}`}}
	return s
}

func maskerOf(t *testing.T, o order.MaskOptions) *order.Masker {
	t.Helper()
	m, err := order.NewMasker(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A member that we forgot to name is hidden: no published record has a buyer's values.
func TestO7_MaskedByDefault(t *testing.T) {
	for name, m := range map[string]*order.Masker{
		"no masker": nil, "no options": maskerOf(t, order.MaskOptions{}), "a key": maskerOf(t, order.MaskOptions{Key: make([]byte, 32)}),
		"another topic is clear": maskerOf(t, order.MaskOptions{Clear: map[string][]string{"other": order.MaskedFields()}}),
	} {
		t.Run(name, func(t *testing.T) {
			c := codec(t).WithMasker(m)
			snapshot, err := c.EncodeSnapshot(t.Context(), "snapshots", maskedSnapshot())
			if err != nil {
				t.Fatal(err)
			}
			result, err := c.EncodeResult(t.Context(), "results", order.Result{BuyerUserID: buyerID, BuyerOpenID: buyerID, ReplyJSON: personalAnswer})
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range [][]byte{snapshot, result} {
				for _, secret := range []string{buyerID, buyerLogon, buyerName} {
					if bytes.Contains(value, []byte(secret)) {
						t.Errorf("%q is published: %q", secret, value)
					}
				}
			}
			for _, kept := range []string{"store", "sku", `"total_amount":"88.88"`, `"amount":10.0`, `"o_2"`, `"88.888"`, `"empty":"","none":null`} {
				if !bytes.Contains(snapshot, []byte(kept)) {
					t.Errorf("%s is hidden: %q", kept, snapshot)
				}
			}
		})
	}
}

func TestO7_MaskedTextStaysJSON(t *testing.T) {
	got := decoded(t, nil, maskedSnapshot())
	want := `{"code":"10000", "msg":"Success","trade_no":"2013112011001004330000121536","out_trade_no":"o_1",
 "buyer_logon_id":"masked","buyer_user_id":"masked","buyer_user_name":"masked","total_amount":"88.88","trade_status":"TRADE_SUCCESS",
 "fund_bill_list":[{"fund_channel":"ALIPAYACCOUNT","amount":10.0,"account_of":"masked"}],"point_amount":10,"empty":"","none":null,
 "new_in_2027":{"who":"masked","code":"masked","deep":[["masked","masked","masked"]]},"buyer_user_id.x":"masked","c\u006fde":"10000"}`
	if got.BodyJSON != want {
		t.Errorf("got  %s\nwant %s", got.BodyJSON, want)
	}
	wantMore := map[string]string{"who": `"masked"`, "out_trade_no": `"o_2"`, "people": `[{"name":"masked"}]`}
	if !reflect.DeepEqual(got.More, wantMore) {
		t.Errorf("more: got %v, want %v", got.More, wantMore)
	}
}

func decoded(t *testing.T, m *order.Masker, s order.Snapshot) order.Snapshot {
	t.Helper()
	c := codec(t).WithMasker(m)
	value, err := c.EncodeSnapshot(t.Context(), "snapshots", s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.DecodeSnapshot(t.Context(), "snapshots", value)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// One person has one mask, as a field and in a text, and another under another key.
func TestO7_KeyedMasks(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	a, b := decoded(t, maskerOf(t, order.MaskOptions{Key: key}), maskedSnapshot()), decoded(t, maskerOf(t, order.MaskOptions{Key: make([]byte, 32)}), maskedSnapshot())
	if !strings.HasPrefix(a.BuyerUserID, "hmac:") || len(a.BuyerUserID) != len("hmac:")+32 || a.BuyerUserID != a.BuyerOpenID {
		t.Errorf("the same id is %s and %s", a.BuyerUserID, a.BuyerOpenID)
	}
	if a.BuyerUserID == b.BuyerUserID || a.BuyerUserID == a.BuyerUserName {
		t.Errorf("two keys or two values give %s", a.BuyerUserID)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(a.BodyJSON), &body); err != nil || body["buyer_user_id"] != a.BuyerUserID {
		t.Errorf("in the text: %v, %v; want %s", body["buyer_user_id"], err, a.BuyerUserID)
	}
}

func TestO7_ClearByTopicAndField(t *testing.T) {
	m := maskerOf(t, order.MaskOptions{Clear: map[string][]string{"snapshots": {"buyer_user_id", "more", "item_order_vo[].ext_info"}}})
	got := decoded(t, m, maskedSnapshot())
	if got.BuyerUserID != buyerID || got.BuyerLogonID != "" || got.More["who"] != `"`+buyerName+`"` || got.PassbackParams != "" || got.Items[0].ExtInfo != buyerName {
		t.Errorf("cleared buyer_user_id, more and an item's ext_info, got %+v", got)
	}
	if !strings.Contains(got.BodyJSON, `"buyer_user_id":"`+buyerID+`"`) || strings.Contains(got.BodyJSON, buyerName) {
		t.Errorf("a cleared field is cleared in texts, and it alone: %s", got.BodyJSON)
	}
}

func TestO7_MaskerRefuses(t *testing.T) {
	for name, o := range map[string]order.MaskOptions{
		"a short key":               {Key: make([]byte, 31)},
		"a field that is no one's":  {Clear: map[string][]string{"t": {"trade_no"}}},
		"a field that is not there": {Clear: map[string][]string{"t": {"buyer"}}},
	} {
		if _, err := order.NewMasker(o); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if m := maskerOf(t, order.MaskOptions{Key: []byte("SECRET-SECRET-SECRET-SECRET-SECRET")}); strings.Contains(fmt.Sprintf("%v %+v %s", m, m, m), "SECRET") {
		t.Error("the key is printed")
	}
}

// FuzzMask masks any answer: JSON stays JSON, and no text of an unknown member stays.
func FuzzMask(f *testing.F) {
	f.Add(personalAnswer)
	f.Add(`[1,"a",{"b":[]}]`)
	f.Add(`"\""`)
	c := codec(f)
	f.Fuzz(func(t *testing.T, text string) {
		value, err := c.EncodeSnapshot(t.Context(), "s", order.Snapshot{More: map[string]string{"unknown": text}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.DecodeSnapshot(t.Context(), "s", value)
		if err != nil {
			t.Fatal(err)
		}
		masked := got.More["unknown"]
		if json.Valid([]byte(text)) != (masked != "") || masked != "" && !json.Valid([]byte(masked)) {
			t.Fatalf("%q became %q", text, masked)
		}
		for _, leaf := range leaves(masked) {
			if leaf != "masked" && leaf != "" && leaf != nil {
				t.Errorf("%q shows %v", text, leaf)
			}
		}
	})
}

// leaves returns what a JSON text holds at its ends.
func leaves(text string) []any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return nil
	}
	var list []any
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		default:
			list = append(list, v)
		}
	}
	walk(v)
	return list
}
