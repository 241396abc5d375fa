package gateway_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// The tests of this file each fail if one step of a rule is left out that no vector needs.

// TestDisbeliefNamesItsStep: the error of a call says which step failed.
func TestDisbeliefNamesItsStep(t *testing.T) {
	const node = `{"code":"10000","out_trade_no":"ORD_1","trade_no":"2"}`
	good := signedAnswer(t, alipay.MethodTradeQuery, node)
	for _, tt := range []struct{ name, body, step string }{
		{"two nodes", strings.Replace(good, "{", `{"error_response":{"code":"40004"},`, 1), "cut"},
		{"a signed node after another one", strings.Replace(good, "{", `{"error_response":`+node+`,`, 1), "cut"},
		{"an error after the signed node", strings.TrimSuffix(good, "}") + `,"error_response":{"code":"40004"}}`, "cut"},
		{"a changed byte", strings.Replace(good, "10000", "10003", 1), "signature"},
		{"a sign that is not Base64", strings.Replace(good, `"sign":"`, `"sign":"*`, 1), "signature"},
		{"a member twice", signedAnswer(t, alipay.MethodTradeQuery, `{"code":"10000","code":"10000"}`), "cut"},
		{"a member twice, unsigned", `{"alipay_trade_query_response":{"code":"20000","code":"40004"}}`, "cut"},
		{"not an object", signedAnswer(t, alipay.MethodTradeQuery, `[1]`), "node"},
		{"another order", signedAnswer(t, alipay.MethodTradeQuery, strings.Replace(node, "ORD_1", "ORD_2", 1)), "request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := call(t, answering(200, tt.body), alipaytest.Query())
			var step *gateway.StepError
			if alipay.ClassOf(err) != alipay.Untrusted || !errors.As(err, &step) || step.Step != tt.step {
				t.Errorf("%v at %+v, want Untrusted at %s", err, step, tt.step)
			}
		})
	}
}

