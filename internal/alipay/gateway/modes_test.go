package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// TestWeakKeysNeedPermission: SHA-1 and keys below 2048 bits, ours and Alipay's.
func TestWeakKeysNeedPermission(t *testing.T) {
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	for name, change := range map[string]func(o *gateway.OpenAPIOptions){
		"sign type RSA":      func(o *gateway.OpenAPIOptions) { o.SignType = alipay.SignRSA },
		"our short key":      func(o *gateway.OpenAPIOptions) { o.Signer = alipaytest.Signer(t, keyVectors, "app1024") },
		"a short next key":   func(o *gateway.OpenAPIOptions) { o.NextSigner = alipaytest.Signer(t, keyVectors, "app1024") },
		"Alipay's short key": func(o *gateway.OpenAPIOptions) { o.AlipayKey = alipaytest.PublicKey(t, keyVectors, "alipay1024") },
		"another short key": func(o *gateway.OpenAPIOptions) {
			o.MoreKeys = []gateway.AlipayKey{{Key: alipaytest.PublicKey(t, keyVectors, "alipay1024")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := gateway.OpenAPIOptions{URL: "https://x", AppID: "1", Signer: keys.NewRSASigner(ourKey()), AlipayKey: &theirKey().PublicKey}
			change(&o)
			if _, err := gateway.NewOpenAPI(o); err == nil {
				t.Error("accepted")
			}
			o.AllowWeak = true
			if _, err := gateway.NewOpenAPI(o); err != nil {
				t.Errorf("with AllowWeak: %v", err)
			}
		})
	}
	o := gateway.OpenAPIOptions{URL: "https://x", AppID: "1", Signer: keys.NewRSASigner(ourKey()), AlipayKey: &theirKey().PublicKey, AllowWeak: true}
	for _, change := range []func(o *gateway.OpenAPIOptions){
		func(o *gateway.OpenAPIOptions) { o.SignType = "SM2" },
		func(o *gateway.OpenAPIOptions) { o.Charset = "GBK" }, // one spelling
		func(o *gateway.OpenAPIOptions) { o.Charset = "big5" },
	} {
		bad := o
		change(&bad)
		if _, err := gateway.NewOpenAPI(bad); err == nil {
			t.Errorf("sign type %q, charset %q: accepted", bad.SignType, bad.Charset)
		}
	}
}

// TestAnswerInTheOtherCharset: errors come in GBK though UTF-8 was asked for, and the other
// way round; the signature is over the bytes as sent.
func TestAnswerInTheOtherCharset(t *testing.T) {
	for asked, sent := range map[alipay.Charset]alipay.Charset{alipay.CharsetUTF8: alipay.CharsetGBK, alipay.CharsetGBK: alipay.CharsetUTF8} {
		t.Run(fmt.Sprintf("%s for %s", sent, asked), func(t *testing.T) {
			const text = "\u7cfb\u7edf\u7e41\u5fd9\u8a89" // GBK: the last one ends in a byte above 0x7f, nine bytes in UTF-8 swallow the quote
			node, err := sent.Encode([]byte(`{"code":"20000","sub_code":"aop.unknow-error","msg":"` + text + `"}`))
			if err != nil {
				t.Fatal(err)
			}
			app := openAPI(t, answering(200, signedAnswer(t, alipay.MethodTradeQuery, string(node))), func(o *gateway.OpenAPIOptions) { o.Charset = asked })
			rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
			if alipay.ClassOf(err) != alipay.Transient || !rep.Verified || rep.Message != text {
				t.Errorf("asked %s, sent %s: %v, verified %v, %q", asked, sent, err, rep.Verified, rep.Message)
			}
		})
	}
}

// TestEncryptedCalls: content and answer through AES, in both charsets, on the wire.
func TestEncryptedCalls(t *testing.T) {
	key, err := encryption.ParseAESKey([]byte("MDEyMzQ1Njc4OWFiY2RlZg=="))
	if err != nil {
		t.Fatal(err)
	}
	for _, charset := range []alipay.Charset{alipay.CharsetUTF8, alipay.CharsetGBK} {
		r := alipaytest.Create()
		r.Subject = "\u9326\u904b\u8aa0" // second bytes 5C in GBK
		seen := capture(t, alipay.Merchant{}, r, func(o *gateway.OpenAPIOptions) { o.AES, o.Charset = key, charset })
		plain, err := key.Decrypt(seen.body.Get("biz_content"))
		want, _ := alipay.Content(r)
		if got := charset.Decode(plain); err != nil || string(got) != string(want) {
			t.Errorf("%s: %q, %v", charset, got, err)
		}
		if seen.query.Get("encrypt_type") != "AES" || seen.query.Get("charset") != string(charset) || !strings.HasSuffix(seen.header.Get("Content-Type"), "charset="+string(charset)) {
			t.Errorf("%s: query %v, header %v", charset, seen.query, seen.header)
		}
		verifyRequest(t, seen)
	}
	// A gateway that could not decrypt answers in plain; without a key a ciphertext is unreadable.
	plain := answering(200, signedAnswer(t, alipay.MethodTradeQuery, `{"code":"40003","sub_code":"isv.decryption-error-unknown"}`))
	coded := answering(200, signedAnswer(t, alipay.MethodTradeQuery, `"`+key.Encrypt([]byte(`{"code":"10000",`+numbers(alipay.MethodTradeQuery)+`}`))+`"`))
	for _, tt := range []struct {
		h    http.HandlerFunc
		key  *encryption.AESKey
		want alipay.Class
	}{{plain, key, alipay.Misconfigured}, {coded, key, alipay.Done}, {coded, nil, alipay.Untrusted}} {
		app := openAPI(t, tt.h, func(o *gateway.OpenAPIOptions) { o.AES = tt.key })
		if rep, err := app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query()); alipay.ClassOf(err) != tt.want || rep.Verified != (tt.want != alipay.Untrusted) {
			t.Errorf("%v, want %v", err, tt.want)
		}
	}
}

// TestHTTP2IsSettable: both protocols over TLS, HTTP/1.1 unless asked otherwise.
func TestHTTP2IsSettable(t *testing.T) {
	for _, on := range []bool{false, true} {
		protocol := make(chan string, 1)
		url, roots := tlsGateway(t, func(w http.ResponseWriter, r *http.Request) {
			protocol <- r.Proto
			w.WriteHeader(http.StatusBadGateway)
		})
		app, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{
			URL: url, AppID: "1", Signer: keys.NewRSASigner(ourKey()), AlipayKey: &theirKey().PublicKey, RootCAs: roots, HTTP2: on, IdleTimeout: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = app.Client(alipay.Merchant{}).Do(t.Context(), alipaytest.Query())
		want := "HTTP/1.1"
		if on {
			want = "HTTP/2.0"
		}
		if got := <-protocol; got != want {
			t.Errorf("HTTP2 %v: %s, want %s", on, got, want)
		}
		app.Close()
	}
}
