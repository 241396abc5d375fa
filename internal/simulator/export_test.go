package simulator

import (
	"crypto/x509"
	"encoding/pem"
)

// CertSN and RootSN let the vectors reach the names of certificates.
func CertSN(text string) (string, error) {
	b, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		return "", err
	}
	return certSN(c)
}

// RootSN is that of a bundle.
func RootSN(bundle string) (string, error) { return rootSN(bundle) }
