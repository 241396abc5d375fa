package alipay

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// whyNot says in words that an integrator can act on why a signature does not match. It tries
// the usual mistakes; none of its verifications makes anything believed.
func (t *trust) whyNot(h crypto.Hash, keys []*rsa.PublicKey, text, sig []byte) string {
	other, name := crypto.SHA1, "RSA (SHA-1)"
	if h == crypto.SHA1 {
		other, name = crypto.SHA256, "RSA2 (SHA-256)"
	}
	switch {
	case t.own != nil && verifyAny(h, []*rsa.PublicKey{t.own}, text, sig):
		return "the signature was made with our own private key: this is not Alipay's text, or the two sides were mixed up"
	case verifyAny(other, keys, text, sig):
		return "the signature is good under sign_type " + name + ": the sign_type configured here and the one of the app at Alipay differ"
	case verifyAny(h, keys, CharsetGBK.decode(text), sig):
		return "the signature is good over the same text in UTF-8: it was recoded to GBK on the way, or the charset is configured wrong"
	case recoded(h, keys, text, sig):
		return "the signature is good over the same text in GBK: it was recoded to UTF-8 on the way, or the charset is configured wrong"
	case verifyAny(h, keys, []byte(unescapeHTML.Replace(string(text))), sig):
		return "the signature is good over the text without HTML escapes: a framework escaped it on the way"
	case verifyAny(h, keys, bytes.TrimSpace(text), sig):
		return "the signature is good over the text without white space at its ends"
	}
	return whichKey(h, keys, sig)
}

// recoded says whether the signature is over the GBK form of a text.
func recoded(h crypto.Hash, keys []*rsa.PublicKey, text, sig []byte) bool {
	gbk, err := CharsetGBK.encode(text)
	return err == nil && verifyAny(h, keys, gbk, sig)
}

// whichKey tells a changed text from another key: under the right key the signature opens to a
// well-formed block, whatever text it is compared with.
func whichKey(h crypto.Hash, keys []*rsa.PublicKey, sig []byte) string {
	for _, k := range keys {
		if opensUnder(k, h, sig) {
			return "the key is the right one, but this is not the text that was signed: at least one byte was changed, added or lost"
		}
	}
	for _, k := range keys {
		if len(sig) != k.Size() {
			return fmt.Sprintf("the signature has %d bytes, the configured key makes %d: it was made with another key", len(sig), k.Size())
		}
	}
	return "the signature was made with another key: the configured Alipay key is not the one that signed (often it is the app's own public key, the sandbox's, or that of another app)"
}

// opensUnder says whether a signature was made with the private half of a key, over whatever
// text: it opens to 00 01 ff ... 00 and a digest of the hash (RFC 8017, 9.2).
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
		Algorithm algorithmID
		Digest    []byte
	}
	rest, err := asn1.Unmarshal(digest, &info)
	return err == nil && len(rest) == 0 && len(info.Digest) == h.Size()
}

// whyNot says the same of AlipayHK's signatures.
func (h *hk) whyNot(sig hkSignature, content []byte, err error) string {
	purpose := sig.purpose()
	versions := h.keys.versions(hkPlatform, purpose)
	if errors.Is(err, errHKVersion) {
		return fmt.Sprintf("the answer names key version %s; configured are %v: add that version's platform key", foreign(sig.keyVersion, maxCode), versions)
	}
	if !errors.Is(err, errHKSignature) {
		return err.Error()
	}
	if h.own != nil && h.verifyUnder(h.own, content, sig.signature) {
		return "the signature was made with our own private key: this is not AlipayHK's answer"
	}
	for _, v := range versions {
		if h.verifyUnder(h.keys[hkKeyID{hkPlatform, purpose, v}], content, sig.signature) {
			return fmt.Sprintf("the answer names key version %s, but the signature is good under version %s: two keys are configured under each other's version", foreign(sig.keyVersion, maxCode), v)
		}
	}
	var keys []*rsa.PublicKey
	for _, v := range versions {
		if k, ok := h.keys[hkKeyID{hkPlatform, purpose, v}].(*rsa.PublicKey); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return err.Error()
	}
	return whichKey(crypto.SHA256, keys, sig.signature) + "; what is signed is POST, path, Client-Id, Response-Time and the raw body"
}

// hideToken hides a token in a text to sign.
func hideToken(text []byte, token string) []byte {
	return bytes.ReplaceAll(text, []byte("app_auth_token="+token), []byte("app_auth_token="+hidden))
}
