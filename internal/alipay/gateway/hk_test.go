package gateway_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

const (
	hkClientID = "4Q5Y8W0WSG45P907917"
	hkURLPath  = "/api/open/alipay/v1/merchant/order/sync"
)

// hkNow is the time of the vectors.
var hkNow = time.Date(2024, 5, 22, 9, 12, 21, 0, time.FixedZone("", 8*60*60))

type hkText struct {
	Text, SHA256 string
	Base64       []byte
	Bytes        int
}

// hkRequests is testdata/alipayhk/request_signed_rsa256.json.
type hkRequests struct {
	ID, What, Rule string
	MadeBy         string `json:"made_by"`
	KeysFile       string `json:"keys_file"`
	Cases          []struct {
		ID, Why, Method, Path, Key string
		ClientID                   string `json:"client_id"`
		Time                       string `json:"request_time"`
		Body                       hkText
		Content                    hkText `json:"content_to_sign"`
		Signature                  []byte `json:"signature_base64"`
		URLEncoded                 string `json:"signature_urlencoded"`
		Header                     string `json:"signature_header"`
	}
}

// hkResponse is a case of response_signed_rsa256.json and response_negative.json.
type hkResponse struct {
	ID, Why    string
	HTTPStatus int `json:"http_status"`
	Request    struct {
		Method, Path string
		ClientID     string `json:"client_id"`
	}
	Key       string
	Headers   map[string]string
	Body      hkText
	Content   hkText `json:"content_to_verify"`
	Signature []byte `json:"signature_base64"`
	Expect    struct {
		Verified, Trusted bool
		Outcome           string
	}
}

type hkResponses struct {
	ID, What string
	MadeBy   string `json:"made_by"`
	KeysFile string `json:"keys_file"`
	Cases    []hkResponse
}

// hkKey is one private key of the vectors.
func hkKey(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	key, err := keys.ParsePrivate(alipaytest.Armour(alipaytest.Load[alipaytest.HKKeys](t, "alipayhk/keys.json").Keys[name].PKCS8PEM))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// hkApp returns a client whose gateway is h, with the keys and the clock of the vectors.
func hkApp(t testing.TB, h http.HandlerFunc, change ...func(*gateway.HKOptions)) *gateway.App {
	t.Helper()
	o := gateway.HKOptions{
		URL: "http://hk.test", ClientID: hkClientID, Signer: keys.NewRSASigner(hkKey(t, "merchant_rsa_v1")),
		PlatformKeys: map[string]*rsa.PublicKey{
			"1": &hkKey(t, "platform_rsa_v1").PublicKey, "2": &hkKey(t, "platform_rsa_v2").PublicKey,
		},
		DialContext: serve(t, h).dial, Now: func() time.Time { return hkNow },
	}
	for _, c := range change {
		c(&o)
	}
	app, err := gateway.NewHK(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	return app
}

// TestHKSigningVectors: content to sign, signature and header of each request, exactly.
func TestHKSigningVectors(t *testing.T) {
	v := alipaytest.Load[hkRequests](t, "alipayhk/request_signed_rsa256.json")
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			content := gateway.HKContent(c.Path, c.ClientID, c.Time, c.Body.Base64)
			if !bytes.Equal(content, c.Content.Base64) {
				t.Errorf("content = %q, want %q", content, c.Content.Text)
			}
			version := "1"
			if c.Key == "merchant_rsa_v2" {
				version = "2"
			}
			sig := sign(t, hkKey(t, c.Key), content)
			if sig != base64.StdEncoding.EncodeToString(c.Signature) {
				t.Error("signature differs")
			}
			if got := gateway.FormatHKSignature("RSA256", version, c.Signature); got != c.Header || !strings.HasSuffix(got, c.URLEncoded) {
				t.Errorf("header = %q, want %q", got, c.Header)
			}
		})
	}
	t.Logf("alipayhk/request_signed_rsa256.json: %d cases", len(v.Cases))
}

