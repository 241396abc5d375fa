package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// readVectors reads a vector file of the simulator, which is in the parent folder.
func readVectors(t testing.TB, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestAESOfTheVectors: known answers in both directions, and texts that must fail.
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
	readVectors(t, "openapi/aes.json", &v)
	for _, c := range v.Known {
		t.Run(c.ID, func(t *testing.T) {
			key, _ := base64.StdEncoding.DecodeString(c.Key)
			plain, _ := hex.DecodeString(c.Plain)
			got, err := DecryptContent(key, c.Ciphertext)
			if err != nil || !bytes.Equal(got, plain) || encryptContent(key, plain) != c.Ciphertext {
				t.Errorf("decrypted %x, %v", got, err)
			}
		})
	}
	for _, c := range v.Bad {
		t.Run(c.ID, func(t *testing.T) {
			key, _ := base64.StdEncoding.DecodeString(c.Key)
			if got, err := DecryptContent(key, c.Ciphertext); err == nil {
				t.Errorf("decrypted: %x", got)
			}
		})
	}
}

// FuzzDecrypt: no ciphertext causes a panic, and what can be decrypted can be encrypted again.
func FuzzDecrypt(f *testing.F) {
	key, err := base64.StdEncoding.DecodeString("MDEyMzQ1Njc4OWFiY2RlZg==")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encryptContent(key, []byte("{}")))
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := DecryptContent(key, text)
		if err != nil {
			return
		}
		if back, err := DecryptContent(key, encryptContent(key, plain)); err != nil || !bytes.Equal(back, plain) {
			t.Errorf("%q became %q, %v", plain, back, err)
		}
	})
}
