package inspect

import (
	"crypto"
	"crypto/rsa"
	"strings"

	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// ParseOwnKey reads either half of our own key and returns the public one.
func ParseOwnKey(text []byte) (*rsa.PublicKey, error) {
	if k, err := keys.ParsePrivate(text); err == nil {
		return &k.PublicKey, nil
	}
	return keys.ParsePublic(text)
}

// verifyOnly is a signer that only has a public half.
type verifyOnly struct {
	keys.Signer
	key *rsa.PublicKey
}

func (v verifyOnly) Public() crypto.PublicKey { return v.key }

// PrependFailures puts failed steps before the steps of an explanation.
func PrependFailures(failed []gateway.Step, e gateway.Explanation) gateway.Explanation {
	if len(failed) > 0 {
		e.Steps = append(failed, e.Steps...)
		if !e.Verified {
			e.Reason = failed[0].Name + ": " + failed[0].Detail
		}
	}
	return e
}

// SignedText returns the text that a captured request signed.
func SignedText(b []byte) ([]byte, error) {
	request, err := ReadCapture(b)
	if err != nil {
		return nil, err
	}
	_, query, _ := strings.Cut(request.Path(), "?")
	return form.SignedText([]byte(query), request.Body)
}

// PublicOnly returns a signer that cannot sign, for when only the public half of our key is known.
func PublicOnly(key *rsa.PublicKey) keys.Signer { return verifyOnly{key: key} }

// PublicHalf returns the public half of a signer's RSA key; nil if it has none.
func PublicHalf(s keys.Signer) *rsa.PublicKey {
	if p, ok := s.(interface{ Public() crypto.PublicKey }); ok {
		key, _ := p.Public().(*rsa.PublicKey)
		return key
	}
	return nil
}