// TestHKRequestOnTheWire: a whole request of the vectors, made by the client.
func TestHKRequestOnTheWire(t *testing.T) {
	v := alipaytest.Load[hkRequests](t, "alipayhk/request_signed_rsa256.json")
	c := v.Cases[0] // full_unescaped_utf8: every documented field
	r, err := alipaytest.HKRequestOf(c.Body.Base64)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan *http.Request, 1)
	var body []byte
	app := hkApp(t, func(w http.ResponseWriter, req *http.Request) {
		body, _ = io.ReadAll(req.Body)
		seen <- req
	})
	_, _ = app.Client(alipay.Merchant{AgentToken: "agent-1"}).Do(t.Context(), r)
	req := <-seen
	if !bytes.Equal(body, c.Body.Base64) {
		t.Errorf("body = %s, want %s", body, c.Body.Text)
	}
	if req.Method != c.Method || req.RequestURI != c.Path {
		t.Errorf("%s %s", req.Method, req.RequestURI)
	}
	for name, want := range map[string]string{
		"Client-Id": c.ClientID, "Request-Time": c.Time, "Signature": c.Header, "Content-Type": "application/json; charset=UTF-8",
		"Agent-Token": "agent-1", "Accept-Encoding": "identity", "Traceparent": "", "Cookie": "", "Encrypt": "",
	} {
		t.Run(name, func(t *testing.T) {
			if got := req.Header.Get(name); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// answer replays the answer of a case.
func (c hkResponse) answer(w http.ResponseWriter, _ *http.Request) {
	for name, value := range c.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(c.HTTPStatus)
	_, _ = w.Write(c.Body.Base64)
}

// TestHKGoodAnswers: every signed answer of the vectors verifies.
func TestHKGoodAnswers(t *testing.T) {
	v := alipaytest.Load[hkResponses](t, "alipayhk/response_signed_rsa256.json")
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			rep, err := hkApp(t, c.answer).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			if !rep.Verified || alipay.ClassOf(err) == alipay.Untrusted || !bytes.Equal(rep.Body, c.Body.Base64) {
				t.Errorf("verified %v, %v", rep.Verified, err)
			}
			want := map[string]alipay.Class{"S": alipay.Done, "F": alipay.Rejected, "U": alipay.Transient, "A": alipay.Accepted}
			if got := alipay.ClassOf(err); got != want[rep.ResultStatus] {
				t.Errorf("class = %v, want %v", got, want[rep.ResultStatus])
			}
			if rep.ResultStatus == "S" && (rep.HKOrderID == "" || rep.OutTradeNo != "20240522000001" || rep.TraceID == "") {
				t.Errorf("reply %+v", rep)
			}
		})
	}
	t.Logf("alipayhk/response_signed_rsa256.json: %d cases", len(v.Cases))
}

// TestHKBadAnswers: no answer of the negative vectors is believed.
func TestHKBadAnswers(t *testing.T) {
	v := alipaytest.Load[hkResponses](t, "alipayhk/response_negative.json")
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			rep, err := hkApp(t, c.answer).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			want := alipay.Untrusted
			if strings.HasPrefix(c.Expect.Outcome, "accept as an unauthenticated failure: retry") {
				want = alipay.Transient
			} else if !strings.HasPrefix(c.Expect.Outcome, "reject") {
				t.Errorf("outcome %q is not known", c.Expect.Outcome)
			}
			if got := alipay.ClassOf(err); got != want || rep.Verified || rep.Body != nil {
				t.Errorf("class = %v, verified %v, want %v (%s)", got, rep.Verified, want, c.Why)
			}
		})
	}
	t.Logf("alipayhk/response_negative.json: %d cases", len(v.Cases))
}

// hkSigned answers with a body that is signed as asked, at a time.
func hkSigned(t testing.TB, status int, body, signature string, at time.Time) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text := at.Format(time.RFC3339)
		content := gateway.HKContent(r.RequestURI, r.Header.Get("Client-Id"), text, []byte(body))
		key := hkKey(t, "platform_rsa_v1")
		switch signature {
		case "absent":
			answering(status, body)(w, r)
			return
		case "invalid":
			key = hkKey(t, "stranger_rsa")
		}
		sig, _ := base64.StdEncoding.DecodeString(sign(t, key, content))
		w.Header().Set("Response-Time", text)
		w.Header().Set("Signature", gateway.FormatHKSignature("RSA256", "1", sig))
		answering(status, body)(w, r)
	}
}

// hkPolicy are rows whose class the design overrules.
var hkPolicy = map[string]alipay.Class{
	// An unsigned F is believed only where it says that we were not recognised.
	"f_unsigned_param": alipay.Untrusted,
}

