package certs_test

import (
	"errors"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/certs"
)

// TestCertificateVectors: SN of each certificate, of each bundle, and who is trusted when.
func TestCertificateVectors(t *testing.T) {
	v := alipaytest.Load[alipaytest.CertVectors](t, "openapi/certs.json")
	for name, c := range v.Certificates {
		t.Run(name, func(t *testing.T) {
			if sns, err := certs.BundleSNs([]byte(c.PEM)); err != nil || len(sns) != 1 || sns[0] != c.SN {
				t.Errorf("%v, %v, want %s of %q", sns, err, c.SN, c.Issuer)
			}
		})
	}
	for _, c := range v.Bundles {
		t.Run(c.ID, func(t *testing.T) {
			want := ""
			if c.RootSN != nil {
				want = *c.RootSN
			}
			if sn, err := certs.RootSN([]byte(c.Text)); sn != want || (err == nil) != (want != "") {
				t.Errorf("%q, %v, want %q (%s)", sn, err, want, c.Note)
			}
		})
	}
	for _, c := range v.Trust {
		t.Run(c.ID, func(t *testing.T) {
			if err := certs.TrustChain([]byte(v.RootBundle), v.Issuer, []byte(c.Chain), c.At); (err == nil) != c.Trusted {
				t.Errorf("%v, want trusted %v (%s)", err, c.Trusted, c.Note)
			}
		})
	}
	t.Logf("openapi/certs.json: %d certificates, %d bundles, %d chains", len(v.Certificates), len(v.Bundles), len(v.Trust))
}

// TestCertificatesOfTheApp: what is sent in every request, and what is refused at start.
func TestCertificatesOfTheApp(t *testing.T) {
	v := alipaytest.Load[alipaytest.CertVectors](t, "openapi/certs.json")
	c := alipaytest.Certificates(t)
	if c.AppSN() != v.Certificates["app"].SN || c.RootSN() != *v.Bundles[0].RootSN || len(c.Ends()) != 2 || c.Ends()["app_cert_file"].IsZero() {
		t.Errorf("app %s, root %s, ends %v", c.AppSN(), c.RootSN(), c.Ends())
	}
	pem := func(name string) []byte { return []byte(v.Certificates[name].PEM) }
	for name, o := range map[string]certs.Options{
		"no app":           {Alipay: pem("alipay_leaf"), Root: []byte(v.RootBundle)},
		"no Alipay":        {App: pem("app"), Root: []byte(v.RootBundle)},
		"no root":          {App: pem("app"), Alipay: pem("alipay_leaf")},
		"the app's twice":  {App: pem("app"), Alipay: pem("app"), Root: []byte(v.RootBundle)},
		"an authority":     {App: pem("app"), Alipay: pem("class2"), Root: []byte(v.RootBundle)},
		"a root for app":   {App: pem("root_r1"), Alipay: pem("alipay_leaf"), Root: []byte(v.RootBundle)},
		"an elliptic root": {App: pem("app"), Alipay: pem("alipay_leaf"), Root: pem("root_e1")},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := certs.New(o); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestCertificatesEnd: nothing verifies before its time or after its end, neither what is installed nor what is downloaded.
func TestCertificatesEnd(t *testing.T) {
	now := alipaytest.Certificates(t)
	end := now.Ends()["alipay_cert_file"]
	v := alipaytest.Load[alipaytest.CertVectors](t, "openapi/certs.json")
	var chain []byte
	for _, c := range v.Trust {
		if c.Trusted && chain == nil {
			chain = []byte(c.Chain)
		}
	}
	for at, want := range map[time.Time]bool{
		alipaytest.CertTime: true, end: true, end.Add(time.Second): false, time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC): false,
	} {
		if _, err := alipaytest.CertificatesAt(t, at).Keys(""); (err == nil) != want || err != nil && !errors.Is(err, certs.ErrUntrusted) {
			t.Errorf("the installed certificate at %v: %v", at, err)
		}
	}
	for at, want := range map[time.Time]bool{
		alipaytest.CertTime: true, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC): false, time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC): false,
	} {
		if err := certs.TrustChain([]byte(v.RootBundle), v.Issuer, chain, at); (err == nil) != want {
			t.Errorf("a chain at %v: %v", at, err)
		}
	}
}