// TestUnsignedRefusalAcceptsNoKey: only a signed business answer proves that Alipay knows our key,
// so that a later refusal is a change of keys.
func TestUnsignedRefusalAcceptsNoKey(t *testing.T) {
	const refusal = `{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}`
	for name, first := range map[string]string{
		"unsigned": `{"alipay_trade_query_response":` + refusal + `}`, "signed": signedAnswer(t, alipay.MethodTradeQuery, refusal),
	} {
		t.Run(name, func(t *testing.T) {
			later := &keyedGateway{t: t, key: &nextKey().PublicKey}
			calls := 0
			app := openAPI(t, func(w http.ResponseWriter, r *http.Request) {
				if calls++; calls == 1 {
					answering(200, first)(w, r)
					return
				}
				later.ServeHTTP(w, r)
			}, func(o *gateway.OpenAPIOptions) { o.NextSigner = keys.NewRSASigner(nextKey()) })
			c := app.Client(alipay.Merchant{})
			_, _ = c.Do(t.Context(), alipaytest.Query())
			want := map[string]alipay.Class{"unsigned": alipay.Misconfigured, "signed": alipay.Transient}[name]
			if _, err := c.Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != want {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}

const (
	hkFailed  = `{"result":{"resultCode":"PROCESS_FAIL","resultStatus":"F"}}`
	hkUnknown = `{"result":{"resultCode":"UNKNOWN_EXCEPTION","resultStatus":"U"}}`
)

// TestHKHeaders: half a signature, two of them or another client's are refused, for every answer.
func TestHKHeaders(t *testing.T) {
	for _, tt := range []struct {
		name, signature string
		change          func(http.Header)
	}{
		{"a second Signature", "valid", func(h http.Header) { h.Add("Signature", "x") }},
		{"a second Response-Time", "valid", func(h http.Header) { h.Add("Response-Time", "x") }},
		{"a second Client-Id", "valid", func(h http.Header) { h["Client-Id"] = []string{hkClientID, "x"} }},
		{"another client", "valid", func(h http.Header) { h.Set("Client-Id", "x") }},
		{"another client, unsigned", "absent", func(h http.Header) { h.Set("Client-Id", "x") }},
		{"no Response-Time", "valid", func(h http.Header) { h["Response-Time"] = nil }},
		{"no Signature", "valid", func(h http.Header) { h["Signature"] = nil }},
		{"encrypted, but not signed", "absent", func(h http.Header) { h.Set("Encrypt", "algorithm=RSA_AES,symmetricKey=AAAA") }},
	} {
		for kind, body := range map[string]string{"success": hkSuccess, "retry": hkUnknown} {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				rep, err := hkApp(t, func(w http.ResponseWriter, r *http.Request) {
					hkSigned(t, 200, body, tt.signature, hkNow)(&changedHeader{w, tt.change}, r)
				}).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
				var step *gateway.StepError
				if alipay.ClassOf(err) != alipay.Untrusted || rep.Verified || !errors.As(err, &step) || step.Step != "signature" {
					t.Errorf("%v at %+v, verified %v", err, step, rep.Verified)
				}
			})
		}
	}
}

// changedHeader changes the header of an answer before it is sent.
type changedHeader struct {
	http.ResponseWriter
	change func(http.Header)
}

func (c *changedHeader) WriteHeader(status int) {
	c.change(c.Header())
	c.ResponseWriter.WriteHeader(status)
}

// TestHKStatuses: an HTTP status that says failure is stronger than a body that says otherwise.
func TestHKStatuses(t *testing.T) {
	for _, tt := range []struct {
		name, body, signature string
		status                int
		want                  alipay.Class
		message               string
	}{
		{"a signed refusal with 503", hkFailed, "valid", 503, alipay.Transient, "HTTP status 503"},
		{"a signed refusal with 429", hkFailed, "valid", 429, alipay.Throttled, "HTTP status 429"},
		{"a signed refusal with 302", hkFailed, "valid", 302, alipay.Misconfigured, "HTTP status 302"},
		{"a signed success with 302", hkSuccess, "valid", 302, alipay.Ambiguous, "HTTP status 302"},
		{"an unsigned success with 302", hkSuccess, "absent", 302, alipay.Misconfigured, "HTTP status 302"},
		{"a signed success with 404", hkSuccess, "valid", 404, alipay.Ambiguous, "a success with a failure status"},
		{"a signed success with 202", hkSuccess, "valid", 202, alipay.Ambiguous, "a success with a failure status"},
		{"an unsigned success with 200", hkSuccess, "absent", 200, alipay.Untrusted, "not signed"},
		{"a signed refusal with 300", hkFailed, "valid", 300, alipay.Misconfigured, "HTTP status 300"},
		{"a signed refusal with 400", hkFailed, "valid", 400, alipay.Rejected, ""},
		{"a signed refusal with 499", hkFailed, "valid", 499, alipay.Rejected, ""},
		{"a signed refusal with 500", hkFailed, "valid", 500, alipay.Transient, "HTTP status 500"},
		{"a page with 404", "<html>", "absent", 404, alipay.Misconfigured, "HTTP status 404"},
		{"no result with 404", "{}", "absent", 404, alipay.Misconfigured, "HTTP status 404"},
		{"no result with 200", "{}", "absent", 200, alipay.Ambiguous, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := hkApp(t, hkSigned(t, tt.status, tt.body, tt.signature, hkNow)).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			var e *alipay.Error
			if !errors.As(err, &e) || e.Class != tt.want || e.Message != tt.message {
				t.Errorf("%v, want %v, %q", err, tt.want, tt.message)
			}
		})
	}
}

// TestHKEncryptComesOnce: of two headers that say how to read a body neither is believed.
func TestHKEncryptComesOnce(t *testing.T) {
	app := hkApp(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Encrypt"] = []string{"", "algorithm=RSA_AES,symmetricKey=AAAA"}
		hkSigned(t, 200, hkSuccess, "valid", hkNow)(w, r)
	})
	if _, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync()); alipay.ClassOf(err) != alipay.Untrusted {
		t.Errorf("%v", err)
	}
}

