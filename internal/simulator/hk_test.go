package simulator_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/rules"
)

// updateStep is one step of testdata/alipayhk/order_modify_time_idempotency.json.
type updateStep struct {
	Step     int             `json:"step"`
	Why      string          `json:"why"`
	ClientID string          `json:"client_id"`
	Request  json.RawMessage `json:"request"`
	Inject   string          `json:"inject"`
	Expect   struct {
		Result    string `json:"result"`
		Processed bool   `json:"processed"`
		Stored    struct {
			OrderStatus     string `json:"orderStatus"`
			OrderModifyTime int64  `json:"orderModifyTime"`
		} `json:"stored"`
		OrderIDOf *string `json:"order_id_of"` // the vectors' name of the order; null: no orderId
	} `json:"expect"`
}

func TestHKOrderOfUpdates(t *testing.T) {
	var v struct {
		ID     string       `json:"id"`
		What   string       `json:"what"`
		MadeBy string       `json:"made_by"`
		Steps  []updateStep `json:"steps"`
	}
	load(t, "alipayhk/order_modify_time_idempotency.json", &v)
	clients := []simulator.HKApp{generated().hk.App, generated().hk.App} // two clients with the same key
	clients[0].ClientID, clients[1].ClientID = "C1", "C2"
	sim, err := simulator.New(simulator.Options{HKApps: clients, Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	b := &harness{t: t, sim: sim, now: start}
	ids := map[string]string{} // orderId by the vectors' name of the order
	for _, s := range v.Steps {
		b.inject(s.Inject)
		before := sim.Totals().Executions
		got := b.hkAs(s.ClientID, string(s.Request))
		if got.result != s.Expect.Result || !got.signed {
			t.Errorf("step %d: %s (signed %v), want %s", s.Step, got.result, got.signed, s.Expect.Result)
		}
		if processed := sim.Totals().Executions > before; processed != s.Expect.Processed {
			t.Errorf("step %d: processed = %v, want %v (%s)", s.Step, processed, s.Expect.Processed, s.Why)
		}
		checkOrderID(t, s, got.orderID, ids)
		checkStored(t, s, sim.HKOrders())
	}
}

// inject adds the fault that a step names.
func (b *harness) inject(what string) {
	f := simulator.Refuse(simulator.HKOrderSync, "UNKNOWN_EXCEPTION").WithCode("U")
	switch what {
	case "":
	case "UNKNOWN_EXCEPTION before commit":
		b.sim.AddFault(f)
	case "UNKNOWN_EXCEPTION after commit":
		b.sim.AddFault(f.AfterEffect())
	default:
		b.t.Fatalf("unknown fault %q", what)
	}
}

// checkOrderID checks that an order keeps its id, and that no two orders have the same.
func checkOrderID(t *testing.T, s updateStep, got string, ids map[string]string) {
	t.Helper()
	if s.Expect.OrderIDOf == nil {
		if got != "" {
			t.Errorf("step %d: a failure has an orderId", s.Step)
		}
		return
	}
	name := *s.Expect.OrderIDOf
	for other, id := range ids {
		if (id == got) != (other == name) {
			t.Errorf("step %d: orderId of %s = %q, of %s = %q", s.Step, name, got, other, id)
		}
	}
	ids[name] = got
}

func checkStored(t *testing.T, s updateStep, orders []simulator.HKOrder) {
	t.Helper()
	var o struct {
		MerchantBizNo string `json:"merchantBizNo"`
	}
	if err := json.Unmarshal(s.Request, &o); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(orders, func(x simulator.HKOrder) bool { return x.ClientID == s.ClientID && x.BizNo == o.MerchantBizNo })
	if i < 0 {
		t.Fatalf("step %d: nothing stored", s.Step)
	}
	want := s.Expect.Stored
	if orders[i].Status != want.OrderStatus || orders[i].ModifyTime != want.OrderModifyTime {
		t.Errorf("step %d: stored %+v, want %+v", s.Step, orders[i], want)
	}
}

// hkAs sends a body as another client that has the same key.
func (b *harness) hkAs(client, body string) hkAnswer {
	b.t.Helper()
	r := hkRequest(body, b.now, generated().hk.MerchantKey)
	when := r.Header.Get("Request-Time")
	sig := rsaSign(generated().hk.MerchantKey, []byte("POST "+simulator.HKPath+"\n"+client+"."+when+"."+body))
	r.Header.Set("Client-Id", client)
	r.Header.Set("Signature", "signature="+base64.RawURLEncoding.EncodeToString(sig)+", keyVersion=1") // another allowed form
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, r)
	return readHK(b.t, w.Result(), simulator.HKPath, &generated().hk.App.PlatformKey.PublicKey)
}

// TestHKBodies: where the documents leave a rule open, both settings are tested.
func TestHKBodies(t *testing.T) {
	var v struct {
		ID     string `json:"id"`
		What   string `json:"what"`
		MadeBy string `json:"made_by"`
		Cases  []struct {
			ID       string          `json:"id"`
			Why      string          `json:"why"`
			Evidence string          `json:"evidence"`
			Body     json.RawMessage `json:"body"`
			Expect   string          `json:"expect"`
		} `json:"cases"`
	}
	load(t, "alipayhk/body_rules.json", &v)
	lax := rules.HK{LongRequestID: true, Seconds: true, BizTypes: []string{"TRADE_ORDER", "SERVICE_ORDER"}}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			strict := newHarness(t, simulator.Options{HK: rules.HK{OrderedTimes: true}}).hk(string(c.Body)).result
			open := newHarness(t, simulator.Options{HK: lax}).hk(string(c.Body)).result
			want := map[string][2]string{
				"valid":         {"SUCCESS/S", "SUCCESS/S"},
				"PARAM_ILLEGAL": {"PARAM_ILLEGAL/F", "PARAM_ILLEGAL/F"},
				"configurable":  {"PARAM_ILLEGAL/F", "SUCCESS/S"},
			}[c.Expect]
			if got := [2]string{strict, open}; got != want {
				t.Errorf("strict and open = %v, want %v (%s)", got, want, c.Why)
			}
		})
	}
}

