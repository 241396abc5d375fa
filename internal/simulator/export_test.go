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

// EncryptContent and DecryptContent let the vectors and the fuzzer reach the encryption.
func EncryptContent(key, plain []byte) string { return encryptContent(key, plain) }

// DecryptContent undoes EncryptContent.
func DecryptContent(key []byte, text string) ([]byte, error) { return decryptContent(key, text) }
