package alipay_test

import (
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"testing"
)

// TestSignerOfCertificateMode: the signer is that of the application certificate, and there is
// no Alipay key as well.
func TestSignerOfCertificateMode(t *testing.T) {
	keys := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	c := alipaytest.Certificates(t)
	o := alipay.OpenAPIOptions{URL: "https://x", AppID: "1", Signer: alipaytest.Signer(t, keys, "app"), Certificates: c}
	if _, err := alipay.NewOpenAPI(o); err != nil {
		t.Error(err)
	}
	o.Signer = alipay.NewRSASigner(ourKey())
	if _, err := alipay.NewOpenAPI(o); err == nil {
		t.Error("a signer of another key than the certificate's was accepted")
	}
	o.Signer, o.AlipayKey = alipaytest.Signer(t, keys, "app"), &theirKey().PublicKey
	if _, err := alipay.NewOpenAPI(o); err == nil {
		t.Error("an Alipay key beside certificates was accepted")
	}
}
