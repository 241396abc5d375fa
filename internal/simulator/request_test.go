package simulator_test

import (
	"crypto"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// TestPublicParameters: cases that the vectors do not have.
func TestPublicParameters(t *testing.T) {
	const formType = "application/x-www-form-urlencoded;charset=utf-8"
	for _, tt := range []struct {
		name        string
		more        map[string]string // signed
		suffix      string            // appended to the body, unsigned
		contentType string
		want        string
	}{
		{"charset in query and body", nil, "&charset=utf-8", formType, "10000"}, // as go-pay does
		{"one name, two values", nil, "&charset=gbk", formType, "40002 isv.invalid-parameter"},
		{"no form", nil, "", "application/json", "40002 isv.invalid-content-type"},
		{"bad percent coding", nil, "&x=%zz", formType, "40002 isv.invalid-parameter"},
		{"other version", map[string]string{"version": "2.0"}, "", formType, "40002 isv.unsupported-version"},
		{"odd timestamp", map[string]string{"timestamp": "2026-01-01T00:00:00"}, "", formType, "40002 isv.invalid-timestamp"},
		{"no method", map[string]string{"method": absent}, "", formType, "40001 isv.missing-method"},
		{"encrypt_type without encryption", map[string]string{"encrypt_type": "AES"}, "", formType, "40003 isv.decryption-error-unknown"},
		{"another encrypt_type", map[string]string{"encrypt_type": "SM4"}, "", formType, "40002 isv.invalid-encrypt-type"},
		{"encrypt_type in small letters", map[string]string{"encrypt_type": "aes"}, "", formType, "40002 isv.invalid-encrypt-type"},
		{"notify_url without host", map[string]string{"notify_url": "/n"}, "", formType, "40002 isv.invalid-parameter"},
		{"long notify_url", map[string]string{"notify_url": "https://m.example/" + strings.Repeat("n", 256)}, "", formType, "40002 isv.invalid-parameter"},
		{"RSA without a key", map[string]string{"sign_type": "RSA"}, "", formType, "40003 isv.missing-signature-config"},
		{"lower-case format", map[string]string{"format": "json"}, "", formType, "10000"},
		{"Content-Type in capitals", nil, "", "application/x-www-form-urlencoded;charset=UTF-8", "10000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newHarness(t, simulator.Options{Trades: []simulator.Trade{{OutTradeNo: "1", Total: 1}}})
			query, body := form("alipay.trade.query", `{"out_trade_no":"1"}`, tt.more, generated().app.MerchantKey)
			got := b.read(b.send(query, body+tt.suffix, tt.contentType), &generated().app.App.SigningKey.PublicKey, crypto.SHA256)
			if text := strings.TrimSpace(got.code + " " + got.sub); text != tt.want {
				t.Errorf("answer = %s, want %s", text, tt.want)
			}
		})
	}
}

// TestFurtherFieldRules: rules of the newer SDK models, which the vectors do not have.
func TestFurtherFieldRules(t *testing.T) {
	for name, extra := range map[string]map[string]any{
		"both channel lists":         {"enable_pay_channels": "pcredit", "disable_pay_channels": "balance"},
		"query_options of numbers":   {"query_options": []any{1}},
		"query_options no list":      {"query_options": "hyb_amount"},
		"sub_merchant without id":    {"sub_merchant": map[string]any{"merchant_type": "alipay"}},
		"sub_merchant of other type": {"sub_merchant": map[string]any{"merchant_id": "1", "merchant_type": "merchant"}},
		"goods_detail no list":       {"goods_detail": map[string]any{}},
		"goods_detail of texts":      {"goods_detail": []any{"ipad"}},
		"extend_params as text":      {"extend_params": "{}"},
		"time_expire no time":        {"time_expire": "tomorrow"},
		"sixteen days":               {"timeout_express": "16d"},
		"part above total":           {"discountable_amount": "88.89"},
		"settle user is no user":     {"settle_info": map[string]any{"settle_detail_infos": []any{map[string]any{"trans_in_type": "userId", "trans_in": "A0001", "amount": "88.88"}}}},
		"business_params no JSON":    {"business_params": "data"},
		"no buyer":                   {"buyer_id": nil},
		"number as subject":          {"subject": 16},
		"blank subject":              {"subject": "  "},
	} {
		t.Run(name, func(t *testing.T) {
			b := newHarness(t, simulator.Options{})
			content := order("o_1")
			for k, v := range extra {
				content[k] = v
			}
			if got := b.call("alipay.trade.create", content, nil); got.sub != "ACQ.INVALID_PARAMETER" || !got.signed {
				t.Errorf("answer = %v", got.fields)
			}
		})
	}
	for name, text := range map[string]string{
		"twice the same member": `{"out_trade_no":"1","out_trade_no":"2"}`, "a list": `[]`, "more behind": `{} {}`,
		"too deep": strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "cut short": `{"a":[`,
	} {
		t.Run(name, func(t *testing.T) {
			if got := newHarness(t, simulator.Options{}).call("alipay.trade.query", text, nil); got.sub != "isv.invalid-parameter" {
				t.Errorf("answer = %v", got.fields)
			}
		})
	}
}

