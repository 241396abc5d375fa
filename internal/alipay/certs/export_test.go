package certs

import (
	"crypto/rsa"
	"math/big"
	"time"
)

// BundleSNs returns the SN of every certificate of a text.
func BundleSNs(text []byte) ([]string, error) {
	list, err := parseBundle(text)
	var sns []string
	for _, c := range list {
		sns = append(sns, c.sn)
	}
	return sns, err
}

// RootSN returns the SN of a root bundle.
func RootSN(text []byte) (string, error) {
	b, err := parseRoots(text)
	return b.sn, err
}

// TrustChain checks a chain as of a time under a root bundle and the issuer of Alipay's
// certificates.
func TrustChain(roots []byte, issuer string, chain []byte, at time.Time) error {
	b, err := parseRoots(roots)
	if err != nil {
		return err
	}
	c := &Store{roots: b, issuer: issuer, now: func() time.Time { return at }, byID: map[string]trustedCertificate{}, appKey: &rsa.PublicKey{N: new(big.Int)}}
	return c.Add(chain)
}
