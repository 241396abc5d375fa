package alipay_test

import (
	"crypto/rsa"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// certVectors is testdata/openapi/certs.json.
type certVectors struct {
	About        string
	MadeWith     string            `json:"made_with"`
	Real         map[string]string `json:"known_real_figure"`
	Issuer       string            `json:"issuer_of_alipay_certs"`
	RootBundle   string            `json:"root_bundle"`
	Certificates map[string]struct {
		PEM, Note  string
		SigAlg     string  `json:"sig_alg_oid"`
		Issuer     string  `json:"issuer_rfc2253"`
		Serial     string  `json:"serial_decimal"`
		SN         string  `json:"cert_sn"`
		NodeSN     *string `json:"node_sdk_sn"`
		GoSN       *string `json:"go_issuer_string_sn"`
		NodeAgrees bool    `json:"node_sdk_agrees"`
		GoAgrees   bool    `json:"go_issuer_string_agrees"`
	}
	Bundles []struct {
		ID, Text, Note string
		RootSN         *string `json:"root_sn"`
	}
	Trust []struct {
		ID, Chain, Note string
		At              time.Time
		Trusted         bool
		ChainsToRoot    bool `json:"chains_to_root"`
	} `json:"trust_cases"`
}

// vectorTime is the time at which the certificates of the vectors are judged.
var vectorTime = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func vectorCertificates(t testing.TB) *alipay.Certificates {
	t.Helper()
	v := load[certVectors](t, "openapi/certs.json")
	c, err := alipay.NewCertificates(alipay.CertificateOptions{
		App: []byte(v.Certificates["app"].PEM), Alipay: []byte(v.Certificates["alipay_leaf"].PEM), Root: []byte(v.RootBundle),
		Now: func() time.Time { return vectorTime },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func vectorSigner(t testing.TB, keys openapiKeys, name string) alipay.Signer {
	t.Helper()
	key, err := alipay.ParsePrivateKey(armour(keys.Keys[name].PKCS8Base64))
	if err != nil {
		t.Fatal(err)
	}
	return alipay.NewRSASigner(key)
}

func vectorKey(t testing.TB, keys openapiKeys, name string) *rsa.PublicKey {
	t.Helper()
	key, err := alipay.ParsePublicKey(armour(keys.Keys[name].SPKIBase64))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestCertificateVectors: SN of each certificate, of each bundle, and who is trusted when.
func TestCertificateVectors(t *testing.T) {
	v := load[certVectors](t, "openapi/certs.json")
	for name, c := range v.Certificates {
		if sns, err := alipay.BundleSNs([]byte(c.PEM)); err != nil || len(sns) != 1 || sns[0] != c.SN {
			t.Errorf("%s: %v, %v, want %s of %q", name, sns, err, c.SN, c.Issuer)
		}
	}
	for _, c := range v.Bundles {
		want := ""
		if c.RootSN != nil {
			want = *c.RootSN
		}
		if sn, err := alipay.RootSN([]byte(c.Text)); sn != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q (%s)", c.ID, sn, err, want, c.Note)
		}
	}
	for _, c := range v.Trust {
		if err := alipay.TrustChain([]byte(v.RootBundle), v.Issuer, []byte(c.Chain), c.At); (err == nil) != c.Trusted {
			t.Errorf("%s: %v, want trusted %v (%s)", c.ID, err, c.Trusted, c.Note)
		}
	}
	t.Logf("openapi/certs.json: %d certificates, %d bundles, %d chains", len(v.Certificates), len(v.Bundles), len(v.Trust))
}

// TestCertificatesOfTheApp: what stands in every request, and what is refused at start.
func TestCertificatesOfTheApp(t *testing.T) {
	v := load[certVectors](t, "openapi/certs.json")
	keys := load[openapiKeys](t, "openapi/keys.json")
	c := vectorCertificates(t)
	if c.AppSN() != v.Certificates["app"].SN || c.RootSN() != *v.Bundles[0].RootSN || len(c.Ends()) != 2 {
		t.Errorf("app %s, root %s, ends %v", c.AppSN(), c.RootSN(), c.Ends())
	}
	pem := func(name string) []byte { return []byte(v.Certificates[name].PEM) }
	for name, o := range map[string]alipay.CertificateOptions{
		"no app":           {Alipay: pem("alipay_leaf"), Root: []byte(v.RootBundle)},
		"no Alipay":        {App: pem("app"), Root: []byte(v.RootBundle)},
		"no root":          {App: pem("app"), Alipay: pem("alipay_leaf")},
		"the app's twice":  {App: pem("app"), Alipay: pem("app"), Root: []byte(v.RootBundle)},
		"an authority":     {App: pem("app"), Alipay: pem("class2"), Root: []byte(v.RootBundle)},
		"a root for app":   {App: pem("root_r1"), Alipay: pem("alipay_leaf"), Root: []byte(v.RootBundle)},
		"an elliptic root": {App: pem("app"), Alipay: pem("alipay_leaf"), Root: pem("root_e1")},
	} {
		if _, err := alipay.NewCertificates(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	o := alipay.OpenAPIOptions{URL: "https://x", AppID: "1", Signer: vectorSigner(t, keys, "app"), Certificates: c}
	if _, err := alipay.NewOpenAPI(o); err != nil {
		t.Error(err)
	}
	o.Signer = alipay.NewRSASigner(ourKey())
	if _, err := alipay.NewOpenAPI(o); err == nil {
		t.Error("a signer of another key than the certificate's was accepted")
	}
	o.Signer, o.AlipayKey = vectorSigner(t, keys, "app"), &theirKey().PublicKey
	if _, err := alipay.NewOpenAPI(o); err == nil {
		t.Error("an Alipay key beside certificates was accepted")
	}
}
