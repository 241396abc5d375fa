package alipay_test

import (
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"errors"
	"strings"
	"testing"
	"time"
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
		_, a := alipay.ParsePrivateKey(text)
		_, b := alipay.ParsePublicKey(text)
		_, c := alipay.ParseECPrivateKey(text)
		_, d := alipay.ParseECPublicKey(text)
		for _, err := range []error{a, b, c, d} {
			if err != nil && (!errors.Is(err, alipay.ErrKey) || len(text) > 40 && strings.Contains(err.Error(), string(text))) {
				t.Errorf("%v of %q", err, text)
			}
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		if a == nil && b == nil || c == nil && d == nil {
			t.Errorf("both halves in one: %q", text)
		}
	})
}
