package main

import (
	"crypto"
	"crypto/rsa"
	"strings"

	"alipay-kafka-bridge/internal/alipay"
)

// parseOwnKey reads our own key in either half, and returns the public one.
func parseOwnKey(text []byte) (*rsa.PublicKey, error) {
	if k, err := alipay.ParsePrivateKey(text); err == nil {
		return &k.PublicKey, nil
	}
	return alipay.ParsePublicKey(text)
}

// verifyOnly is a signer that signs nothing and has a public half.
type verifyOnly struct {
	alipay.Signer
	key *rsa.PublicKey
}

func (v verifyOnly) Public() crypto.PublicKey { return v.key }

// prependFailures puts failed steps first.
func prependFailures(failed []alipay.Step, e alipay.Explanation) alipay.Explanation {
	if len(failed) > 0 {
		e.Steps = append(failed, e.Steps...)
		if !e.Verified {
			e.Reason = failed[0].Name + ": " + failed[0].Detail
		}
	}
	return e
}

// signedText is the text that a captured request signed.
func signedText(b []byte) ([]byte, error) {
	request, err := readCapture(b)
	if err != nil {
		return nil, err
	}
	_, query, _ := strings.Cut(request.path(), "?")
	return alipay.SignedText([]byte(query), request.body)
}

// publicOnly stands in for our signer where only the public half of our key is known.
func publicOnly(key *rsa.PublicKey) alipay.Signer { return verifyOnly{key: key} }

// publicHalf is the public half of a signer's RSA key; nil if it has none.
func publicHalf(s alipay.Signer) *rsa.PublicKey {
	if p, ok := s.(interface{ Public() crypto.PublicKey }); ok {
		key, _ := p.Public().(*rsa.PublicKey)
		return key
	}
	return nil
}
