package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

// Signer makes the signatures of one app. The length of the digest determines the hash: 32 bytes
// are SHA-256 (RSA2, RSA256), 20 are SHA-1 (RSA, for apps with AllowWeak), 28 are SHA-224
// (ECC224). RSA keys sign with PKCS#1 v1.5, elliptic ones return ASN.1 DER. A Signer may gather
// several calls into one batch.
//
// A Signer that this package did not make needs Public() crypto.PublicKey too: each of its
// signatures is verified before it leaves, since one faulty RSA-CRT signature reveals the
// key (Boneh, DeMillo, Lipton 1997; crypto/rsa checks its own).
type Signer interface {
	Sign(ctx context.Context, digest []byte) ([]byte, error)
}

// ErrSigner marks a failure of the signer itself: nothing was sent.
var ErrSigner = errors.New("the signer failed")

// Hidden is what every type that holds a secret prints.
const Hidden = "<hidden>"

// keySigner signs with a standard key.
type keySigner struct {
	key crypto.Signer
	own bool // a key of the standard library, in memory
}

// NewRSASigner returns a Signer that holds the key in memory and uses crypto/rsa.
func NewRSASigner(k *rsa.PrivateKey) Signer { return &keySigner{key: k, own: true} }

// NewSigner returns a Signer for a key that may be remote, in a module or a service: RSA, or
// elliptic on P-224 for AlipayHK's ECC224.
func NewSigner(k crypto.Signer) (Signer, error) {
	switch pub := k.Public().(type) {
	case *rsa.PublicKey:
		_, own := k.(*rsa.PrivateKey)
		return &keySigner{key: k, own: own}, nil
	case *ecdsa.PublicKey:
		if pub.Curve != elliptic.P224() {
			return nil, fmt.Errorf("an elliptic key that is not on P-224: %w", ErrUnusable)
		}
		_, own := k.(*ecdsa.PrivateKey)
		return &keySigner{key: k, own: own}, nil
	}
	return nil, fmt.Errorf("neither RSA nor elliptic: %w", ErrUnusable)
}

func (s *keySigner) Sign(_ context.Context, digest []byte) ([]byte, error) {
	h := hashOf(digest)
	if h == 0 {
		return nil, fmt.Errorf("a digest of %d bytes: Alipay has no signatures over it", len(digest))
	}
	return s.key.Sign(rand.Reader, digest, h)
}

// Public returns the public half of the key.
func (s *keySigner) Public() crypto.PublicKey { return s.key.Public() }

// Format, LogValue and MarshalText hide the key from fmt, slog, JSON and YAML.
func (s *keySigner) Format(f fmt.State, _ rune)   { fmt.Fprint(f, Hidden) }
func (s *keySigner) LogValue() slog.Value         { return slog.StringValue(Hidden) }
func (s *keySigner) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// PublicOf returns the public half of a signer, nil if it is not known.
func PublicOf(s Signer) crypto.PublicKey {
	if p, ok := s.(interface{ Public() crypto.PublicKey }); ok {
		return p.Public()
	}
	return nil
}

// Fingerprint names a public key: "sha256:" and the digest of its SubjectPublicKeyInfo.
func Fingerprint(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "unknown"
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Verifying returns a signer that verifies each signature before it returns it. Keys of the
// standard library verify their own; all others are wrapped.
func Verifying(s Signer) (Signer, error) {
	if k, ok := s.(*keySigner); ok && k.own {
		return s, nil
	}
	if PublicOf(s) == nil {
		return nil, errors.New("alipay: a signer of another package must have a Public method")
	}
	return &verifyingSigner{s}, nil
}

// verifyingSigner verifies what another signer signs.
type verifyingSigner struct{ Signer }

var ErrFaultySignature = errors.New("the signature does not verify under the signer's own public key")

func (s *verifyingSigner) Sign(ctx context.Context, digest []byte) ([]byte, error) {
	sig, err := s.Signer.Sign(ctx, digest)
	if err != nil {
		return nil, err
	}
	if !verifyDigest(s.Public(), digest, sig) {
		return nil, ErrFaultySignature
	}
	return sig, nil
}

// Public returns the public half of the key.
func (s *verifyingSigner) Public() crypto.PublicKey { return PublicOf(s.Signer) }

// Format, LogValue and MarshalText hide the key.
func (s *verifyingSigner) Format(f fmt.State, _ rune)   { fmt.Fprint(f, Hidden) }
func (s *verifyingSigner) LogValue() slog.Value         { return slog.StringValue(Hidden) }
func (s *verifyingSigner) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// CheckSigner lets a signer sign a fixed digest and verifies the signature.
func CheckSigner(ctx context.Context, s Signer, h crypto.Hash) error {
	digest := Digest(h, []byte("alipay-kafka-bridge signer check"))
	sig, err := s.Sign(ctx, digest)
	if err != nil {
		return errors.Join(ErrSigner, err)
	}
	if pub := PublicOf(s); pub != nil && !verifyDigest(pub, digest, sig) {
		return errors.Join(ErrSigner, ErrFaultySignature)
	}
	return nil
}

// hashOf returns the hash with digests of this length, 0 for other lengths.
func hashOf(digest []byte) crypto.Hash {
	switch len(digest) {
	case sha256.Size:
		return crypto.SHA256
	case sha256.Size224:
		return crypto.SHA224
	case sha1.Size:
		return crypto.SHA1
	}
	return 0
}

// Digest hashes a text with one of the three.
func Digest(h crypto.Hash, text []byte) []byte {
	switch h {
	case crypto.SHA1:
		d := sha1.Sum(text)
		return d[:]
	case crypto.SHA224:
		d := sha256.Sum224(text)
		return d[:]
	}
	d := sha256.Sum256(text)
	return d[:]
}

// verifyDigest reports whether sig is a signature over a digest: RSA PKCS#1 v1.5 only, or
// ECDSA in ASN.1 DER.
func verifyDigest(key crypto.PublicKey, digest, sig []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, hashOf(digest), digest, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, sig)
	}
	return false
}

// Holds reports whether the signer's public half is known and equals key: a merchant's own key
// configured as Alipay's is the most common mistake of all integrations.
func Holds(s Signer, key interface{ Equal(crypto.PublicKey) bool }) bool {
	pub := PublicOf(s)
	return pub != nil && key.Equal(pub)
}
