package alipaytest

import (
	"crypto/rsa"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// OpenAPIKeys is testdata/openapi/keys.json.
type OpenAPIKeys struct {
	About     string `json:"about"`
	MadeWith  string `json:"made_with"`
	AppID     string `json:"app_id"`
	AESKey    string `json:"aes_key_base64"`
	Keys      map[string]OpenAPIKey
	LoadCases []struct {
		ID, Kind, Text, Note string
		Accept               bool
	} `json:"load_cases"`
}

type OpenAPIKey struct {
	PKCS1PEM       string `json:"pkcs1_pem"`
	PKCS1Base64    string `json:"pkcs1_base64"`
	PKCS8PEM       string `json:"pkcs8_pem"`
	PKCS8Base64    string `json:"pkcs8_base64"`
	SPKIPEM        string `json:"spki_pem"`
	SPKIBase64     string `json:"spki_base64"`
	PKCS1PubPEM    string `json:"pkcs1pub_pem"`
	PKCS1PubBase64 string `json:"pkcs1pub_base64"`
	Bits           int
	Role           string
}

// HKKeys is testdata/alipayhk/keys.json.
type HKKeys struct {
	ID, What string
	MadeBy   string `json:"made_by"`
	Roles    map[string]string
	Keys     map[string]struct {
		Type        string
		PKCS8PEM    string `json:"private_pkcs8_pem"`
		PKCS1PEM    string `json:"private_pkcs1_pem"`
		SEC1PEM     string `json:"private_sec1_pem"`
		PKCS8Base64 string `json:"private_pkcs8_der_base64"`
		PKCS1Base64 string `json:"private_pkcs1_der_base64"`
		SPKIPEM     string `json:"public_spki_pem"`
		SPKIBase64  string `json:"public_spki_der_base64"`
	}
}

func Signer(t testing.TB, keyVectors OpenAPIKeys, name string) keys.Signer {
	t.Helper()
	key, err := keys.ParsePrivate(Armour(keyVectors.Keys[name].PKCS8Base64))
	if err != nil {
		t.Fatal(err)
	}
	return keys.NewRSASigner(key)
}

func PublicKey(t testing.TB, keyVectors OpenAPIKeys, name string) *rsa.PublicKey {
	t.Helper()
	key, err := keys.ParsePublic(Armour(keyVectors.Keys[name].SPKIBase64))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// CertVectors is testdata/openapi/certs.json.
type CertVectors struct {
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

// CertTime is the time at which the certificates of the vectors are judged.
var CertTime = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// Certificates are those of the vectors, at CertTime.
func Certificates(t testing.TB) *certs.Store {
	t.Helper()
	return CertificatesAt(t, CertTime)
}

// CertificatesAt are the same at another time.
func CertificatesAt(t testing.TB, at time.Time) *certs.Store {
	t.Helper()
	v := Load[CertVectors](t, "openapi/certs.json")
	c, err := certs.New(certs.Options{
		App: []byte(v.Certificates["app"].PEM), Alipay: []byte(v.Certificates["alipay_leaf"].PEM), Root: []byte(v.RootBundle),
		Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
