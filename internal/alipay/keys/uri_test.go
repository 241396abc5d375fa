package keys_test

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// TestKeyURIs: what a URI opens, and that an error never holds a key that was given in its place.
func TestKeyURIs(t *testing.T) {
	keyVectors := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	hk := alipaytest.Load[alipaytest.HKKeys](t, "alipayhk/keys.json")
	write := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rsaFile := write("rsa", alipaytest.Armour(keyVectors.Keys["app"].PKCS1PEM))
	ecFile := write("ec", alipaytest.Armour(hk.Keys["merchant_ec_v1"].SEC1PEM))
	for _, uri := range []string{"file:" + rsaFile, "file://" + rsaFile, "file:" + ecFile} {
		s, err := keys.OpenSigner(t.Context(), uri, keys.Options{})
		if err != nil {
			t.Fatalf("%s: %v", uri, err)
		}
		if _, err := s.Sign(t.Context(), make([]byte, sha256.Size)); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if _, err := keys.OpenDecrypter("file:" + rsaFile); err != nil {
		t.Error(err)
	}
	secret := keyVectors.Keys["app"].PKCS8Base64
	for _, uri := range []string{
		"", rsaFile, secret, string(alipaytest.Armour(keyVectors.Keys["app"].PKCS8PEM)), "pkcs11:token=x", "awskms:///arn", "file:/does/not/exist",
		"file:" + write("public", alipaytest.Armour(keyVectors.Keys["app"].SPKIPEM)), "file:" + write("junk", []byte(secret[:100])), secret[:10] + ":" + secret,
	} {
		_, err := keys.OpenSigner(t.Context(), uri, keys.Options{})
		if err == nil || !errors.Is(err, keys.ErrURI) && !errors.Is(err, keys.ErrUnusable) || strings.Contains(err.Error(), secret[20:60]) {
			t.Errorf("%.20s: %v", uri, err)
		}
		if _, err := keys.OpenDecrypter(uri); err == nil {
			t.Errorf("%.20s: opened to decrypt", uri)
		}
	}
}
