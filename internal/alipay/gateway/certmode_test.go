package gateway_test

import (
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// TestSignerOfCertificateMode: the signer is that of the application certificate, and there is
// no Alipay key as well.
func TestSignerOfCertificateMode(t *testing.T) {
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	c := alipaytest.Certificates(t)
	o := gateway.OpenAPIOptions{URL: "https://x", AppID: "1", Signer: alipaytest.Signer(t, keyVectors, "app"), Certificates: c}
	if _, err := gateway.NewOpenAPI(o); err != nil {
		t.Error(err)
	}
	o.Signer = keys.NewRSASigner(ourKey())
	if _, err := gateway.NewOpenAPI(o); err == nil {
		t.Error("a signer of another key than the certificate's was accepted")
	}
	o.Signer, o.AlipayKey = alipaytest.Signer(t, keyVectors, "app"), &theirKey().PublicKey
	if _, err := gateway.NewOpenAPI(o); err == nil {
		t.Error("an Alipay key as well as certificates was accepted")
	}
}

// TestTwoNodesAreNotBelieved: whichever of the two is signed, another reader might take the other one.
func TestTwoNodesAreNotBelieved(t *testing.T) {
	signed := signedAnswer(t, alipay.MethodTradeQuery, `{"code":"10000",`+numbers(alipay.MethodTradeQuery)+`}`)
	body := `{"error_response":{"code":"20000"},` + signed[1:]
	if _, err := call(t, answering(200, body), alipaytest.Query()); alipay.ClassOf(err) != alipay.Untrusted {
		t.Errorf("%v", err)
	}
}
