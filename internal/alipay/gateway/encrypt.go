package gateway

import (
	"cmp"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"alipay-kafka-bridge/internal/alipay/keys"
)

// AESKey is the key of content encryption on the classic gateway, as the console shows it in
// Base64: 16 bytes; 24 and 32 work mechanically. It prints as <hidden>.
type AESKey struct{ block cipher.Block }

// maxAESKeyText bounds the text of a key, which has 44 characters at most.
const maxAESKeyText = 64 << 10

// ParseAESKey reads the key as the console shows it.
func ParseAESKey(text []byte) (*AESKey, error) {
	if len(text) > maxAESKeyText {
		return nil, fmt.Errorf("longer than 64 KiB: %w", keys.ErrUnusable)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return nil, fmt.Errorf("an AES key that is no Base64: %w", keys.ErrUnusable)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("an AES key of %d bytes: %w", len(raw), keys.ErrUnusable)
	}
	return &AESKey{block}, nil
}

// Format, LogValue and MarshalText hide the key from fmt, slog, JSON and YAML.
func (k *AESKey) Format(f fmt.State, _ rune)   { fmt.Fprint(f, keys.Hidden) }
func (k *AESKey) LogValue() slog.Value         { return slog.StringValue(keys.Hidden) }
func (k *AESKey) MarshalText() ([]byte, error) { return []byte(keys.Hidden), nil }

// errDecrypt is the one error of everything that can go wrong in opening a ciphertext, so
// that no one learns from it what it was.
var errDecrypt = errors.New("the answer cannot be decrypted")

// zeroIV is the vector of the official SDKs: sixteen zero bytes. Equal beginnings show; TLS
// is the real protection.
var zeroIV [aes.BlockSize]byte

// encrypt is AES-CBC with a zero vector and PKCS#7 padding, in Base64 (official Java SDK).
func (k *AESKey) encrypt(plain []byte) string {
	out := pad(plain)
	cipher.NewCBCEncrypter(k.block, zeroIV[:]).CryptBlocks(out, out)
	return base64.StdEncoding.EncodeToString(out)
}

// decrypt opens what encrypt made.
func (k *AESKey) decrypt(text string) ([]byte, error) {
	out, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(out) == 0 || len(out)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	cipher.NewCBCDecrypter(k.block, zeroIV[:]).CryptBlocks(out, out)
	return unpad(out)
}

// pad appends PKCS#7 padding to a copy: n bytes of value n, a whole block where none is needed.
func pad(plain []byte) []byte {
	n := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, len(plain)+n)
	copy(out, plain)
	for i := len(plain); i < len(out); i++ {
		out[i] = byte(n)
	}
	return out
}

// unpad removes PKCS#7 padding, all of which must be right.
func unpad(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errDecrypt
	}
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize || n > len(b) {
		return nil, errDecrypt
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, errDecrypt
		}
	}
	return b[:len(b)-n], nil
}

// Format, LogValue and MarshalText hide our keys from fmt, slog, JSON and YAML.
func (e HKEncryption) Format(f fmt.State, _ rune) { fmt.Fprint(f, keys.Hidden) }

func (e HKEncryption) LogValue() slog.Value { return slog.StringValue(keys.Hidden) }

func (e HKEncryption) MarshalText() ([]byte, error) { return []byte(keys.Hidden), nil }

// algRSAAES is the only algorithm of the header Encrypt (AlipayHK Synchronize Order).
const algRSAAES = "RSA_AES"

// encryption is how bodies are encrypted: a fresh AES key for each body, in ECB with PKCS#7
// padding, and that key in RSA PKCS#1 v1.5 to the recipient (official ZOLOZ SDK: the cipher
// names "AES" and "RSA/ECB/PKCS1Padding"). It is encrypted first and then signed.
type encryption struct {
	to        *rsa.PublicKey
	version   string // of to
	mediaType string
	bytes     int // of the AES key
}

func newHKEncryption(o *HKEncryption, known hkKeys) (*encryption, error) {
	if o == nil {
		return nil, nil
	}
	versions := known.versions(hkPlatform, hkEncrypt)
	if len(versions) == 0 {
		return nil, errors.New("alipay: no platform key to encrypt to")
	}
	e := &encryption{
		version: cmp.Or(o.KeyVersion, versions[0]), mediaType: cmp.Or(o.MediaType, "text/plain; charset=UTF-8"),
		bytes: cmp.Or(o.Bits, 256) / 8,
	}
	var ok bool
	if e.to, ok = known[hkKeyID{hkPlatform, hkEncrypt, e.version}].(*rsa.PublicKey); !ok {
		return nil, errors.New("alipay: the platform key to encrypt to is not configured in that version")
	}
	if e.bytes != 16 && e.bytes != 24 && e.bytes != 32 {
		return nil, errors.New("alipay: the AES key has 128, 192 or 256 bits")
	}
	for _, k := range o.OurKeys {
		if _, ok := k.Public().(*rsa.PublicKey); !ok {
			return nil, errors.New("alipay: a key to decrypt answers with is not RSA")
		}
	}
	return e, nil
}

// seal encrypts a body and returns it as it is sent, with its header.
func (e *encryption) seal(plain []byte) (body []byte, header string, err error) {
	key := make([]byte, e.bytes)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, "", err
	}
	// PKCS#1 v1.5 is deprecated; the peer knows nothing else, and what comes back is opened
	// only after its signature is verified, so there is no oracle.
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, e.to, key) //nolint:staticcheck // the peer demands it
	if err != nil {
		return nil, "", err
	}
	out := ecb(block.Encrypt, pad(plain))
	return []byte(base64.StdEncoding.EncodeToString(out)), "algorithm=" + algRSAAES + ",keyVersion=" + e.version + ",symmetricKey=" + percentBase64(wrapped), nil
}

// decrypt opens a body whose signature was verified. It has one error for all that can go
// wrong with key and padding.
func (known hkKeys) decrypt(header string, body []byte) ([]byte, error) {
	pairs, err := hkPairs(header)
	if err != nil {
		return nil, errDecrypt
	}
	wrapped, err := hkBase64(pairs["symmetricKey"])
	if err != nil || !strings.EqualFold(pairs["algorithm"], algRSAAES) {
		return nil, errDecrypt
	}
	versions := known.versions(hkMerchant, hkDecrypt)
	if v := pairs["keyVersion"]; v != "" {
		versions = []string{v}
	}
	for _, v := range versions {
		d, ok := known[hkKeyID{hkMerchant, hkDecrypt, v}].(crypto.Decrypter)
		if !ok {
			continue
		}
		//nolint:staticcheck // PKCS #1 v1.5 is what the peer sends (docs/alipay.md, HK); nothing unverified gets here
		if key, err := d.Decrypt(rand.Reader, wrapped, &rsa.PKCS1v15DecryptOptions{}); err == nil {
			return openECB(key, body)
		}
	}
	return nil, errDecrypt
}

func openECB(key, body []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errDecrypt
	}
	text, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil || len(text) == 0 || len(text)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	return unpad(ecb(block.Decrypt, text))
}

// ecb does each block by itself, in place: a mode that the standard library leaves out.
func ecb(do func(dst, src []byte), b []byte) []byte {
	for i := 0; i < len(b); i += aes.BlockSize {
		do(b[i:i+aes.BlockSize], b[i:i+aes.BlockSize])
	}
	return b
}
