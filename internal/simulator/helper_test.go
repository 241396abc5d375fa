package simulator_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
	"alipay-kafka-bridge/internal/simulator/wire"
)

const (
	appID    = "2021000000000001" // of the vectors
	clientID = "4Q5Y8W0WSG45P907917"
)

// start is the time at which the clock of most tests starts.
var start = time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)

// load reads a vector file; an unknown member fails the test.
func load(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + path)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// loadLoose reads only the members of a vector file that a test needs.
func loadLoose(t testing.TB, path string, into any) {
	t.Helper()
	var raw json.RawMessage
	load(t, path, &raw)
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// vectorKeys returns the keys of a key file, by name.
func vectorKeys(t testing.TB, path string) map[string]map[string]any {
	t.Helper()
	var file struct {
		Keys map[string]map[string]any `json:"keys"`
	}
	text, err := os.ReadFile("testdata/" + path)
	if err != nil {
		t.Fatal(err)
	}
	// The vectors have <5d> for the five dashes of PEM, so that scanners for secrets do not report them.
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("<5d>"), []byte("-----")), &file); err != nil {
		t.Fatal(err)
	}
	return file.Keys
}

func privateKey(t testing.TB, text any) *rsa.PrivateKey {
	t.Helper()
	b, _ := pem.Decode([]byte(text.(string)))
	if b == nil {
		t.Fatal("no PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*rsa.PrivateKey)
}

// generated returns the apps of tests that need no vector; their keys are generated once.
var generated = sync.OnceValue(func() (out struct {
	app standalone.GeneratedApp
	hk  standalone.GeneratedHKApp
}) {
	var err error
	out.app, err = standalone.GenerateApp(appID, simulator.Merchant{Name: "shop-b", SellerID: "2088000000000002", AppAuthToken: "token-b"})
	if err == nil {
		out.hk, err = standalone.GenerateHKApp(clientID)
	}
	if err != nil {
		panic(err)
	}
	return out
})

// harness is a simulator, with a client for each gateway that signs by the documents.
type harness struct {
	t   testing.TB
	sim *simulator.Simulator
	now time.Time // moved by tests
}

// newHarness returns a simulator with generated keys and a clock that the test moves.
func newHarness(t testing.TB, o simulator.Options) *harness {
	t.Helper()
	b := &harness{t: t, now: start}
	o.Apps = []simulator.App{generated().app.App}
	o.HKApps = []simulator.HKApp{generated().hk.App}
	if o.Quirks == nil {
		o.Quirks = []wire.Quirk{}
	}
	if o.Now == nil {
		o.Now = func() time.Time { return b.now }
	}
	var err error
	if b.sim, err = simulator.New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

// signed adds sign to the parameters.
func signed(p map[string]string, k *rsa.PrivateKey) url.Values {
	names, form := []string{}, url.Values{}
	for n, v := range p {
		form.Set(n, v)
		names = append(names, n)
	}
	slices.Sort(names)
	var parts []string
	for _, n := range names {
		parts = append(parts, n+"="+p[n])
	}
	form.Set("sign", base64.StdEncoding.EncodeToString(rsaSign(k, []byte(strings.Join(parts, "&")))))
	return form
}

func rsaSign(k *rsa.PrivateKey, content []byte) []byte {
	sum := sha256.Sum256(content)
	sig, err := rsa.SignPKCS1v15(nil, k, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return sig
}

// absent leaves a parameter out of a form.
const absent = "\x00"

// form returns a signed request to the classic gateway, with all parameters but biz_content in the query.
func form(method, content string, more map[string]string, k *rsa.PrivateKey) (query, body string) {
	p := map[string]string{
		"app_id": appID, "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2",
		"timestamp": "2026-01-01 18:00:00", "version": "1.0", "biz_content": content,
	}
	for n, v := range more {
		p[n] = v
		if v == absent {
			delete(p, n)
		}
	}
	v := signed(p, k)
	body = url.Values{"biz_content": v["biz_content"]}.Encode()
	v.Del("biz_content")
	return v.Encode(), body
}

// classic is an answer of the classic gateway.
type classic struct {
	name   string
	code   string
	sub    string
	fields map[string]any
	signed bool // it has a sign that verifies
	sign   string

	certSN    string
	encrypted bool
}

// call sends business content and reads the answer.
func (b *harness) call(method string, content any, more map[string]string) classic {
	b.t.Helper()
	text, ok := content.(string)
	if !ok {
		raw, err := json.Marshal(content)
		if err != nil {
			b.t.Fatal(err)
		}
		text = string(raw)
	}
	query, body := form(method, text, more, generated().app.MerchantKey)
	return b.read(b.send(query, body, "application/x-www-form-urlencoded;charset=utf-8"), &generated().app.App.SigningKey.PublicKey, crypto.SHA256)
}

// send passes a request to the classic gateway directly to the handler.
func (b *harness) send(query, body, contentType string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "/gateway.do?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, r)
	return w.Result()
}

// read reads an answer of the classic gateway and verifies its signature if it has one.
func (b *harness) read(r *http.Response, key *rsa.PublicKey, h crypto.Hash) classic {
	b.t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return readClassic(b.t, raw, key, h)
}

func readClassic(t testing.TB, raw []byte, key *rsa.PublicKey, h crypto.Hash) classic {
	t.Helper()
	var top map[string]json.RawMessage
	err := json.Unmarshal(raw, &top)
	if err != nil {
		t.Fatalf("answer %q: %v", raw, err)
	}
	var out classic
	for name, value := range top {
		switch name {
		case "sign":
			if err := json.Unmarshal(value, &out.sign); err != nil {
				t.Fatal(err)
			}
			continue
		case "alipay_cert_sn":
			if err := json.Unmarshal(value, &out.certSN); err != nil {
				t.Fatal(err)
			}
			continue
		}
		out.name = name
		if value[0] == '"' {
			out.encrypted = true
			value = decryptNode(t, value)
		}
		if err := json.Unmarshal(value, &out.fields); err != nil {
			t.Fatalf("answer %q: %v", raw, err)
		}
		out.code, _ = out.fields["code"].(string)
		out.sub, _ = out.fields["sub_code"].(string)
	}
	if out.sign != "" {
		sig, err := base64.StdEncoding.DecodeString(out.sign)
		if err != nil {
			t.Fatal(err)
		}
		hash := h.New()
		hash.Write(top[out.name])
		out.signed = rsa.VerifyPKCS1v15(key, h, hash.Sum(nil), sig) == nil
	}
	return out
}

// aesKey is the AES key of the vectors (keys.json, "aes_key_base64").
const aesKey = "MDEyMzQ1Njc4OWFiY2RlZg=="

// decryptNode decrypts a node with aesKey.
func decryptNode(t testing.TB, value []byte) []byte {
	t.Helper()
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	key, err2 := base64.StdEncoding.DecodeString(aesKey)
	if err != nil || err2 != nil || len(raw)%aes.BlockSize != 0 {
		t.Fatalf("node %q: %v, %v", text, err, err2)
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCDecrypter(b, make([]byte, aes.BlockSize)).CryptBlocks(raw, raw)
	return raw[:len(raw)-int(raw[len(raw)-1])]
}

// hkAnswer is an answer of the HK gateway.
type hkAnswer struct {
	result  string // "SUCCESS/S"
	orderID string
	signed  bool // its Signature header verifies
	header  http.Header
}

// hkRequest returns a signed request to the HK gateway.
func hkRequest(body string, at time.Time, k *rsa.PrivateKey) *http.Request {
	when := at.Format(time.RFC3339)
	content := "POST " + simulator.HKPath + "\n" + clientID + "." + when + "." + body
	r := httptest.NewRequest(http.MethodPost, simulator.HKPath, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	r.Header.Set("Client-Id", clientID)
	r.Header.Set("Request-Time", when)
	r.Header.Set("Signature", "algorithm=RSA256,keyVersion=1,signature="+
		url.QueryEscape(base64.StdEncoding.EncodeToString(rsaSign(k, []byte(content)))))
	return r
}

// hk sends a body and reads the answer.
func (b *harness) hk(body string) hkAnswer {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.sim.ServeHTTP(w, hkRequest(body, b.now, generated().hk.MerchantKey))
	return readHK(b.t, w.Result(), simulator.HKPath, &generated().hk.App.PlatformKey.PublicKey)
}

// readHK reads an answer of the HK gateway and verifies its signature if it has one.
func readHK(t testing.TB, r *http.Response, path string, key *rsa.PublicKey) hkAnswer {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Result struct {
			Code    string `json:"resultCode"`
			Status  string `json:"resultStatus"`
			Message string `json:"resultMessage"`
		} `json:"result"`
		OrderID string `json:"orderId"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatalf("answer %q: %v", raw, err)
	}
	out := hkAnswer{result: a.Result.Code + "/" + a.Result.Status, orderID: a.OrderID, header: r.Header}
	_, value, ok := strings.Cut(r.Header.Get("Signature"), "signature=")
	if !ok {
		return out
	}
	text, err := url.QueryUnescape(value)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("POST " + path + "\n" + r.Header.Get("Client-Id") + "." + r.Header.Get("Response-Time") + "." + string(raw)))
	out.signed = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
	return out
}

// order returns the content of a create that every rule accepts.
func order(no string) map[string]any {
	return map[string]any{"out_trade_no": no, "total_amount": "88.88", "subject": "Iphone6 16G", "buyer_id": "2088102146225135"}
}

// hkBody returns a body that every rule accepts; at is its orderModifyTime.
func hkBody(no string, at time.Time) string {
	raw, err := json.Marshal(map[string]any{
		"requestId": "d1c221e159934162bdbff06f33389472", "tradeNo": "2024052222001412345678901234",
		"merchantBizNo": no, "merchantBizType": "TRADE_ORDER", "orderStatus": "PAID",
		"orderCreateTime": 1716340300000, "orderModifyTime": at.UnixMilli(), "userId": "2160120051483575", "extInfo": map[string]any{},
	})
	if err != nil {
		panic(err)
	}
	return string(raw)
}
