package gateway

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// Format, LogValue and MarshalText hide our keys from fmt, slog, JSON and YAML.
func (e HKEncryption) Format(f fmt.State, _ rune) { fmt.Fprint(f, keys.Hidden) }

func (e HKEncryption) LogValue() slog.Value { return slog.StringValue(keys.Hidden) }

func (e HKEncryption) MarshalText() ([]byte, error) { return []byte(keys.Hidden), nil }

// algRSAAES is the only algorithm of the header Encrypt (AlipayHK Synchronize Order).
const algRSAAES = "RSA_AES"

// hkRecipient is whom bodies are encrypted to, and how: a fresh AES key for each body, in ECB with PKCS#7
// padding, and that key in RSA PKCS#1 v1.5 to the recipient (official ZOLOZ SDK: the cipher
// names "AES" and "RSA/ECB/PKCS1Padding"). It is encrypted first and then signed.
type hkRecipient struct {
	to        *rsa.PublicKey
	version   string // of to
	mediaType string
	bytes     int // of the AES key
}

func newHKRecipient(o *HKEncryption, known hkKeys) (*hkRecipient, error) {
	if o == nil {
		return nil, nil
	}
	versions := known.versions(hkPlatform, hkEncrypt)
	if len(versions) == 0 {
		return nil, errors.New("alipay: no platform key to encrypt to")
	}
	e := &hkRecipient{
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

// encrypt encrypts a body and returns it as it is sent, with its header.
func (e *hkRecipient) encrypt(plain []byte) (body []byte, header string, err error) {
	key := make([]byte, e.bytes)
	_, _ = rand.Read(key) // never fails
	text, err := encryption.EncryptECB(key, plain)
	if err != nil {
		return nil, "", err
	}
	// PKCS#1 v1.5 is deprecated, but the peer supports nothing else. What comes back is decrypted
	// only after its signature is verified, so there is no oracle.
	wrapped, err := rsa.EncryptPKCS1v15(rand.Reader, e.to, key) //nolint:staticcheck // the peer requires it
	if err != nil {
		return nil, "", err
	}
	return []byte(text), "algorithm=" + algRSAAES + ",keyVersion=" + e.version + ",symmetricKey=" + percentBase64(wrapped), nil
}

// decrypt decrypts a body whose signature was verified. It has one error for everything that
// can be wrong with key and padding.
func (known hkKeys) decrypt(header string, body []byte) ([]byte, error) {
	pairs, err := hkPairs(header)
	if err != nil {
		return nil, encryption.ErrDecrypt
	}
	wrapped, err := hkBase64(pairs["symmetricKey"])
	if err != nil || !strings.EqualFold(pairs["algorithm"], algRSAAES) {
		return nil, encryption.ErrDecrypt
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
			return encryption.DecryptECB(key, body)
		}
	}
	return nil, encryption.ErrDecrypt
}
