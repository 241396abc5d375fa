package gateway

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"math/big"
	"slices"
	"strconv"

	"alipay-kafka-bridge/internal/alipay/keys"
)

// Names of the two algorithms (AlipayHK Synchronize Order, "Signature"). In RSA256 the number
// is the hash; in ECC224 it is read as the curve, P-224 [inferred].
const (
	algRSA256 = "RSA256"
	algECC224 = "ECC224"
)

// hkKeyID names a key. A version number is that of our key in a request and of the platform's in an
// answer, and the key that signs need not be the one that bodies are encrypted to.
type hkKeyID struct {
	owner   hkOwner
	purpose hkPurpose
	version string
}

type (
	hkOwner   string
	hkPurpose string
)

const (
	hkPlatform hkOwner = "platform"
	hkMerchant hkOwner = "merchant"

	hkVerifyRSA hkPurpose = "verify RSA256"
	hkVerifyECC hkPurpose = "verify ECC224"
	hkEncrypt   hkPurpose = "encrypt to"
	hkDecrypt   hkPurpose = "decrypt with"
)

// hkKeys holds public keys, and crypto.Decrypter for hkDecrypt.
type hkKeys map[hkKeyID]any

// newHKKeys collects the keys of the options and refuses weak ones and our own.
func newHKKeys(o HKOptions) (hkKeys, error) {
	known := hkKeys{}
	for v, k := range o.PlatformKeys {
		if err := checkAlipayKey("platform key "+v, false, k); err != nil {
			return nil, err
		}
		if o.Signer != nil && keys.Holds(o.Signer, k) {
			return nil, errOwnKey("platform key " + v)
		}
		known[hkKeyID{hkPlatform, hkVerifyRSA, v}] = k
	}
	for v, k := range o.PlatformECKeys {
		if o.Signer != nil && keys.Holds(o.Signer, k) {
			return nil, errOwnKey("platform key " + v)
		}
		known[hkKeyID{hkPlatform, hkVerifyECC, v}] = k
	}
	if o.Encrypt == nil {
		return known, nil
	}
	to := o.Encrypt.PlatformKeys
	if to == nil {
		to = o.PlatformKeys
	}
	for v, k := range to {
		if err := checkAlipayKey("platform key "+v+" to encrypt to", false, k); err != nil {
			return nil, err
		}
		known[hkKeyID{hkPlatform, hkEncrypt, v}] = k
	}
	for v, k := range o.Encrypt.OurKeys {
		known[hkKeyID{hkMerchant, hkDecrypt, v}] = k
	}
	return known, nil
}

// versions returns the versions of a kind of key, newest first: numbers by value, then
// others by text.
func (known hkKeys) versions(owner hkOwner, purpose hkPurpose) []string {
	var versions []string
	for id := range known {
		if id.owner == owner && id.purpose == purpose {
			versions = append(versions, id.version)
		}
	}
	slices.SortFunc(versions, newerFirst)
	return versions
}

func newerFirst(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil && x != y:
		return y - x
	case (errX == nil) != (errY == nil):
		if errX == nil {
			return -1
		}
		return 1
	case a < b:
		return 1
	}
	return -1
}

// Hash returns the hash of ECC224.
func (o ECCOptions) Hash() crypto.Hash {
	if o.SHA256 {
		return crypto.SHA256
	}
	return crypto.SHA224
}

// p224Bytes is the length of r and of s.
const p224Bytes = 28

// encodeSignature turns a signature in ASN.1 DER, which Go's signers give, into the form that is sent.
func (o ECCOptions) encodeSignature(sig []byte) ([]byte, error) {
	if !o.P1363 {
		return sig, nil
	}
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &v); err != nil || len(rest) > 0 || v.R.BitLen() > 8*p224Bytes || v.S.BitLen() > 8*p224Bytes || v.R.Sign() < 0 || v.S.Sign() < 0 {
		return nil, keys.ErrFaultySignature
	}
	out := make([]byte, 2*p224Bytes)
	v.R.FillBytes(out[:p224Bytes])
	v.S.FillBytes(out[p224Bytes:])
	return out, nil
}

// verify checks a signature as it was sent.
func (o ECCOptions) verify(key *ecdsa.PublicKey, content, sig []byte) bool {
	if o.P1363 {
		if len(sig) != 2*p224Bytes {
			return false
		}
		var err error
		sig, err = asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:p224Bytes]), new(big.Int).SetBytes(sig[p224Bytes:])})
		if err != nil {
			return false
		}
	}
	return ecdsa.VerifyASN1(key, keys.Digest(o.Hash(), content), sig)
}
