package gateway

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/form"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// AlipayKey is a public key of Alipay's with the time until which it is valid.
type AlipayKey struct {
	Key   *rsa.PublicKey
	Until time.Time // zero: no known end
}

// trust is what makes a signature Alipay's: keys that an operator configured, or certificates.
type trust struct {
	keys  []AlipayKey
	certs *certs.Store // nil: public-key mode
	now   func() time.Time
	own   *rsa.PublicKey // our own, to explain a mix-up; nil in calls
}

var (
	errNoKey = errors.New("no configured key of Alipay is valid now; add the one that Alipay shows")
)

// candidates returns the keys that may have made a signature: in certificate mode the key of
// the named certificate, or of the installed ones where none is named (old notifications).
func (t *trust) candidates(sn string) ([]*rsa.PublicKey, error) {
	if t.certs != nil {
		return t.certs.Keys(sn)
	}
	var candidates []*rsa.PublicKey
	for _, k := range t.keys {
		if k.Until.IsZero() || t.now().Before(k.Until) {
			candidates = append(candidates, k.Key)
		}
	}
	if len(candidates) == 0 {
		return nil, errNoKey
	}
	return candidates, nil
}

// verifyAny reports whether one of the keys made the signature: PKCS#1 v1.5 only.
func verifyAny(h crypto.Hash, candidates []*rsa.PublicKey, text, sig []byte) bool {
	digest := keys.Digest(h, text)
	for _, k := range candidates {
		if rsa.VerifyPKCS1v15(k, h, digest, sig) == nil {
			return true
		}
	}
	return false
}

// Bounds of keys. Signatures of keys below 2048 bits can be forged.
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

// errOwnKey reports the most common mistake of all integrations.
func errOwnKey(what string) error {
	return fmt.Errorf("alipay: the %s is the public half of our own private key; configure the one Alipay shows", what)
}

// newTrust returns what verifies Alipay's signatures: configured keys, or certificates.
func newTrust(o OpenAPIOptions) (*trust, error) {
	t := &trust{certs: o.Certificates, now: orNow(o.Now)}
	if t.certs != nil {
		if o.AlipayKey != nil || len(o.MoreKeys) > 0 {
			return nil, errors.New("alipay: an Alipay key is configured as well as certificates; remove one of them")
		}
		return t, nil
	}
	t.keys = append([]AlipayKey{{Key: o.AlipayKey}}, o.MoreKeys...)
	for _, k := range t.keys {
		if err := checkAlipayKey("Alipay key", o.AllowWeak, k.Key); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// keyIsNotOurs finds the most common mistake of all integrations, where our own key is known.
func (t *trust) keyIsNotOurs() error {
	for _, k := range t.keys {
		if t.own != nil && k.Key.Equal(t.own) {
			return errors.New("the configured Alipay key is the public half of our own private key; configure the one Alipay shows after the upload")
		}
	}
	return nil
}

// explainMismatch explains why a signature does not match, in words that an integrator can act
// on. It tries the usual mistakes; nothing is believed because of these attempts.
func (t *trust) explainMismatch(h crypto.Hash, candidates []*rsa.PublicKey, text, sig []byte) string {
	other, name := crypto.SHA1, "RSA (SHA-1)"
	if h == crypto.SHA1 {
		other, name = crypto.SHA256, "RSA2 (SHA-256)"
	}
	switch {
	case t.own != nil && verifyAny(h, []*rsa.PublicKey{t.own}, text, sig):
		return "the signature was made with our own private key: this is not Alipay's text, or the two sides were mixed up"
	case verifyAny(other, candidates, text, sig):
		return "the signature is good with sign_type " + name + ": the sign_type configured here and the one of the app at Alipay differ"
	case verifyAny(h, candidates, alipay.CharsetGBK.Decode(text), sig):
		return "the signature is good over the same text in UTF-8: it was converted to GBK in transit, or the configured charset is wrong"
	case signedInGBK(h, candidates, text, sig):
		return "the signature is good over the same text in GBK: it was converted to UTF-8 in transit, or the configured charset is wrong"
	case verifyAny(h, candidates, []byte(form.UnescapeHTML(string(text))), sig):
		return "the signature is good over the text without HTML escapes: a framework escaped it"
	case verifyAny(h, candidates, bytes.TrimSpace(text), sig):
		return "the signature is good over the text without white space at its ends"
	}
	return explainKey(h, candidates, sig)
}

// signedInGBK reports whether the signature is over the GBK form of a text.
func signedInGBK(h crypto.Hash, candidates []*rsa.PublicKey, text, sig []byte) bool {
	gbk, err := alipay.CharsetGBK.Encode(text)
	return err == nil && verifyAny(h, candidates, gbk, sig)
}

// explainKey separates a changed text from another key: with the right key the signature
// decrypts to a well-formed block, whichever text it is compared with.
func explainKey(h crypto.Hash, candidates []*rsa.PublicKey, sig []byte) string {
	for _, k := range candidates {
		if opensUnder(k, h, sig) {
			return "the key is the right one, but this is not the text that was signed: at least one byte was changed, added or lost"
		}
	}
	for _, k := range candidates {
		if len(sig) != k.Size() {
			return fmt.Sprintf("the signature has %d bytes, the configured key makes %d: it was made with another key", len(sig), k.Size())
		}
	}
	return "the signature was made with another key: the configured Alipay key is not the one that signed (often it is the app's own public key, the sandbox's, or that of another app)"
}

// opensUnder reports whether a signature was made with the private half of a key, over any
// text: it decrypts to 00 01 ff ... 00 and a digest of the hash (RFC 8017, 9.2).
func opensUnder(k *rsa.PublicKey, h crypto.Hash, sig []byte) bool {
	if len(sig) != k.Size() {
		return false
	}
	block := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, k.Size()))
	if block[0] != 0 || block[1] != 1 {
		return false
	}
	padding, digest, ok := bytes.Cut(block[2:], []byte{0})
	if !ok || len(bytes.Trim(padding, "\xff")) > 0 {
		return false
	}
	var info struct {
		Algorithm struct {
			Algorithm  asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Digest []byte
	}
	rest, err := asn1.Unmarshal(digest, &info)
	return err == nil && len(rest) == 0 && len(info.Digest) == h.Size()
}

// maxSign is the longest sign: the Base64 of a signature by a key of 6144 bits.
const maxSign = 1024

// Why a signature is not good.
var (
	errSignAbsent = errors.New("sign is missing")
	errSignForm   = errors.New("sign is not Base64")
	errSignType   = errors.New("sign_type is not the configured one")
	errSignature  = errors.New("the signature does not match")
)

func decodeSign(text string) ([]byte, error) {
	if len(text) > maxSign || strings.ContainsAny(text, "\r\n") {
		return nil, errSignForm
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errSignForm
	}
	return sig, nil
}