// TestHKAcceptedNamesItsOrder: an order that AlipayHK accepted has a number there already.
func TestHKAcceptedNamesItsOrder(t *testing.T) {
	app := hkApp(t, hkSigned(t, 200, hkBody("A", "ACCEPT", "202611290001"), "valid", hkNow))
	rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
	if alipay.ClassOf(err) != alipay.Accepted || rep.HKOrderID != "202611290001" {
		t.Errorf("%v, order %q", err, rep.HKOrderID)
	}
}

// TestHKEchoOfTheToken: a body that holds the token of its request is not kept.
func TestHKEchoOfTheToken(t *testing.T) {
	body := strings.Replace(hkSuccess, "SUCCESS", tokenCanary, 1)
	rep, err := hkApp(t, hkSigned(t, 200, body, "valid", hkNow)).Client(alipay.Merchant{AgentToken: tokenCanary}).Do(t.Context(), alipaytest.HKOrderSync())
	if err != nil || !rep.Verified || rep.Body != nil || rep.Code != "withheld" {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestNotificationOfAnyTypeIsOurs: the app id is checked for messages that are not trades too,
// and before any signature.
func TestNotificationOfAnyTypeIsOurs(t *testing.T) {
	v, err := gateway.NewVerifier(gateway.VerifierOptions{AppID: "1", AlipayKey: &theirKey().PublicKey, AuthAppID: "9"})
	if err != nil {
		t.Fatal(err)
	}
	other := func(p map[string]string) { p["app_id"], p["notify_type"] = "2", "open_app_auth_notify" }
	for name, key := range map[string]func() []byte{
		"signed":    func() []byte { return notify(t, theirKey(), tradeParams(other)) },
		"by others": func() []byte { return notify(t, ourKey(), tradeParams(other)) },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Notification(key()); !errors.Is(err, gateway.ErrNotOurs) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestNotificationCannotChooseItsSignType: sign_type is not signed, so only the configured one
// is accepted.
func TestNotificationCannotChooseItsSignType(t *testing.T) {
	v, err := gateway.NewVerifier(gateway.VerifierOptions{AppID: "1", AlipayKey: &theirKey().PublicKey, SellerIDs: []string{"2088102146225135"}})
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(notify(t, theirKey(), tradeParams(nil))))
	if err != nil {
		t.Fatal(err)
	}
	for signType, want := range map[string]error{"RSA2": nil, "RSA": gateway.ErrForged, "rsa2": gateway.ErrForged} {
		t.Run(signType, func(t *testing.T) {
			form.Set("sign_type", signType)
			if _, err := v.Notification([]byte(form.Encode())); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
}

// TestExpiredCertificateSignsNothing: the installed certificate of Alipay is trusted only within
// its validity.
func TestExpiredCertificateSignsNothing(t *testing.T) {
	v := alipaytest.Load[responses](t, "openapi/responses.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	for _, c := range v.Cases {
		if c.ID != "cert_sn_first" {
			continue
		}
		r, _ := c.request(t)
		for name, tt := range map[string]struct {
			at   time.Time
			want alipay.Class
		}{
			"before": {time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), alipay.Untrusted}, "within": {alipaytest.CertTime, alipay.Done},
			"after": {time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), alipay.Untrusted},
		} {
			t.Run(name, func(t *testing.T) {
				o := c.options(t, keyVectors, v.AESKey)
				o.Certificates = alipaytest.CertificatesAt(t, tt.at)
				if _, err := gateway.OpenAnswer(o, r, c.HTTP.Body); alipay.ClassOf(err) != tt.want {
					t.Errorf("%v, want %v", err, tt.want)
				}
			})
		}
		return
	}
	t.Fatal("no answer in certificate mode")
}