// TestHKReactions: each answer of the vectors has the class of its row.
func TestHKReactions(t *testing.T) {
	v := alipaytest.Load[struct {
		ID, What string
		MadeBy   string `json:"made_by"`
		Cases    []struct {
			ID, Body, Note, Evidence string
			Status                   int    `json:"http_status"`
			Signature                string `json:"response_signature"`
			Expect                   struct {
				Class   string
				Retry   bool
				Breaker bool `json:"breaker_failure"`
			}
		}
	}](t, "alipayhk/result_reactions.json")
	classes := map[string]alipay.Class{
		"success": alipay.Done, "accepted": alipay.Accepted, "rejected": alipay.Rejected, "misconfigured": alipay.Misconfigured,
		"transient": alipay.Transient, "throttled": alipay.Throttled, "ambiguous": alipay.Ambiguous, "untrusted": alipay.Untrusted,
	}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			rep, err := hkApp(t, hkSigned(t, c.Status, c.Body, c.Signature, hkNow)).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			want, ok := classes[c.Expect.Class]
			if !ok {
				t.Fatalf("class %q is not known", c.Expect.Class)
			}
			if p, ok := hkPolicy[c.ID]; ok {
				want = p
			}
			got := alipay.ClassOf(err)
			if got != want {
				t.Errorf("class = %v, want %v (%v)", got, want, err)
			}
			if breakerFailure(err) != c.Expect.Breaker {
				t.Errorf("breaker counts %v, vector %v", breakerFailure(err), c.Expect.Breaker)
			}
			if rep.Verified && c.Signature != "valid" {
				t.Error("verified")
			}
		})
	}
	t.Logf("alipayhk/result_reactions.json: %d cases, %d against the row", len(v.Cases), len(hkPolicy))
}

// TestHKSuccessMustBeFresh: an old signed success that is sent again is not believed.
func TestHKSuccessMustBeFresh(t *testing.T) {
	const body = `{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"},"orderId":"1"}`
	for age, want := range map[time.Duration]alipay.Class{
		4 * time.Minute: alipay.Done, -4 * time.Minute: alipay.Done, 6 * time.Minute: alipay.Untrusted, -6 * time.Minute: alipay.Untrusted,
	} {
		t.Run(age.String(), func(t *testing.T) {
			_, err := hkApp(t, hkSigned(t, 200, body, "valid", hkNow.Add(-age))).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			if got := alipay.ClassOf(err); got != want {
				t.Errorf("%v old: class = %v, want %v", age, got, want)
			}
		})
	}
}

// TestHKCodes: codes of the family's table that no vector has, signed and not.
func TestHKCodes(t *testing.T) {
	for _, tt := range []struct {
		status, code, signature string
		want                    alipay.Class
	}{
		{"U", "REQUEST_TRAFFIC_EXCEED_LIMIT", "valid", alipay.Throttled},
		{"U", "REQUEST_TRAFFIC_EXCEED_LIMIT", "absent", alipay.Throttled},
		{"F", "PARAM_ILLEGAL", "valid", alipay.Rejected},
		{"F", "PROCESS_FAIL", "valid", alipay.Rejected},
		{"F", "PROCESS_FAIL", "absent", alipay.Untrusted},
		{"F", "KEY_NOT_FOUND", "absent", alipay.Misconfigured},
		{"F", "METHOD_NOT_SUPPORTED", "absent", alipay.Misconfigured},
		{"F", "INVALID_CONTRACT", "valid", alipay.Misconfigured},
		{"F", "ACCESS_DENIED", "absent", alipay.Untrusted},
		{"A", "ACCEPT", "absent", alipay.Untrusted},
		{"S", "SUCCESS", "absent", alipay.Untrusted},
		{"X", "NEW", "valid", alipay.Ambiguous},
		{"X", "NEW", "absent", alipay.Ambiguous},
	} {
		t.Run(tt.status+" "+tt.code+" "+tt.signature, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"result": map[string]string{"resultStatus": tt.status, "resultCode": tt.code}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = hkApp(t, hkSigned(t, 200, string(body), tt.signature, hkNow)).Client(alipay.Merchant{}).Do(t.Context(), alipaytest.HKOrderSync())
			var e *alipay.Error
			if errors.As(err, &e); e == nil || e.Class != tt.want {
				t.Errorf("%s %s %s: %v, want %v", tt.status, tt.code, tt.signature, err, tt.want)
			}
			if e != nil && e.Class == alipay.Misconfigured && (e.Scope == alipay.ScopeNone || tt.signature == "absent" && e.Proof != alipay.ProofCanary) {
				t.Errorf("%s: scope %v, proof %v", tt.code, e.Scope, e.Proof)
			}
		})
	}
}
