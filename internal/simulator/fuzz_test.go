package simulator_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// FuzzGateway: the classic gateway answers any request in its form. With sign true the content is
// correctly signed, so that the fuzzer also reaches the rules of the pages.
func FuzzGateway(f *testing.F) {
	f.Add("app_id=1&method=alipay.trade.create", "biz_content=%7B%7D", "application/x-www-form-urlencoded", false)
	f.Add("charset=gbk&sign=%FF", "a=%zz&&=", "text/plain; charset=gbk", false)
	f.Add("alipay.trade.create", `{"out_trade_no":"o_1","total_amount":88.88,"subject":"s","buyer_id":"2088102146225135","goods_detail":[{}]}`, "", true)
	f.Add("alipay.trade.query", `{"out_trade_no":null,"trade_no":[[[[]]]]}`, "", true)
	f.Add("alipay.trade.orderinfo.sync", `{"trade_no":"1","out_request_no":"1","biz_type":"CREDIT_AUTH","order_biz_info":"{"}`, "", true)
	f.Fuzz(func(t *testing.T, query, body, contentType string, sign bool) {
		b := newHarness(t, simulator.Options{Trades: []simulator.Trade{{OutTradeNo: "1", TradeNo: "1", Total: 1}}})
		if sign {
			query, body = form(query, body, nil, generated().app.MerchantKey)
			contentType = "application/x-www-form-urlencoded;charset=utf-8"
		}
		r := httptest.NewRequest(http.MethodPost, "/gateway.do", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		b.sim.ServeHTTP(w, r)
		var top map[string]json.RawMessage
		if err := json.Unmarshal(toUTF8(w.Body.Bytes()), &top); err != nil || w.Code != http.StatusOK {
			t.Fatalf("status %d, answer %q: %v", w.Code, w.Body, err)
		}
		delete(top, "sign")
		for name, node := range top {
			var n struct{ Code, Msg string }
			if err := json.Unmarshal(node, &n); err != nil || n.Code == "" || n.Msg == "" || len(top) != 1 || !strings.HasSuffix(name, "_response") {
				t.Fatalf("answer %q: %v", w.Body, err)
			}
		}
	})
}

// toUTF8 lets encoding/json read an answer in any charset; only its structure matters here.
func toUTF8(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("?")) }

// FuzzHK: the same for the HK gateway.
func FuzzHK(f *testing.F) {
	f.Add("{}", "2026-01-01T10:00:00Z", "algorithm=RSA256,keyVersion=1,signature=AAAA", "application/json", false)
	f.Add(hkBody("M-1", start), "1767261600000", "signature=%zz", "text/plain", true)
	f.Add(`{"requestId":{"a":[1e400]},"amount":{"value":"1"}}`, "", ",,=,==", "application/json; charset=gbk", true)
	f.Fuzz(func(t *testing.T, body, when, sig, contentType string, sign bool) {
		b := newHarness(t, simulator.Options{})
		r := hkRequest(body, b.now, generated().hk.MerchantKey)
		if !sign {
			r.Header.Set("Request-Time", when)
			r.Header.Set("Signature", sig)
			r.Header.Set("Content-Type", contentType)
		}
		w := httptest.NewRecorder()
		b.sim.ServeHTTP(w, r)
		got := readHK(t, w.Result(), simulator.HKPath, &generated().hk.App.PlatformKey.PublicKey)
		if w.Code != http.StatusOK || len(got.result) < 3 || !strings.Contains("SFU", got.result[len(got.result)-1:]) {
			t.Fatalf("status %d, result %q", w.Code, got.result)
		}
		if sign && !got.signed {
			t.Fatalf("%s is unsigned", got.result)
		}
		if at, err := time.Parse(time.RFC3339, w.Header().Get("Response-Time")); got.signed && (err != nil || !at.Equal(start)) {
			t.Fatalf("Response-Time = %v, %v", at, err)
		}
	})
}
