package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // sign_type RSA is SHA1withRSA; the pages still allow it
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"sync"
	"sync/atomic"
)

// digest hashes content for a signature: SHA-256 for RSA2 and RSA256, SHA-1 for RSA.
func digest(h crypto.Hash, content []byte) []byte {
	if h == crypto.SHA1 {
		d := sha1.Sum(content) //nolint:gosec // see the import
		return d[:]
	}
	d := sha256.Sum256(content)
	return d[:]
}

// VerifyRSA checks a PKCS#1 v1.5 signature.
func VerifyRSA(k *rsa.PublicKey, h crypto.Hash, content, sig []byte) bool {
	return rsa.VerifyPKCS1v15(k, h, digest(h, content), sig) == nil
}

// Signer signs answers.
type Signer struct {
	replays    bool                   // BenchMode
	signatures sync.Map               // Base64 of a signature by its replayID, in BenchMode
	count      atomic.Int64           // entries of signatures
	WrongKey   func() *rsa.PrivateKey // a key that belongs to no one, generated at its first use
}

// replayID identifies a signature: what was signed, with which key and digest.
type replayID struct {
	content [32]byte // SHA-256
	key     any      // a pointer to the key
	hash    crypto.Hash
}

// NewSigner returns a signer. With replay it signs the same content only once (BenchMode).
func NewSigner(replay bool) *Signer {
	return &Signer{replays: replay, WrongKey: sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic("simulator: cannot generate a key: " + err.Error())
		}
		return k
	})}
}

// replayLimit limits how many signatures BenchMode keeps, of 344 bytes each.
const replayLimit = 1 << 20

// Sign returns the Base64 of a PKCS#1 v1.5 signature.
func (g *Signer) Sign(k *rsa.PrivateKey, h crypto.Hash, content []byte) string {
	return g.signOrReplay(k, h, content, func() []byte {
		sig, err := rsa.SignPKCS1v15(nil, k, h, digest(h, content))
		if err != nil {
			panic("simulator: signing key is unusable: " + err.Error())
		}
		return sig
	})
}

// signECC returns the Base64 of an ECDSA signature. A replayed one verifies like a new one,
// although a real signer never makes the same one twice.
func (g *Signer) signECC(e ECC, k *ecdsa.PrivateKey, content []byte) string {
	return g.signOrReplay(k, 0, content, func() []byte { return e.signature(k, content) })
}

// signOrReplay signs, or in BenchMode returns the signature of the same content again.
func (g *Signer) signOrReplay(key any, h crypto.Hash, content []byte, sign func() []byte) string {
	if !g.replays {
		return base64.StdEncoding.EncodeToString(sign())
	}
	id := replayID{sha256.Sum256(content), key, h}
	if sig, ok := g.signatures.Load(id); ok {
		return sig.(string)
	}
	text := base64.StdEncoding.EncodeToString(sign())
	if g.count.Add(1) <= replayLimit {
		g.signatures.Store(id, text)
	}
	return text
}

// ECC are the keys of algorithm ECC224 on P-224, and its interpretation: the documents name neither
// hash nor encoding (docs/alipay.md, HK "ECC224"). The zero value signs SHA-224 in DER.
type ECC struct {
	MerchantKeys map[string]*ecdsa.PublicKey // by key version
	PlatformKey  *ecdsa.PrivateKey           // signs the answers to requests signed with ECC224
	SHA256       bool                        // else SHA-224
	P1363        bool                        // r and s, 28 bytes each; else ASN.1 DER
}

// coordinateSize is the size of r and of s on P-224.
const coordinateSize = 28

// CheckCurves returns an error unless all keys are on P-224.
func (e ECC) CheckCurves() error {
	if e.PlatformKey != nil && e.PlatformKey.Curve != elliptic.P224() {
		return errors.New("ECC224 needs keys on P-224")
	}
	for _, k := range e.MerchantKeys {
		if k.Curve != elliptic.P224() {
			return errors.New("ECC224 needs keys on P-224")
		}
	}
	return nil
}

// digest hashes content by the chosen interpretation.
func (e ECC) digest(content []byte) []byte {
	if e.SHA256 {
		d := sha256.Sum256(content)
		return d[:]
	}
	d := sha256.Sum224(content)
	return d[:]
}

// accepts reports whether one version of the merchant's keys made a signature.
func (e ECC) accepts(version string, content, sig []byte) bool {
	k := e.MerchantKeys[version]
	if k == nil {
		return false
	}
	if !e.P1363 {
		return ecdsa.VerifyASN1(k, e.digest(content), sig)
	}
	if len(sig) != 2*coordinateSize {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:coordinateSize]), new(big.Int).SetBytes(sig[coordinateSize:])
	return ecdsa.Verify(k, e.digest(content), r, s)
}

// signature signs content.
func (e ECC) signature(k *ecdsa.PrivateKey, content []byte) []byte {
	if !e.P1363 {
		sig, err := ecdsa.SignASN1(rand.Reader, k, e.digest(content))
		if err != nil {
			panic("simulator: signing key is unusable: " + err.Error())
		}
		return sig
	}
	r, s, err := ecdsa.Sign(rand.Reader, k, e.digest(content))
	if err != nil {
		panic("simulator: signing key is unusable: " + err.Error())
	}
	out := make([]byte, 2*coordinateSize)
	r.FillBytes(out[:coordinateSize])
	s.FillBytes(out[coordinateSize:])
	return out
}
