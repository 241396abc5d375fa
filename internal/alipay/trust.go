package alipay

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"
)

// AlipayKey is a public key of Alipay's with the time until which it counts.
type AlipayKey struct {
	Key   *rsa.PublicKey
	Until time.Time // zero: no end is known
}

// trust is what makes a signature Alipay's: keys that an operator configured, or certificates.
type trust struct {
	keys  []AlipayKey
	certs *Certificates // nil: public-key mode
	now   func() time.Time
	own   *rsa.PublicKey // our own, to explain a mix-up; nil in calls
}

var (
	errUnknownCert = errors.New("the certificate that signed is not known")
	errNoKey       = errors.New("no configured key of Alipay counts at this time")
)

// candidates returns the keys that may have made a signature: in certificate mode the key of
// the named certificate, or of the installed ones where none is named (old notifications).
func (t *trust) candidates(sn string) ([]*rsa.PublicKey, error) {
	if t.certs != nil {
		return t.certs.keys(sn)
	}
	var keys []*rsa.PublicKey
	for _, k := range t.keys {
		if k.Until.IsZero() || t.now().Before(k.Until) {
			keys = append(keys, k.Key)
		}
	}
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return keys, nil
}

// verifyAny says whether one of the keys made the signature: PKCS#1 v1.5, no other.
func verifyAny(h crypto.Hash, keys []*rsa.PublicKey, text, sig []byte) bool {
	digest := digestOf(h, text)
	for _, k := range keys {
		if rsa.VerifyPKCS1v15(k, h, digest, sig) == nil {
			return true
		}
	}
	return false
}

// Bounds of keys. What is signed with a key below 2048 bits can be forged.
const (
	strongKeyBits = 2048
	weakKeyBits   = 1024 // the least with AllowWeak
)

// checkAlipayKey refuses a key that is too weak to verify with.
func checkAlipayKey(what string, weak bool, key *rsa.PublicKey) error {
	least := strongKeyBits
	if weak {
		least = weakKeyBits
	}
	switch {
	case key == nil:
		return fmt.Errorf("alipay: the %s is missing", what)
	case key.N.BitLen() < least:
		return fmt.Errorf("alipay: the %s has %d bits, fewer than %d", what, key.N.BitLen(), least)
	}
	return nil
}

// errOwnKey says the commonest fault of all integrations.
func errOwnKey(what string) error {
	return fmt.Errorf("alipay: the %s is the public half of our own private key; configure the one Alipay shows", what)
}
