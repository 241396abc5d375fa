package certs_test

import (
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/certs"
)

// FuzzCertificates: bundles and chains; nothing changed is trusted that is not the same
// certificate.
func FuzzCertificates(f *testing.F) {
	v := alipaytest.Load[alipaytest.CertVectors](f, "openapi/certs.json")
	trusted := map[string]bool{}
	for _, c := range v.Trust {
		f.Add([]byte(c.Chain))
		if sns, err := certs.BundleSNs([]byte(c.Chain)); err == nil && c.Trusted {
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
		_, _ = certs.RootSN(chain)
		if certs.TrustChain([]byte(v.RootBundle), v.Issuer, chain, alipaytest.CertTime) == nil {
			sns, _ := certs.BundleSNs(chain)
			known := false
			for _, sn := range sns {
				known = known || trusted[sn]
			}
			if !known {
				t.Errorf("trusted: %q", chain)
			}
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%d bytes took %v", len(chain), took)
		}
	})
}
