package gateway_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// TestAnswersAreExplained: the usual mistakes in words that an integrator can act on.
func TestAnswersAreExplained(t *testing.T) {
	node := `{"code":"10000","msg":"` + "\u6d4b\u8bd5" + `",` + numbers(alipay.MethodTradeQuery) + `}`
	good := signedAnswer(t, alipay.MethodTradeQuery, node)
	gbk, err := alipay.CharsetGBK.Encode([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := keys.NewRSASigner(ourKey()), &theirKey().PublicKey
	withSign := func(node, sign string) string {
		return `{"alipay_trade_query_response":` + node + `,"sign":"` + sign + `"}`
	}
	wrapped := func(node string, key *rsa.PrivateKey) string { return withSign(node, sign(t, key, []byte(node))) }
	gbkNode, err := alipay.CharsetGBK.Encode([]byte(node))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, body string
		o          gateway.OpenAPIOptions
		class      alipay.Class
		reason     string
	}{
		{"good", good, gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Done, "signed by Alipay"},
		{"own key as Alipay's", good, gateway.OpenAPIOptions{AlipayKey: &ourKey().PublicKey, Signer: ours}, alipay.Untrusted, "public half of our own private key"},
		{"another key", good, gateway.OpenAPIOptions{AlipayKey: &nextKey().PublicKey}, alipay.Untrusted, "made with another key"},
		{"our own signature", wrapped(node, ourKey()), gateway.OpenAPIOptions{AlipayKey: theirs, Signer: ours}, alipay.Untrusted, "made with our own private key"},
		{"a changed byte", strings.Replace(good, "10000", "10003", 1), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "at least one byte was changed"},
		{"converted in transit", string(gbk), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "good over the same text in UTF-8"},
		{"converted after it was signed", withSign(node, sign(t, theirKey(), gbkNode)), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "good over the same text in GBK"},
		{"a short signature", withSign(node, base64.StdEncoding.EncodeToString(make([]byte, 128))), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "the signature has 128 bytes, the configured key makes 256"},
		{"the longest sign", withSign(node, strings.Repeat("AAAA", 256)), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "the signature has 768 bytes"},
		{"a longer sign", withSign(node, strings.Repeat("AAAA", 257)), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "sign is not Base64"},
		{"no sign", `{"alipay_trade_query_response":` + node + `}`, gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "carries no sign"},
		{"refused", wrapped(`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}`, theirKey()), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Rejected, "ACQ.TRADE_NOT_EXIST"},
		{"a page", "<html>", gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Ambiguous, "no complete JSON object"},
		{"another method", strings.Replace(good, "query", "create", 1), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "no node for this method"},
		{"encrypted", wrapped(`"AAAA"`, theirKey()), gateway.OpenAPIOptions{AlipayKey: theirs}, alipay.Untrusted, "no AES key is configured"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := tt.o.Explain(alipay.MethodTradeQuery, 200, []byte(tt.body), nil)
			if err != nil {
				t.Fatal(err)
			}
			if e.Class != tt.class || e.Verified != (tt.class == alipay.Done || tt.class == alipay.Rejected) || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("%v, verified %v, %q, want %v, %q", e.Class, e.Verified, e.Reason, tt.class, tt.reason)
			}
			if text, err := json.Marshal(e); err != nil || !strings.Contains(string(text), `"class":"`+tt.class.String()+`"`) {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

// TestWeakSignaturesAreExplained: the other sign type.
func TestWeakSignaturesAreExplained(t *testing.T) {
	v := alipaytest.Load[responses](t, "openapi/responses.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	for _, c := range v.Cases {
		if c.ID != "rsa1_ok" {
			continue
		}
		o := gateway.OpenAPIOptions{AlipayKey: alipaytest.PublicKey(t, keyVectors, c.VerifyWith), AllowWeak: true}
		if e, err := o.Explain(c.Method, 200, c.HTTP.Body, nil); err != nil || !strings.Contains(e.Reason, "good with sign_type RSA (SHA-1)") {
			t.Errorf("%q, %v", e.Reason, err)
		}
		return
	}
	t.Fatal("no row of SHA-1")
}

// TestRefusedSignaturesAreExplained: with the captured request, which parameter differs.
func TestRefusedSignaturesAreExplained(t *testing.T) {
	text, err := form.SignedText([]byte("app_id=1&charset=utf-8&sign=x%3D"), []byte("biz_content=%7B%22a%22%3A%22b+c%22%7D"))
	if err != nil || string(text) != `app_id=1&biz_content={"a":"b c"}&charset=utf-8` {
		t.Fatalf("%q, %v", text, err)
	}
	node := `{"code":"40002","sub_code":"isv.invalid-signature","sub_msg":"x: app_id=1&amp;biz_content={&quot;a&quot;:&quot;b c&quot;}&amp;charset=GBK"}`
	o := gateway.OpenAPIOptions{AlipayKey: &theirKey().PublicKey}
	e, err := o.Explain(alipay.MethodTradeQuery, 200, []byte(signedAnswer(t, alipay.MethodTradeQuery, node)), text)
	if err != nil || !e.Verified || e.Class != alipay.Misconfigured || !strings.Contains(e.Reason, "from byte 41 on") || !strings.HasSuffix(e.Reason, "changed: charset") {
		t.Errorf("%v, %q, %v", e.Class, e.Reason, err)
	}
	for _, bad := range []string{"a=1&a=2", "a=%zz"} {
		if _, err := form.SignedText([]byte(bad), nil); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// TestCertificatesAreExplained: one that is not known, and a chain that is not trusted.
func TestCertificatesAreExplained(t *testing.T) {
	p := newPKI(t)
	certs, err := certs.New(certs.Options{App: p.app, Alipay: p.alipay, Root: p.root})
	if err != nil {
		t.Fatal(err)
	}
	node := `{"code":"10000",` + numbers(alipay.MethodTradeQuery) + `}`
	body := fmt.Sprintf(`{"alipay_trade_query_response":%s,"alipay_cert_sn":%q,"sign":%q}`, node, leafSN(t, p.next), sign(t, nextKey(), []byte(node)))
	e, err := gateway.OpenAPIOptions{Certificates: certs}.Explain(alipay.MethodTradeQuery, 200, []byte(body), nil)
	if err != nil || e.Class != alipay.Untrusted || !strings.Contains(e.Reason, "certificate that signed is not known") {
		t.Errorf("%v, %q, %v", e.Class, e.Reason, err)
	}
	if err := certs.Add(p.merchant); err == nil || !strings.Contains(err.Error(), "issuer is not that of the installed Alipay certificate") {
		t.Errorf("%v", err)
	}
	if err := certs.Add(p.next); err != nil {
		t.Fatal(err)
	}
	if e, _ := (gateway.OpenAPIOptions{Certificates: certs}).Explain(alipay.MethodTradeQuery, 200, []byte(body), nil); e.Class != alipay.Done {
		t.Errorf("%v, %q", e.Class, e.Reason)
	}
}

// TestHKAnswersAreExplained: every answer of the vectors has a reason, and the usual ones words.
func TestHKAnswersAreExplained(t *testing.T) {
	one, two := &hkKey(t, "platform_rsa_v1").PublicKey, &hkKey(t, "platform_rsa_v2").PublicKey
	own := keys.NewRSASigner(hkKey(t, "merchant_rsa_v1"))
	v := alipaytest.Load[hkResponses](t, "alipayhk/response_signed_rsa256.json")
	c := v.Cases[0]
	header := func(change func(http.Header)) http.Header {
		h := http.Header{}
		for name, value := range c.Headers {
			h.Set(name, value)
		}
		if change != nil {
			change(h)
		}
		return h
	}
	for _, tt := range []struct {
		name   string
		o      gateway.HKOptions
		header http.Header
		body   []byte
		class  alipay.Class
		reason string
	}{
		{"good", gateway.HKOptions{PlatformKeys: map[string]*rsa.PublicKey{"1": one}}, header(nil), c.Body.Base64, alipay.Done, "signed by Alipay"},
		{"key version", gateway.HKOptions{PlatformKeys: map[string]*rsa.PublicKey{"2": two}}, header(nil), c.Body.Base64, alipay.Untrusted, "names key version 1; configured are [2]"},
		{"keys mixed up", gateway.HKOptions{PlatformKeys: map[string]*rsa.PublicKey{"1": two, "2": one}}, header(nil), c.Body.Base64, alipay.Untrusted, "good with version 2"},
		{"our own key", gateway.HKOptions{Signer: own, PlatformKeys: map[string]*rsa.PublicKey{"1": &hkKey(t, "merchant_rsa_v1").PublicKey}}, header(nil), c.Body.Base64, alipay.Untrusted, "public half of our own"},
		{"our own signature", gateway.HKOptions{Signer: keys.NewRSASigner(hkKey(t, "platform_rsa_v1")), PlatformKeys: map[string]*rsa.PublicKey{"1": two}}, header(nil), c.Body.Base64, alipay.Untrusted, "made with our own private key"},
		{"another key", gateway.HKOptions{PlatformKeys: map[string]*rsa.PublicKey{"1": two}}, header(nil), c.Body.Base64, alipay.Untrusted, "made with another key"},
		{"a changed byte", gateway.HKOptions{PlatformKeys: map[string]*rsa.PublicKey{"1": one}}, header(nil), append(bytes.Clone(c.Body.Base64), ' '), alipay.Untrusted, "at least one byte was changed"},
		{"unsigned", gateway.HKOptions{PlatformKeys: map[string]*rsa.PublicKey{"1": one}}, header(func(h http.Header) { h.Del("Signature"); h.Del("Response-Time") }), c.Body.Base64, alipay.Untrusted, "neither Signature nor Response-Time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := tt.o.Explain(c.Request.Path, 200, tt.header, tt.body)
			if err != nil || e.Class != tt.class || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("%v, %q, %v, want %v, %q", e.Class, e.Reason, err, tt.class, tt.reason)
			}
		})
	}
	for _, c := range alipaytest.Load[hkResponses](t, "alipayhk/response_negative.json").Cases {
		t.Run(c.ID, func(t *testing.T) {
			h := http.Header{}
			for name, value := range c.Headers {
				h.Set(name, value)
			}
			o := gateway.HKOptions{ClientID: hkClientID, PlatformKeys: map[string]*rsa.PublicKey{"1": one, "2": two}}
			if e, err := o.Explain(c.Request.Path, c.HTTPStatus, h, c.Body.Base64); err != nil || e.Verified || e.Reason == "" || strings.HasPrefix(e.Reason, "signed") {
				t.Errorf("verified %v, %q, %v", e.Verified, e.Reason, err)
			}
		})
	}
}

// TestHKDecryptionIsExplained: a signed answer that our keys cannot decrypt, and nothing of it for one in plain.
func TestHKDecryptionIsExplained(t *testing.T) {
	key := hkKey(t, "platform_rsa_v1")
	o := gateway.HKOptions{ClientID: hkClientID, PlatformKeys: map[string]*rsa.PublicKey{"1": &key.PublicKey}}
	for encrypt, want := range map[string]int{"algorithm=RSA_AES,keyVersion=1,symmetricKey=AAAA": 1, "": 0} {
		const path, at = "/x", "2099-01-01T00:00:00Z" // its age is not checked
		body := []byte(hkBody("S", "SUCCESS", "1"))
		sig, err := base64.StdEncoding.DecodeString(sign(t, key, gateway.HKContent(path, hkClientID, at, body)))
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"Response-Time": {at}, "Signature": {gateway.FormatHKSignature("RSA256", "1", sig)}}
		if encrypt != "" {
			h.Set("Encrypt", encrypt)
		}
		e, err := o.Explain(path, 200, h, body)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range e.Steps {
			if s.Name == "decrypt" && strings.Contains(s.Detail, "cannot be decrypted with our keys") != s.OK {
				n++
			}
		}
		if n != want || e.Verified != (want == 0) {
			t.Errorf("Encrypt %q: %+v", encrypt, e)
		}
	}
}

// TestStatusesAreExplained: another HTTP status than 200 is the first thing to look at.
func TestStatusesAreExplained(t *testing.T) {
	for status, want := range map[int]string{500: "status: HTTP status 500: business answers come with 200", 200: "cut: no complete JSON object"} {
		e, err := gateway.OpenAPIOptions{AlipayKey: &theirKey().PublicKey}.Explain(alipay.MethodTradeQuery, status, []byte("x"), nil)
		if err != nil || !strings.HasPrefix(e.Reason, want) || len(e.Steps) != 2 {
			t.Errorf("%d: %+v, %v", status, e, err)
		}
	}
}

// TestNotificationsAreExplained: each case of the vectors that is refused says why.
func TestNotificationsAreExplained(t *testing.T) {
	v := alipaytest.Load[notificationVectors](t, "openapi/notifications.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	words := map[string]string{
		"tampered_amount": "at least one byte was changed", "parameter_removed": "at least one byte was changed", "html_escaped": "a framework escaped",
		"wrong_key": "made with our own private key", "no_sign": "sign is missing", "raw_plus_in_sign": "not Base64", "duplicate_parameter": "occurs twice",
		"bad_percent": "percent", "empty_body": "empty", "sha1_claimed_rsa2": "good with sign_type RSA (SHA-1)", "other_app_id": "app_id", "other_seller": "seller_id",
	}
	for _, c := range v.Cases {
		t.Run(c.ID, func(t *testing.T) {
			e := v.verifier(t, keyVectors, c.VerifyWith).Explain(c.Request.Body, alipaytest.PublicKey(t, keyVectors, "app"))
			want := alipay.Done
			switch c.Expect.Verdict {
			case "reject":
				want = alipay.Untrusted
			case "reject_business":
				want = alipay.Rejected
			}
			if e.Class != want || e.Verified != (want == alipay.Done) || !strings.Contains(e.Reason, words[c.ID]) {
				t.Errorf("%v, verified %v, %q", e.Class, e.Verified, e.Reason)
			}
			for _, step := range e.Steps {
				for _, value := range []string{c.Expect.Decoded["out_trade_no"], c.Expect.Decoded["buyer_id"], c.Expect.Decoded["sign"]} {
					if value != "" && strings.Contains(step.Detail, value) {
						t.Errorf("step %s shows a value: %s", step.Name, step.Detail)
					}
				}
			}
		})
	}
}

// TestPreview: a request as it would be sent, without its token.
func TestPreview(t *testing.T) {
	app := openAPI(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") }, func(o *gateway.OpenAPIOptions) {
		o.Now = func() time.Time { return alipaytest.CertTime }
	})
	p, err := app.Client(alipay.Merchant{AppAuthToken: tokenCanary}).Preview(t.Context(), alipaytest.Create())
	if err != nil {
		t.Fatal(err)
	}
	content, _ := alipay.Content(alipaytest.Create())
	if !bytes.Equal(p.Content, content) || !strings.HasPrefix(string(p.ToSign), "app_auth_token=<hidden>&app_id=") || len(p.SHA256) != 64 || len(p.Sign) != 344 {
		t.Errorf("%+v", p)
	}
	if strings.Contains(p.URL, "?") || strings.Contains(string(p.ToSign), tokenCanary) {
		t.Errorf("%s, %s", p.URL, p.ToSign)
	}
	bad := alipaytest.Create()
	bad.Subject = ""
	if _, err := app.Client(alipay.Merchant{}).Preview(t.Context(), bad); alipay.ClassOf(err) != alipay.Rejected {
		t.Errorf("%v", err)
	}
}
