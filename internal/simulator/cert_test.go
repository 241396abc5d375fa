package simulator_test

import (
	"encoding/json"
	"testing"

	"alipay-kafka-bridge/internal/simulator"
)

// certVectors is testdata/openapi/certs.json.
type certVectors struct {
	About        string          `json:"about"`
	MadeWith     string          `json:"made_with"`
	RealFigure   json.RawMessage `json:"known_real_figure"`
	AlipayIssuer string          `json:"issuer_of_alipay_certs"`
	Certificates map[string]struct {
		PEM        string  `json:"pem"`
		SigAlg     string  `json:"sig_alg_oid"`
		Issuer     string  `json:"issuer_rfc2253"`
		Serial     string  `json:"serial_decimal"`
		SN         string  `json:"cert_sn"`
		NodeSN     *string `json:"node_sdk_sn"`
		GoSN       *string `json:"go_issuer_string_sn"`
		NodeAgrees bool    `json:"node_sdk_agrees"`
		GoAgrees   bool    `json:"go_issuer_string_agrees"`
		Note       string  `json:"note"`
	} `json:"certificates"`
	RootBundle string `json:"root_bundle"`
	Bundles    []struct {
		ID     string  `json:"id"`
		Text   string  `json:"text"`
		RootSN *string `json:"root_sn"`
		Note   string  `json:"note"`
	} `json:"bundles"`
	TrustCases json.RawMessage `json:"trust_cases"` // for clients
}

func vectorCerts(t testing.TB) certVectors {
	t.Helper()
	var v certVectors
	load(t, "openapi/certs.json", &v)
	return v
}

// TestSNs: the simulator computes names of certificates as Java does, odd issuers included.
func TestSNs(t *testing.T) {
	v := vectorCerts(t)
	for name, c := range v.Certificates {
		if name == "root_sm2" {
			continue // no certificate of an app; x509 cannot read it
		}
		if got, err := simulator.CertSN(c.PEM); got != c.SN || err != nil {
			t.Errorf("%s: SN = %s, %v, want %s", name, got, err, c.SN)
		}
	}
	for _, b := range v.Bundles {
		got, err := simulator.RootSN(b.Text)
		if b.RootSN == nil {
			if err == nil {
				t.Errorf("%s: SN = %s, want an error", b.ID, got)
			}
		} else if got != *b.RootSN || err != nil {
			t.Errorf("%s: SN = %s, %v, want %s", b.ID, got, err, *b.RootSN)
		}
	}
}
