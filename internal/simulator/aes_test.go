package simulator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"alipay-kafka-bridge/internal/simulator"
)

// TestAESOfTheVectors: known answers both ways, and what must fail.
func TestAESOfTheVectors(t *testing.T) {
	var v struct {
		Known []struct {
			ID         string
			Key        string `json:"key_base64"`
			Plain      string `json:"plaintext_hex"`
			Ciphertext string
		} `json:"known_answers"`
		Bad []struct {
			ID         string
			Key        string `json:"key_base64"`
			Ciphertext string
		} `json:"must_fail"`
	}
	loadLoose(t, "openapi/aes.json", &v)
	for _, c := range v.Known {
		key, _ := base64.StdEncoding.DecodeString(c.Key)
		plain, _ := hex.DecodeString(c.Plain)
		got, err := simulator.DecryptContent(key, c.Ciphertext)
		if err != nil || !bytes.Equal(got, plain) || simulator.EncryptContent(key, plain) != c.Ciphertext {
			t.Errorf("%s: %x, %v", c.ID, got, err)
		}
	}
	for _, c := range v.Bad {
		key, _ := base64.StdEncoding.DecodeString(c.Key)
		if got, err := simulator.DecryptContent(key, c.Ciphertext); err == nil {
			t.Errorf("%s was decrypted: %x", c.ID, got)
		}
	}
}

// FuzzDecrypt: whatever arrives as ciphertext, no panic; what decrypts, encrypts back.
func FuzzDecrypt(f *testing.F) {
	key, err := base64.StdEncoding.DecodeString(aesKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(simulator.EncryptContent(key, []byte("{}")))
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := simulator.DecryptContent(key, text)
		if err != nil {
			return
		}
		if back, err := simulator.DecryptContent(key, simulator.EncryptContent(key, plain)); err != nil || !bytes.Equal(back, plain) {
			t.Errorf("%q became %q, %v", plain, back, err)
		}
	})
}
