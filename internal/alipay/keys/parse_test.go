package keys_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// TestKeyLoader runs the load cases of openapi/keys.json and reads every form of every key.
func TestKeyLoader(t *testing.T) {
	v := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	for _, c := range v.LoadCases {
		t.Run(c.ID, func(t *testing.T) {
			var err error
			if c.Kind == "private" {
				_, err = keys.ParsePrivate(alipaytest.Armour(c.Text))
			} else {
				_, err = keys.ParsePublic(alipaytest.Armour(c.Text))
			}
			if (err == nil) != c.Accept {
				t.Fatalf("err = %v, want accepted %v", err, c.Accept)
			}
			if err != nil && !errors.Is(err, keys.ErrUnusable) {
				t.Errorf("%v does not wrap ErrKey", err)
			}
			if c.ID == "public_given_as_private" && !strings.Contains(err.Error(), "this is a public key") {
				t.Errorf("%q does not name the mix-up", err)
			}
			if c.ID == "private_given_as_public" && !strings.Contains(err.Error(), "this is a private key") {
				t.Errorf("%q does not name the mix-up", err)
			}
		})
	}
	for name, k := range v.Keys {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{k.PKCS1PEM, k.PKCS1Base64, k.PKCS8PEM, k.PKCS8Base64} {
				if _, err := keys.ParsePrivate(append([]byte("\ufeff"), alipaytest.Armour(text)...)); err != nil {
					t.Fatalf("with a byte order mark: %v", err)
				}
				p, err := keys.ParsePrivate(alipaytest.Armour(text))
				if err != nil || p.N.BitLen() != k.Bits {
					t.Fatalf("%v", err)
				}
				for _, text := range []string{k.SPKIPEM, k.SPKIBase64, k.PKCS1PubPEM, k.PKCS1PubBase64} {
					if pub, err := keys.ParsePublic(alipaytest.Armour(text)); err != nil || !pub.Equal(&p.PublicKey) {
						t.Fatalf("%v", err)
					}
				}
			}
		})
	}
	t.Logf("openapi/keys.json: %d load cases, %d keys in 8 forms", len(v.LoadCases), len(v.Keys))
}

// TestHKKeyForms reads every RSA key of alipayhk/keys.json; elliptic keys are refused.
func TestHKKeyForms(t *testing.T) {
	v := alipaytest.Load[alipaytest.HKKeys](t, "alipayhk/keys.json")
	n := 0
	for name, k := range v.Keys {
		t.Run(name, func(t *testing.T) {
			_, errPrivate := keys.ParsePrivate(alipaytest.Armour(k.PKCS8PEM))
			pub, errPublic := keys.ParsePublic(alipaytest.Armour(k.SPKIBase64))
			if k.Type != "RSA-2048" {
				if errPrivate == nil || errPublic == nil {
					t.Errorf("(%s) was read as an RSA key", k.Type)
				}
				return
			}
			n++
			for _, text := range []string{k.PKCS8PEM, k.PKCS1PEM, k.PKCS8Base64, k.PKCS1Base64} {
				if p, err := keys.ParsePrivate(alipaytest.Armour(text)); err != nil || !p.PublicKey.Equal(pub) {
					t.Errorf("%v", err)
				}
			}
		})
	}
	t.Logf("alipayhk/keys.json: %d RSA keys of %d", n, len(v.Keys))
}

// TestKeyTextIsBounded: reading a hostile text is fast.
func TestKeyTextIsBounded(t *testing.T) {
	v := alipaytest.Load[alipaytest.OpenAPIKeys](t, "openapi/keys.json")
	oneLine := strings.ReplaceAll(string(alipaytest.Armour(v.Keys["app"].PKCS8PEM)), "\n", "")
	if _, err := keys.ParsePrivate([]byte(oneLine)); err != nil {
		t.Errorf("a PEM text that lost its line ends: %v", err)
	}
	for name, text := range map[string]string{
		"too long":   strings.Repeat("A", 64<<10+1),
		"junk":       strings.Repeat("-----BEGIN ", 5900),
		"17 blocks":  strings.Repeat(string(alipaytest.Armour("<5d>BEGIN X<5d>\nAA==\n<5d>END X<5d>\n")), 17),
		"passphrase": string(alipaytest.Armour("<5d>BEGIN ENCRYPTED PRIVATE KEY<5d>\nAA==\n<5d>END ENCRYPTED PRIVATE KEY<5d>\n")),
		"dashes":     strings.Repeat("-", 64<<10),
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			if _, err := keys.ParsePrivate([]byte(text)); !errors.Is(err, keys.ErrUnusable) {
				t.Errorf("err = %v, want ErrKey", err)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
