package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrUnusable marks a key text that cannot be used. Errors that wrap it never hold the text.
var ErrUnusable = errors.New("not a usable key")

// Bounds of a key text, checked before it is decoded: parsing such texts may cost the square
// of their length (CVE-2024-12401).
const (
	maxKeyText   = 64 << 10
	maxKeyBlocks = 16
	minKeyBits   = 1024
)

// ParsePrivate reads an RSA private key in any usual form: PKCS#8 or PKCS#1, in PEM armour with
// any label, or as bare Base64 on one or more lines.
func ParsePrivate(text []byte) (*rsa.PrivateKey, error) {
	der, err := keyDER(text)
	if err != nil {
		return nil, err
	}
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		r, ok := k.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("a private key, but not an RSA key: %w", ErrUnusable)
		}
		return bigEnough(r, r.N.BitLen())
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return bigEnough(k, k.N.BitLen())
	}
	if parsePublicDER(der) != nil {
		return nil, fmt.Errorf("this is a public key; a private key is needed: %w", ErrUnusable)
	}
	return nil, fmt.Errorf("neither PKCS#8 nor PKCS#1: %w", ErrUnusable)
}

// ParsePublic reads an RSA public key: SubjectPublicKeyInfo, as Alipay's console shows it
// on one line, or PKCS#1, with or without PEM armour.
func ParsePublic(text []byte) (*rsa.PublicKey, error) {
	der, err := keyDER(text)
	if err != nil {
		return nil, err
	}
	if k := parsePublicDER(der); k != nil {
		return bigEnough(k, k.N.BitLen())
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return nil, fmt.Errorf("this is a private key; a public key is needed: %w", ErrUnusable)
	}
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return nil, fmt.Errorf("this is a private key; a public key is needed: %w", ErrUnusable)
	}
	return nil, fmt.Errorf("neither SubjectPublicKeyInfo nor PKCS#1: %w", ErrUnusable)
}

func parsePublicDER(der []byte) *rsa.PublicKey {
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		r, _ := k.(*rsa.PublicKey)
		return r
	}
	k, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil
	}
	return k
}

func bigEnough[K any](k *K, bits int) (*K, error) {
	if bits < minKeyBits {
		return nil, fmt.Errorf("%d bits, fewer than %d: %w", bits, minKeyBits, ErrUnusable)
	}
	return k, nil
}

// keyDER strips armour and white space and decodes Base64. It does not use encoding/pem: texts
// that lost their line ends in a settings file are common.
func keyDER(text []byte) ([]byte, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("longer than 64 KiB: %w", ErrUnusable)
	}
	const begin, end = "-----BEGIN ", "-----"
	if n := bytes.Count(text, []byte(begin)); n > maxKeyBlocks {
		return nil, fmt.Errorf("%d PEM blocks, more than %d: %w", n, maxKeyBlocks, ErrUnusable)
	}
	body := strings.ReplaceAll(string(text), "\ufeff", "") // byte order marks of editors
	if _, rest, ok := strings.Cut(body, begin); ok {
		label, rest, _ := strings.Cut(rest, end)
		body, _, _ = strings.Cut(rest, end)
		if strings.Contains(label+body, "ENCRYPTED") {
			return nil, fmt.Errorf("the key is encrypted with a passphrase: %w", ErrUnusable)
		}
	}
	body = strings.Join(strings.Fields(body), "")
	if body == "" {
		return nil, fmt.Errorf("empty: %w", ErrUnusable)
	}
	der, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("not Base64: %w", ErrUnusable)
	}
	return der, nil
}

// ParseECPrivate reads a private key on P-224 for AlipayHK's ECC224: PKCS#8 or SEC 1, in the
// same text forms as [ParsePrivate].
func ParseECPrivate(text []byte) (*ecdsa.PrivateKey, error) {
	der, err := keyDER(text)
	if err != nil {
		return nil, err
	}
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if e, ok := k.(*ecdsa.PrivateKey); ok && e.Curve == elliptic.P224() {
			return e, nil
		}
		return nil, fmt.Errorf("a private key, but not on P-224: %w", ErrUnusable)
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil && k.Curve == elliptic.P224() {
		return k, nil
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		return nil, fmt.Errorf("this is a public key; a private key is needed: %w", ErrUnusable)
	}
	return nil, fmt.Errorf("neither PKCS#8 nor SEC 1 on P-224: %w", ErrUnusable)
}

// ParseECPublic reads a public key on P-224: SubjectPublicKeyInfo, with or without armour.
func ParseECPublic(text []byte) (*ecdsa.PublicKey, error) {
	der, err := keyDER(text)
	if err != nil {
		return nil, err
	}
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		if e, ok := k.(*ecdsa.PublicKey); ok && e.Curve == elliptic.P224() {
			return e, nil
		}
		return nil, fmt.Errorf("a public key, but not on P-224: %w", ErrUnusable)
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return nil, fmt.Errorf("this is a private key; a public key is needed: %w", ErrUnusable)
	}
	return nil, fmt.Errorf("not SubjectPublicKeyInfo on P-224: %w", ErrUnusable)
}
