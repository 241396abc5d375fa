package alipay_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// FuzzWideAnswer: answers in GBK, where the second byte of a character may look like a quote's
// escape or a brace; whatever is done to one, nothing verifies but the signed bytes, and nobody
// panics in cutting, decrypting or reading.
func FuzzWideAnswer(f *testing.F) {
	v := load[responses](f, "openapi/responses.json")
	keys := load[openapiKeys](f, "openapi/keys.json")
	genuine := map[string]bool{}
	for _, c := range v.Cases {
		f.Add(c.HTTP.Body)
		genuine[strings.ReplaceAll(string(c.Expect.SignContent), `\/`, "/")] = true
	}
	aes, err := alipay.ParseAESKey([]byte(v.AESKey))
	if err != nil {
		f.Fatal(err)
	}
	o := alipay.OpenAPIOptions{
		AppID: "1", Signer: alipay.NewRSASigner(ourKey()), AlipayKey: vectorKey(f, keys, "alipay"), Charset: alipay.CharsetGBK, AES: aes,
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rep, err := alipay.OpenAnswer(o, aQuery(), body)
		if err == nil {
			t.Errorf("a success for an order that no vector names: %q", body)
		}
		node, _, cutErr := alipay.CutAnswer(body, alipay.MethodTradeQuery, alipay.CharsetGBK)
		if rep.Verified && (cutErr != nil || !genuine[strings.ReplaceAll(string(node), `\/`, "/")]) {
			t.Errorf("verified: %q", body)
		}
	})
}

// FuzzCertificates: bundles and chains; nothing changed is trusted that is not the same
// certificate.
func FuzzCertificates(f *testing.F) {
	v := load[certVectors](f, "openapi/certs.json")
	trusted := map[string]bool{}
	for _, c := range v.Trust {
		f.Add([]byte(c.Chain))
		if sns, err := alipay.BundleSNs([]byte(c.Chain)); err == nil && c.Trusted {
			for _, sn := range sns {
				trusted[sn] = true
			}
		}
	}
	for _, b := range v.Bundles {
		f.Add([]byte(b.Text))
	}
	for _, c := range v.Certificates {
		f.Add([]byte(c.PEM))
	}
	f.Fuzz(func(t *testing.T, chain []byte) {
		begin := time.Now()
		_, _ = alipay.RootSN(chain)
		if alipay.TrustChain([]byte(v.RootBundle), v.Issuer, chain, vectorTime) == nil {
			sns, _ := alipay.BundleSNs(chain)
			known := false
			for _, sn := range sns {
				known = known || trusted[sn]
			}
			if !known {
				t.Errorf("trusted: %q", chain)
			}
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%d bytes took %v", len(chain), took)
		}
	})
}

// FuzzKeys: every loader of a secret; no error shows the text.
func FuzzKeys(f *testing.F) {
	v := load[openapiKeys](f, "openapi/keys.json")
	for _, c := range v.LoadCases {
		f.Add(armour(c.Text))
	}
	hk := load[hkKeys](f, "alipayhk/keys.json")
	for _, k := range hk.Keys {
		f.Add(armour(k.PKCS8PEM))
		f.Add(armour(k.SEC1PEM))
		f.Add(armour(k.SPKIBase64))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		begin := time.Now()
		_, a := alipay.ParsePrivateKey(text)
		_, b := alipay.ParsePublicKey(text)
		_, c := alipay.ParseECPrivateKey(text)
		_, d := alipay.ParseECPublicKey(text)
		_, e := alipay.ParseAESKey(text)
		for _, err := range []error{a, b, c, d, e} {
			if err != nil && (!errors.Is(err, alipay.ErrKey) || len(text) > 40 && strings.Contains(err.Error(), string(text))) {
				t.Errorf("%v of %q", err, text)
			}
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		if a == nil && b == nil || c == nil && d == nil {
			t.Errorf("both halves in one: %q", text)
		}
	})
}

// FuzzHKAnswer: headers and body of an answer of AlipayHK, encrypted or not.
func FuzzHKAnswer(f *testing.F) {
	const path = "/api/open/alipay/v1/merchant/order/sync"
	genuine := map[string]bool{}
	for _, c := range load[hkResponses](f, "alipayhk/response_signed_rsa256.json").Cases {
		f.Add(c.Headers["Signature"], c.Headers["Response-Time"], c.Headers["Encrypt"], c.Body.Base64)
		genuine[string(c.Body.Base64)] = true
	}
	for _, c := range load[encryptedVectors](f, "alipayhk/encrypted_response_rsa_aes.json").Cases {
		f.Add(c.Headers["Signature"], c.Headers["Response-Time"], c.Headers["Encrypt"], []byte(c.Body.Text))
		genuine[c.Body.Text] = true
	}
	o := alipay.HKOptions{ClientID: hkClientID, PlatformKeys: map[string]*rsa.PublicKey{
		"1": &hkKey(f, "platform_rsa_v1").PublicKey, "2": &hkKey(f, "platform_rsa_v2").PublicKey,
	}}
	f.Fuzz(func(t *testing.T, signature, at, encrypt string, body []byte) {
		h := http.Header{"Signature": {signature}, "Response-Time": {at}, "Client-Id": {hkClientID}}
		if encrypt != "" {
			h.Set("Encrypt", encrypt)
		}
		e, err := o.Explain(path, 200, h, body)
		if err != nil {
			t.Fatal(err)
		}
		if e.Verified && !genuine[string(body)] {
			t.Errorf("verified: %q %q %q", signature, at, body)
		}
	})
}

// FuzzDecrypt: what is opened with a key that the text does not know.
func FuzzDecrypt(f *testing.F) {
	c := load[encryptedVectors](f, "alipayhk/encrypted_request_rsa_aes.json").Cases[0]
	f.Add(c.Headers["Encrypt"], []byte(c.Body.Text))
	key := hkKey(f, c.Recipient)
	aes, err := alipay.ParseAESKey([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 16))))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if plain, err := alipay.DecryptHK(key, header, body); err == nil && len(plain) > len(body) {
			t.Errorf("%d bytes out of %d", len(plain), len(body))
		}
		if plain, err := alipay.DecryptAES(aes, string(body)); err == nil && len(plain) > len(body) {
			t.Errorf("%d bytes out of %d", len(plain), len(body))
		}
	})
}

// FuzzEcho: the text of a refusal; no value of ours stands in what is made of it.
func FuzzEcho(f *testing.F) {
	const ours = "app_auth_token=" + tokenCanary + "&app_id=1&biz_content={\"a\":\"b&c=d\"}&charset=utf-8&method=x&sign_type=RSA2"
	f.Add(ours)
	f.Add("\u7f51\u5173: " + strings.ReplaceAll(ours, "&", "&amp;"))
	f.Add("app_id=1&&&=&version=&version=2")
	f.Fuzz(func(t *testing.T, theirs string) {
		if m := alipay.CompareEcho(ours, theirs); m != nil && strings.Contains(m.Error(), tokenCanary) {
			t.Errorf("%v", m)
		}
	})
}

// FuzzCharset: what is written in a charset reads as the same text.
func FuzzCharset(f *testing.F) {
	f.Add("a\u9326\u20ac\U0001f600\u00a5")
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range []alipay.Charset{alipay.CharsetUTF8, alipay.CharsetGBK, alipay.CharsetGB2312} {
			b, err := alipay.EncodeCharset(c, []byte(text))
			if err == nil && string(alipay.DecodeCharset(c, b)) != text {
				t.Errorf("%s: %q became %x", c, text, b)
			}
		}
	})
}
