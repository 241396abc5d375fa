package wire

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// TestSNs: the simulator computes the SN of a certificate as Java does, also for unusual issuers.
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
			continue // crypto/x509 cannot read it; no app has such a certificate
		}
		t.Run(name, func(t *testing.T) {
			b, _ := pem.Decode([]byte(c.PEM))
			made, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := certSN(made); got != c.SN || err != nil {
				t.Errorf("SN = %s, %v, want %s", got, err, c.SN)
			}
		})
	}
	for _, b := range v.Bundles {
		t.Run(b.ID, func(t *testing.T) {
			got, err := rootSN(b.Text)
			switch {
			case b.RootSN == nil && err == nil:
				t.Errorf("SN = %s, want an error", got)
			case b.RootSN != nil && (got != *b.RootSN || err != nil):
				t.Errorf("SN = %s, %v, want %s", got, err, *b.RootSN)
			}
		})
	}
}