// TestSyncStatus: a status that no document names is refused with the code of the page.
func TestSyncStatus(t *testing.T) {
	b := newHarness(t, simulator.Options{Trades: []simulator.Trade{{OutTradeNo: "1", TradeNo: "1", Total: 1}}})
	got := b.call("alipay.trade.orderinfo.sync", map[string]any{"trade_no": "1", "out_request_no": "1", "biz_type": "CREDIT_AUTH", "order_biz_info": `{"status":"DONE"}`}, nil)
	if got.sub != "ACQ.NOTIFY_STATUS_INVALID" {
		t.Errorf("answer = %v", got.fields)
	}
}

func TestOtherAddressesAndMethods(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	get := func(method, target string) *http.Response {
		w := httptest.NewRecorder()
		b.sim.ServeHTTP(w, httptest.NewRequest(method, target, nil))
		return w.Result()
	}
	if got := get(http.MethodGet, "/"); got.StatusCode != http.StatusNotFound {
		t.Errorf("status = %d", got.StatusCode)
	}
	if got := b.read(get(http.MethodPut, "/gateway.do"), nil, crypto.SHA256); got.code != "40002" || got.name != "error_response" {
		t.Errorf("answer = %+v", got)
	}
	// A proxy's request target: the signature covers path and query only.
	r := hkRequest(hkBody("M-1", start), start, generated().hk.MerchantKey)
	r.RequestURI = "http://open.alipay.hk" + simulator.HKPath
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, r)
	if got := readHK(t, w.Result(), simulator.HKPath, &generated().hk.App.PlatformKey.PublicKey); got.result != "SUCCESS/S" || !got.signed {
		t.Errorf("absolute form: %+v", got)
	}
}

// TestJitterIsSeeded: the same seed, order and attempt give the same latency, within the limits.
func TestJitterIsSeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fixed, jitter = time.Second, 20 * time.Second
		waits := func(seed uint64) (out []time.Duration) {
			b := newHarness(t, simulator.Options{Seed: seed, Now: time.Now, Latency: simulator.Latency{Fixed: fixed, Jitter: jitter}})
			for range 5 {
				began := time.Now()
				b.call("alipay.trade.query", map[string]any{"out_trade_no": "x"}, nil)
				out = append(out, time.Since(began))
			}
			return out
		}
		one, again, two := waits(1), waits(1), waits(2)
		if !slices.Equal(one, again) || slices.Equal(one, two) || one[0] == one[1] {
			t.Errorf("seed 1: %v; again: %v; seed 2: %v", one, again, two)
		}
		if slices.Min(one) < fixed-1 || slices.Max(one) > fixed+jitter {
			t.Errorf("outside %s to %s: %v", fixed, fixed+jitter, one)
		}
	})
}

// TestFurtherHKBodies: cases that the vectors do not have.
func TestFurtherHKBodies(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"extInfo missing":         {"extInfo": nil},
		"extInfo as text":         {"extInfo": "{}"},
		"no user":                 {"userId": " "},
		"userId as number":        {"userId": 2160120051483575},
		"time zero":               {"orderModifyTime": 0},
		"time with exponent":      {"orderModifyTime": json.RawMessage("1.7e12")},
		"amount as number":        {"amount": 100},
		"value as number":         {"amount": map[string]any{"value": 100, "currency": "HKD"}},
		"currency missing":        {"payAmount": map[string]any{"value": "100"}},
		"biz type in small print": {"merchantBizType": "trade_order"},
	} {
		t.Run(name, func(t *testing.T) {
			var body map[string]any
			if err := json.Unmarshal([]byte(hkBody("M-1", start)), &body); err != nil {
				t.Fatal(err)
			}
			body["orderCreateTime"], body["orderModifyTime"] = 1716340300000, 1716340341000 // not as floats
			for k, v := range change {
				body[k] = v
			}
			if got := newHarness(t, simulator.Options{}).hk(string(must(json.Marshal(body)))); got.result != "PARAM_ILLEGAL/F" || !got.signed {
				t.Errorf("result = %s, signed %v", got.result, got.signed)
			}
		})
	}
}

// BenchmarkCreate measures one signed create in BenchMode with a replayed signature: the cost of the
// simulator for each call of a benchmark.
func BenchmarkCreate(b *testing.B) {
	bb := newHarness(b, simulator.Options{BenchMode: true})
	query, body := form("alipay.trade.create", string(must(json.Marshal(order("o_1")))), nil, generated().app.MerchantKey)
	bb.send(query, body, "application/x-www-form-urlencoded;charset=utf-8")
	b.ReportAllocs()
	for b.Loop() {
		bb.send(query, body, "application/x-www-form-urlencoded;charset=utf-8")
	}
}
