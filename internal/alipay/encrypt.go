package alipay

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// AESKey is the key of content encryption on the classic gateway, as the console shows it in
// Base64: 16 bytes; 24 and 32 work mechanically. It prints as <hidden>.
type AESKey struct{ block cipher.Block }

// maxAESKeyText bounds the text of a key, which has 44 characters at most.
const maxAESKeyText = 64 << 10

// ParseAESKey reads the key as the console shows it.
func ParseAESKey(text []byte) (*AESKey, error) {
	if len(text) > maxAESKeyText {
		return nil, fmt.Errorf("longer than 64 KiB: %w", ErrKey)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return nil, fmt.Errorf("an AES key that is no Base64: %w", ErrKey)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("an AES key of %d bytes: %w", len(raw), ErrKey)
	}
	return &AESKey{block}, nil
}

// Format, LogValue and MarshalText hide the key from fmt, slog, JSON and YAML.
func (k *AESKey) Format(f fmt.State, _ rune)   { fmt.Fprint(f, hidden) }
func (k *AESKey) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (k *AESKey) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// errDecrypt is the one error of everything that can go wrong in opening a ciphertext, so
// that nobody learns from it what it was.
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
