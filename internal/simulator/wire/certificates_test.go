package wire

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// TestSNs: the simulator computes names of certificates as Java does, odd issuers included.
func TestSNs(t *testing.T) {
	var v struct {
		Certificates map[string]struct {
			PEM string
			SN  string `json:"cert_sn"`
		}
		Bundles []struct {
			ID     string
			Text   string
			RootSN *string `json:"root_sn"`
		}
	}
	readVectors(t, "openapi/certs.json", &v)
	for name, c := range v.Certificates {
		if name == "root_sm2" {
			continue // no certificate of an app; x509 cannot read it
		}
		b, _ := pem.Decode([]byte(c.PEM))
		made, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := certSN(made); got != c.SN || err != nil {
			t.Errorf("%s: SN = %s, %v, want %s", name, got, err, c.SN)
		}
	}
	for _, b := range v.Bundles {
		got, err := rootSN(b.Text)
		if b.RootSN == nil {
			if err == nil {
				t.Errorf("%s: SN = %s, want an error", b.ID, got)
			}
		} else if got != *b.RootSN || err != nil {
			t.Errorf("%s: SN = %s, %v, want %s", b.ID, got, err, *b.RootSN)
		}
	}
}
