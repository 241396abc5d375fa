package alipay_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// ratio runs two ways in turn and reports the time of each and the first over the second, so
// that a busy machine disturbs both alike.
func ratio(b *testing.B, unit string, first, second func()) {
	b.Helper()
	var one, two time.Duration
	n := 0
	for b.Loop() {
		begin := time.Now()
		first()
		middle := time.Now()
		second()
		one, two = one+middle.Sub(begin), two+time.Since(middle)
		n++
	}
	b.ReportMetric(float64(one.Nanoseconds())/float64(n), "ns/ours")
	b.ReportMetric(float64(two.Nanoseconds())/float64(n), "ns/theirs")
	b.ReportMetric(float64(one)/float64(two), unit)
}

// BenchmarkScanner compares the scanner with encoding/json.Valid on the same answer: at least
// twice its speed.
func BenchmarkScanner(b *testing.B) {
	v := load[responses](b, "openapi/responses.json")
	bodies := map[string][]byte{}
	for _, c := range v.Cases {
		bodies[c.ID] = c.HTTP.Body
	}
	for _, name := range []string{"query_ok", "sync_ok", "query_numbers"} {
		b.Run(name, func(b *testing.B) {
			body := bodies[name]
			b.SetBytes(int64(len(body)))
			ratio(b, "of-json.Valid",
				func() {
					for range 100 {
						if alipay.ScanObject(body) != nil {
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
func benchCall(b *testing.B, change func(*alipay.OpenAPIOptions)) func() {
	r := aCreate()
	body := []byte(signedAnswer(b, r.Method(), `{"code":"10000","msg":"Success",`+numbers(r.Method())+`}`))
	o := alipay.OpenAPIOptions{AppID: "1", Signer: alipay.NewRSASigner(ourKey()), AlipayKey: &theirKey().PublicKey}
	if change != nil {
		change(&o)
	}
	call, err := alipay.SealAndOpen(o, r, body)
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
		ratio(b, "of-sign+verify", call, func() {
			if _, err := rsa.SignPKCS1v15(nil, ourKey(), crypto.SHA256, digest[:]); err != nil {
				b.Fatal(err)
			}
			if rsa.VerifyPKCS1v15(&theirKey().PublicKey, crypto.SHA256, digest[:], sig) != nil {
				b.Fatal("not verified")
			}
		})
	})
	aes, err := alipay.ParseAESKey([]byte("MDEyMzQ1Njc4OWFiY2RlZg=="))
	if err != nil {
		b.Fatal(err)
	}
	for name, change := range map[string]func(*alipay.OpenAPIOptions){
		"call": nil, "call in GBK": func(o *alipay.OpenAPIOptions) { o.Charset = alipay.CharsetGBK }, "call with AES": func(o *alipay.OpenAPIOptions) { o.AES = aes },
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
	v := load[notificationVectors](b, "openapi/notifications.json")
	ver := v.verifier(b, load[openapiKeys](b, "openapi/keys.json"), "alipay")
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
