package gateway_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// FuzzWideAnswer: answers in GBK, where the second byte of a character may look like a quote's
// escape or a brace: only the signed bytes verify, and nothing panics in cutting, decrypting or
// reading.
func FuzzWideAnswer(f *testing.F) {
	v := alipaytest.Load[responses](f, "openapi/responses.json")
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](f, "openapi/keys.json")
	genuine := map[string]bool{}
	for _, c := range v.Cases {
		f.Add(c.HTTP.Body)
		genuine[strings.ReplaceAll(string(c.Expect.SignContent), `\/`, "/")] = true
	}
	aes, err := encryption.ParseAESKey([]byte(v.AESKey))
	if err != nil {
		f.Fatal(err)
	}
	o := gateway.OpenAPIOptions{
		AppID: "1", Signer: keys.NewRSASigner(ourKey()), AlipayKey: alipaytest.PublicKey(f, keyVectors, "alipay"), Charset: alipay.CharsetGBK, AES: aes,
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rep, err := gateway.OpenAnswer(o, alipaytest.Query(), body)
		if err == nil {
			t.Errorf("a success for an order that no vector names: %q", body)
		}
		node, _, cutErr := gateway.CutAnswer(body, alipay.MethodTradeQuery, alipay.CharsetGBK)
		if rep.Verified && (cutErr != nil || !genuine[strings.ReplaceAll(string(node), `\/`, "/")]) {
			t.Errorf("verified: %q", body)
		}
	})
}

// FuzzHKAnswer: headers and body of an answer of AlipayHK, encrypted or not.
func FuzzHKAnswer(f *testing.F) {
	const path = "/api/open/alipay/v1/merchant/order/sync"
	genuine := map[string]bool{}
	for _, c := range alipaytest.Load[hkResponses](f, "alipayhk/response_signed_rsa256.json").Cases {
		f.Add(c.Headers["Signature"], c.Headers["Response-Time"], c.Headers["Encrypt"], c.Body.Base64)
		genuine[string(c.Body.Base64)] = true
	}
	for _, c := range alipaytest.Load[encryptedVectors](f, "alipayhk/encrypted_response_rsa_aes.json").Cases {
		f.Add(c.Headers["Signature"], c.Headers["Response-Time"], c.Headers["Encrypt"], []byte(c.Body.Text))
		genuine[c.Body.Text] = true
	}
	o := gateway.HKOptions{ClientID: hkClientID, PlatformKeys: map[string]*rsa.PublicKey{
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
	c := alipaytest.Load[encryptedVectors](f, "alipayhk/encrypted_request_rsa_aes.json").Cases[0]
	f.Add(c.Headers["Encrypt"], []byte(c.Body.Text))
	key := hkKey(f, c.Recipient)
	aes, err := encryption.ParseAESKey([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 16))))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if plain, err := gateway.DecryptHK(key, header, body); err == nil && len(plain) > len(body) {
			t.Errorf("%d bytes out of %d", len(plain), len(body))
		}
		if plain, err := aes.Decrypt(string(body)); err == nil && len(plain) > len(body) {
			t.Errorf("%d bytes out of %d", len(plain), len(body))
		}
	})
}
