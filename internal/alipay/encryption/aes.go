package encryption

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"alipay-kafka-bridge/internal/alipay/keys"
)

// AESKey is the key of content encryption on the classic gateway, which the console shows in
// Base64. It has 16 bytes; the code also accepts 24 and 32. It prints as <hidden>.
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
		return nil, fmt.Errorf("an AES key that is not Base64: %w", keys.ErrUnusable)
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

// ErrDecrypt is the only error of decryption, so that no one learns from it what went wrong.
var ErrDecrypt = errors.New("the answer cannot be decrypted")

// zeroIV is the vector of the official SDKs: sixteen zero bytes. It shows which texts begin
// alike; the real protection is TLS.
var zeroIV [aes.BlockSize]byte

// Encrypt is AES-CBC with a zero vector and PKCS#7 padding, in Base64 (official Java SDK).
func (k *AESKey) Encrypt(plain []byte) string {
	out := pad(plain)
	cipher.NewCBCEncrypter(k.block, zeroIV[:]).CryptBlocks(out, out)
	return base64.StdEncoding.EncodeToString(out)
}

// Decrypt decrypts what Encrypt made.
func (k *AESKey) Decrypt(text string) ([]byte, error) {
	out, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(out) == 0 || len(out)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	cipher.NewCBCDecrypter(k.block, zeroIV[:]).CryptBlocks(out, out)
	return unpad(out)
}

// pad appends PKCS#7 padding to a copy: n bytes of value n, a whole block if the text fits its blocks.
func pad(plain []byte) []byte {
	n := aes.BlockSize - len(plain)%aes.BlockSize
	out := make([]byte, len(plain)+n)
	copy(out, plain)
	for i := len(plain); i < len(out); i++ {
		out[i] = byte(n)
	}
	return out
}

// unpad removes PKCS#7 padding and checks all of it.
func unpad(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, ErrDecrypt
	}
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize || n > len(b) {
		return nil, ErrDecrypt
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, ErrDecrypt
		}
	}
	return b[:len(b)-n], nil
}

// EncryptECB is AES in ECB mode with PKCS#7 padding, in Base64 (official ZOLOZ SDK: "AES").
func EncryptECB(key, plain []byte) (string, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(ecb(block.Encrypt, pad(plain))), nil
}

// DecryptECB decrypts what EncryptECB made.
func DecryptECB(key, body []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrDecrypt
	}
	text, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil || len(text) == 0 || len(text)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	return unpad(ecb(block.Decrypt, text))
}

// ecb encrypts or decrypts each block on its own, in place: the standard library lacks this mode.
func ecb(do func(dst, src []byte), b []byte) []byte {
	for i := 0; i < len(b); i += aes.BlockSize {
		do(b[i:i+aes.BlockSize], b[i:i+aes.BlockSize])
	}
	return b
}
