package encryption_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// TestAESVectors: known answers both ways, and what must fail.
func TestAESVectors(t *testing.T) {
	v := alipaytest.Load[struct {
		About    string
		MadeWith string `json:"made_with"`
		Known    []struct {
			ID, Plaintext, Ciphertext, Note string
			Charset                         alipay.Charset
			Key                             string `json:"key_base64"`
			Hex                             string `json:"plaintext_hex"`
		} `json:"known_answers"`
		MustFail []struct {
			ID, Ciphertext, Note string
			Key                  string `json:"key_base64"`
		} `json:"must_fail"`
	}](t, "openapi/aes.json")
	for _, c := range v.Known {
		t.Run(c.ID, func(t *testing.T) {
			key, err := encryption.ParseAESKey([]byte(c.Key))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := c.Charset.Encode([]byte(c.Plaintext))
			if err != nil || fmt.Sprintf("%x", plain) != c.Hex {
				t.Errorf("%x, %v", plain, err)
			}
			if got := key.Encrypt(plain); got != c.Ciphertext {
				t.Errorf("%s, want %s", got, c.Ciphertext)
			}
			if got, err := key.Decrypt(c.Ciphertext); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for _, c := range v.MustFail {
		t.Run(c.ID, func(t *testing.T) {
			key, err := encryption.ParseAESKey([]byte(c.Key))
			if err == nil {
				_, err = key.Decrypt(c.Ciphertext)
			}
			if err == nil {
				t.Error("was decrypted")
			}
		})
	}
	t.Logf("openapi/aes.json: %d known answers, %d that must fail", len(v.Known), len(v.MustFail))
}

// FuzzAESKey: no error shows the text.
func FuzzAESKey(f *testing.F) {
	f.Add([]byte("MDEyMzQ1Njc4OWFiY2RlZg=="))
	f.Add([]byte("not Base64, and longer than forty characters"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := encryption.ParseAESKey(text)
		if err != nil && (!errors.Is(err, keys.ErrUnusable) || len(text) > 40 && strings.Contains(err.Error(), string(text))) {
			t.Errorf("%v of %q", err, text)
		}
	})
}
