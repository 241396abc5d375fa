package keys_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// FuzzKeys: every loader of a secret; no error shows the text.
func FuzzKeys(f *testing.F) {
	v := alipaytest.Load[alipaytest.OpenAPIKeys](f, "openapi/keys.json")
	for _, c := range v.LoadCases {
		f.Add(alipaytest.Armour(c.Text))
	}
	hk := alipaytest.Load[alipaytest.HKKeys](f, "alipayhk/keys.json")
	for _, k := range hk.Keys {
		f.Add(alipaytest.Armour(k.PKCS8PEM))
		f.Add(alipaytest.Armour(k.SEC1PEM))
		f.Add(alipaytest.Armour(k.SPKIBase64))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		begin := time.Now()
		_, a := keys.ParsePrivate(text)
		_, b := keys.ParsePublic(text)
		_, c := keys.ParseECPrivate(text)
		_, d := keys.ParseECPublic(text)
		for _, err := range []error{a, b, c, d} {
			if err != nil && (!errors.Is(err, keys.ErrUnusable) || len(text) > 40 && strings.Contains(err.Error(), string(text))) {
				t.Errorf("%v of %q", err, text)
			}
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		if a == nil && b == nil || c == nil && d == nil {
			t.Errorf("both halves in one: %q", text)
		}
	})
}
