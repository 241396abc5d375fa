package wire

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
)

// errDecrypt is the only error for a ciphertext, so that its sender learns nothing about the key.
var errDecrypt = errors.New("it cannot be decrypted")

// encryptContent encrypts with AES-CBC, a zero IV and PKCS#7 padding, and returns Base64
// (docs/alipay.md, "AES content encryption").
func encryptContent(key, plain []byte) string {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("simulator: AES key is unusable: " + err.Error()) // New checked it
	}
	out := pad(plain)
	cipher.NewCBCEncrypter(b, make([]byte, aes.BlockSize)).CryptBlocks(out, out)
	return base64.StdEncoding.EncodeToString(out)
}

// DecryptContent reverses encryptContent.
func DecryptContent(key []byte, text string) ([]byte, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, errDecrypt
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	cipher.NewCBCDecrypter(b, make([]byte, aes.BlockSize)).CryptBlocks(raw, raw)
	return unpad(raw)
}

// ecbEncrypt encrypts with AES-ECB and PKCS#7 padding.
func ecbEncrypt(key, plain []byte) []byte {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("simulator: AES key is unusable: " + err.Error())
	}
	out := pad(plain)
	for i := 0; i < len(out); i += aes.BlockSize {
		b.Encrypt(out[i:], out[i:i+aes.BlockSize])
	}
	return out
}

func ecbDecrypt(key, raw []byte) ([]byte, error) {
	b, err := aes.NewCipher(key)
	if err != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	for i := 0; i < len(raw); i += aes.BlockSize {
		b.Decrypt(raw[i:], raw[i:i+aes.BlockSize])
	}
	return unpad(raw)
}

// pad returns a copy with PKCS#7 padding.
func pad(plain []byte) []byte {
	n := aes.BlockSize - len(plain)%aes.BlockSize
	return append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...)
}

// unpad removes PKCS#7 padding.
func unpad(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, errDecrypt
	}
	n := int(raw[len(raw)-1])
	if n == 0 || n > aes.BlockSize || n > len(raw) {
		return nil, errDecrypt
	}
	if !bytes.Equal(raw[len(raw)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errDecrypt
	}
	return raw[:len(raw)-n], nil
}
