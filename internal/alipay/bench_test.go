package alipay_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
)

// BenchmarkScanner compares the scanner with encoding/json on one answer.
func BenchmarkScanner(b *testing.B) {
	v := load[responses](b, "openapi/responses.json")
	body := v.Cases[0].HTTP.Body
	b.Run("scanner", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if alipay.ScanObject(body) != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("encoding/json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if !json.Valid(body) {
				b.Fatal("refused")
			}
		}
	})
}

// BenchmarkSealOpen compares everything that a create costs but the network with one bare
// signature and verification.
func BenchmarkSealOpen(b *testing.B) {
	r := aCreate()
	body := []byte(signedAnswer(b, r.Method(), `{"code":"10000","msg":"Success",`+numbers(r.Method())+`}`))
	signer := alipay.NewRSASigner(ourKey())
	call, err := alipay.SealAndOpen(alipay.OpenAPIOptions{AppID: "1", Signer: signer, AlipayKey: &theirKey().PublicKey}, r, body)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal and open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sign and verify", func(b *testing.B) {
		digest := sha256.Sum256(body)
		sig, _ := rsa.SignPKCS1v15(nil, theirKey(), crypto.SHA256, digest[:])
		for b.Loop() {
			if _, err := signer.Sign(context.Background(), digest[:]); err != nil {
				b.Fatal(err)
			}
			if err := rsa.VerifyPKCS1v15(&theirKey().PublicKey, crypto.SHA256, digest[:], sig); err != nil {
				b.Fatal(err)
			}
		}
	})
}
