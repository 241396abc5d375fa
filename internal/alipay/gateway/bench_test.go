package gateway_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/jsonscan"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// compare runs two ways in turn and reports the least time for each: other load on the
// machine only adds to it. of combines the two.
func compare(b *testing.B, unit string, of func(ours, theirs float64) float64, ours, theirs func()) {
	b.Helper()
	least := [2]time.Duration{time.Hour, time.Hour}
	for b.Loop() {
		begin := time.Now()
		ours()
		middle := time.Now()
		theirs()
		least[0], least[1] = min(least[0], middle.Sub(begin)), min(least[1], time.Since(middle))
	}
	one, two := float64(least[0].Nanoseconds()), float64(least[1].Nanoseconds())
	b.ReportMetric(one, "ns/ours")
	b.ReportMetric(two, "ns/theirs")
	b.ReportMetric(of(one, two), unit)
}

func cost(ours, theirs float64) float64  { return ours / theirs }
func speed(ours, theirs float64) float64 { return theirs / ours }

// BenchmarkScanner compares the scanner with encoding/json.Valid on the same answer: at least
// twice its speed.
func BenchmarkScanner(b *testing.B) {
	v := alipaytest.Load[responses](b, "openapi/responses.json")
	bodies := map[string][]byte{}
	for _, c := range v.Cases {
		bodies[c.ID] = c.HTTP.Body
	}
	for _, name := range []string{"query_ok", "sync_ok", "query_numbers"} {
		b.Run(name, func(b *testing.B) {
			body := bodies[name]
			b.SetBytes(int64(len(body)))
			compare(b, "times-json.Valid", speed,
				func() {
					for range 100 {
						if _, err := jsonscan.ParseObject(body); err != nil {
							b.Fatal("refused")
						}
					}
				},
				func() {
					for range 100 {
						if !json.Valid(body) {
							b.Fatal("refused")
						}
					}
				})
		})
	}
}

// benchCall is all of a create but the network.
func benchCall(b *testing.B, change func(*gateway.OpenAPIOptions)) func() {
	r := alipaytest.Create()
	body := []byte(signedAnswer(b, r.Method(), `{"code":"10000","msg":"Success",`+numbers(r.Method())+`}`))
	o := gateway.OpenAPIOptions{AppID: "1", Signer: keys.NewRSASigner(ourKey()), AlipayKey: &theirKey().PublicKey}
	if change != nil {
		change(&o)
	}
	call, err := gateway.SealAndOpen(o, r, body)
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSealOpen compares everything that a create costs but the network with one bare
// signature and verification: at most 1.10 of it. Allocations are of the call alone.
func BenchmarkSealOpen(b *testing.B) {
	text := []byte(signedAnswer(b, alipay.MethodTradeCreate, `{"code":"10000"}`))
	digest := sha256.Sum256(text)
	sig, err := rsa.SignPKCS1v15(nil, theirKey(), crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	call := benchCall(b, nil)
	b.Run("ratio", func(b *testing.B) {
		compare(b, "of-sign+verify", cost, call, func() {
			if _, err := rsa.SignPKCS1v15(nil, ourKey(), crypto.SHA256, digest[:]); err != nil {
				b.Fatal(err)
			}
			if rsa.VerifyPKCS1v15(&theirKey().PublicKey, crypto.SHA256, digest[:], sig) != nil {
				b.Fatal("not verified")
			}
		})
	})
	aes, err := encryption.ParseAESKey([]byte("MDEyMzQ1Njc4OWFiY2RlZg=="))
	if err != nil {
		b.Fatal(err)
	}
	for name, change := range map[string]func(*gateway.OpenAPIOptions){
		"call": nil, "call in GBK": func(o *gateway.OpenAPIOptions) { o.Charset = alipay.CharsetGBK }, "call with AES": func(o *gateway.OpenAPIOptions) { o.AES = aes },
	} {
		b.Run(name, func(b *testing.B) {
			call := benchCall(b, change)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

// BenchmarkNotification is what the receiver pays for a genuine notification and for a forged one.
func BenchmarkNotification(b *testing.B) {
	v := alipaytest.Load[notificationVectors](b, "openapi/notifications.json")
	ver := v.verifier(b, alipaytest.Load[alipaytest.OpenAPIKeys](b, "openapi/keys.json"), "alipay")
	for _, c := range v.Cases {
		if c.ID != "success_utf8" && c.ID != "tampered_amount" && c.ID != "success_gbk" {
			continue
		}
		b.Run(c.ID, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ver.Notification(c.Request.Body)
			}
		})
	}
}