// vectorHK returns a simulator with the HK keys of the vectors, and its public key.
func vectorHK(t *testing.T, client string, at time.Time) (*simulator.Simulator, *rsa.PublicKey) {
	t.Helper()
	k := vectorKeys(t, "alipayhk/keys.json")
	platform := privateKey(t, k["platform_rsa_v1"]["private_pkcs8_pem"])
	s, err := simulator.New(simulator.Options{Now: func() time.Time { return at }, HKApps: []simulator.HKApp{{
		ClientID: client, PlatformKey: platform, MerchantKeys: map[string]*rsa.PublicKey{
			"1": &privateKey(t, k["merchant_rsa_v1"]["private_pkcs8_pem"]).PublicKey,
			"2": &privateKey(t, k["merchant_rsa_v2"]["private_pkcs8_pem"]).PublicKey,
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, &platform.PublicKey
}

// hkTime is the time of almost all HK vectors.
var hkTime = time.UnixMilli(1716340341000)

// TestHKSignedRequests: signatures made with OpenSSL verify, and fail if one byte is added.
func TestHKSignedRequests(t *testing.T) {
	type bytesOf struct {
		Text   string `json:"text"`
		Base64 string `json:"base64"`
		Bytes  int    `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
	var v struct {
		ID       string `json:"id"`
		What     string `json:"what"`
		MadeBy   string `json:"made_by"`
		Rule     string `json:"rule"`
		KeysFile string `json:"keys_file"`
		Cases    []struct {
			ID          string  `json:"id"`
			Why         string  `json:"why"`
			Method      string  `json:"method"`
			Path        string  `json:"path"`
			ClientID    string  `json:"client_id"`
			RequestTime string  `json:"request_time"`
			Key         string  `json:"key"`
			Body        bytesOf `json:"body"`
			Content     bytesOf `json:"content_to_sign"`
			Signature   string  `json:"signature_base64"`
			Escaped     string  `json:"signature_urlencoded"`
			Header      string  `json:"signature_header"`
		} `json:"cases"`
	}
	load(t, "alipayhk/request_signed_rsa256.json", &v)
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			body, err := base64.StdEncoding.DecodeString(c.Body.Base64)
			if err != nil {
				t.Fatal(err)
			}
			send := func(body []byte) hkAnswer {
				sim, key := vectorHK(t, c.ClientID, hkTime)
				r := httptest.NewRequest(c.Method, c.Path, bytes.NewReader(body))
				r.Header = http.Header{"Content-Type": {"application/json"}, "Client-Id": {c.ClientID}, "Request-Time": {c.RequestTime}, "Signature": {c.Header}}
				w := httptest.NewRecorder()
				sim.ServeHTTP(w, r)
				return readHK(t, w.Result(), c.Path, key)
			}
			if got := send(body); got.result == "INVALID_SIGNATURE/F" || got.result == "KEY_NOT_FOUND/F" || !got.signed {
				t.Errorf("genuine: %s, signed %v", got.result, got.signed)
			}
			if got := send(append(body, ' ')); got.result != "INVALID_SIGNATURE/F" || got.signed {
				t.Errorf("changed: %s, signed %v", got.result, got.signed)
			}
		})
	}
}

func TestHKSignatureHeaders(t *testing.T) {
	type signedRequest struct {
		Method      string `json:"method"`
		Path        string `json:"path"`
		ClientID    string `json:"client_id"`
		RequestTime string `json:"request_time"`
		Key         string `json:"key"`
		Signature   string `json:"signature_base64"`
		Body        struct {
			Text   string `json:"text"`
			Base64 string `json:"base64"`
			Bytes  int    `json:"bytes"`
			SHA256 string `json:"sha256"`
		} `json:"body"`
	}
	var v struct {
		ID       string        `json:"id"`
		What     string        `json:"what"`
		MadeBy   string        `json:"made_by"`
		KeysFile string        `json:"keys_file"`
		Signed   signedRequest `json:"signed"`
		Cases    []struct {
			ID     string `json:"id"`
			Header string `json:"header"`
			Why    string `json:"why"`
			Level  string `json:"level"`
			Expect struct {
				Parses       bool `json:"parses"`
				Verifies     bool `json:"verifies"`
				AfterBlanks  bool `json:"parses_after_removing_blanks"`
				Base64Chars  int  `json:"base64_chars"`
				DecodedBytes int  `json:"decoded_bytes"`
			} `json:"expect"`
		} `json:"cases"`
	}
	load(t, "alipayhk/signature_header_parsing.json", &v)
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			sim, key := vectorHK(t, v.Signed.ClientID, hkTime)
			r := httptest.NewRequest(v.Signed.Method, v.Signed.Path, strings.NewReader(v.Signed.Body.Text))
			r.Header = http.Header{"Content-Type": {"application/json"}, "Client-Id": {v.Signed.ClientID}, "Request-Time": {v.Signed.RequestTime}, "Signature": {c.Header}}
			w := httptest.NewRecorder()
			sim.ServeHTTP(w, r)
			got := readHK(t, w.Result(), v.Signed.Path, key)
			if ok := got.result == "SUCCESS/S"; ok != c.Expect.Verifies {
				t.Errorf("result = %s, want verified %v (%s)", got.result, c.Expect.Verifies, c.Why)
			}
		})
	}
}

func TestHKRequestTimes(t *testing.T) {
	var v struct {
		ID     string `json:"id"`
		What   string `json:"what"`
		MadeBy string `json:"made_by"`
		Cases  []struct {
			Text    string `json:"text"`
			Accept  bool   `json:"accept"`
			EpochMS *int64 `json:"epoch_ms"`
			Why     string `json:"why"`
		} `json:"cases"`
	}
	load(t, "alipayhk/request_time_formats.json", &v)
	for _, c := range v.Cases {
		t.Run(c.Text, func(t *testing.T) {
			b := newHarness(t, simulator.Options{Now: func() time.Time { return hkTime }, HK: rules.HK{Skew: time.Second}})
			body := hkBody("M-1", hkTime)
			r := hkRequest(body, hkTime, generated().hk.MerchantKey)
			sig := rsaSign(generated().hk.MerchantKey, []byte("POST "+simulator.HKPath+"\n"+clientID+"."+c.Text+"."+body))
			r.Header.Set("Request-Time", c.Text)
			r.Header.Set("Signature", "signature="+base64.StdEncoding.EncodeToString(sig))
			w := httptest.NewRecorder()
			b.sim.ServeHTTP(w, r)
			got := readHK(t, w.Result(), simulator.HKPath, &generated().hk.App.PlatformKey.PublicKey)
			if ok := got.result == "SUCCESS/S"; ok != c.Accept {
				t.Errorf("result = %s, want accepted %v (%s)", got.result, c.Accept, c.Why)
			}
		})
	}
}

// TestHKOrderOfChecks: each request has this and every later defect, so that the first one answers.
func TestHKOrderOfChecks(t *testing.T) {
	b := newHarness(t, simulator.Options{})
	defects := []struct {
		want   string
		signed bool
		with   func(*http.Request)
	}{
		{"INVALID_API/F", true, func(r *http.Request) { r.URL.Path += "x"; r.RequestURI += "x" }},
		{"METHOD_NOT_SUPPORTED/F", true, func(r *http.Request) { r.Method = http.MethodPut }},
		{"MEDIA_TYPE_NOT_ACCEPTABLE/F", true, func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }},
		{"INVALID_CLIENT/F", false, func(r *http.Request) { r.Header.Set("Client-Id", "nobody") }},
		{"KEY_NOT_FOUND/F", false, func(r *http.Request) { r.Header.Set("Signature", "keyVersion=9,signature=AAAA") }},
		{"PARAM_ILLEGAL/F", true, func(r *http.Request) { r.Header.Set("Request-Time", start.Add(6*time.Minute).Format(time.RFC3339)) }},
		{"INVALID_SIGNATURE/F", false, func(r *http.Request) { r.Header.Set("Signature", "signature=AAAA") }},
		{"PARAM_ILLEGAL/F", true, func(*http.Request) {}},
	}
	for i := range defects {
		t.Run(defects[i].want, func(t *testing.T) {
			r := hkRequest(`{}`, b.now, generated().hk.MerchantKey)
			for j := len(defects) - 1; j >= i; j-- {
				defects[j].with(r)
			}
			if defects[i].signed {
				r.Header.Set("Client-Id", clientID) // only a known client gets a signed answer
			}
			path, method := r.RequestURI, r.Method
			w := httptest.NewRecorder()
			b.sim.ServeHTTP(w, r)
			got := readHK(t, w.Result(), path, &generated().hk.App.PlatformKey.PublicKey)
			if got.result != defects[i].want {
				t.Errorf("result = %s", got.result)
			}
			if method == http.MethodPost && got.signed != defects[i].signed {
				t.Errorf("signed = %v", got.signed)
			}
		})
	}
}
