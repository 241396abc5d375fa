package gateway_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/alipaytest"
	"alipay-kafka-bridge/internal/alipay/form"
)

// TestSignatureMismatchIsExplained: what the gateway computed otherwise, by name and place,
// and never a value.
func TestSignatureMismatchIsExplained(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		text                    func(string) string
		missing, added, changed []string
		same                    bool
	}{
		{"wrong key", func(s string) string { return s }, nil, nil, nil, true},
		{"charset", func(s string) string { return strings.Replace(s, "charset=utf-8", "charset=GBK", 1) }, nil, nil, []string{"charset"}, false},
		{"token lost", func(s string) string { return s[strings.Index(s, "app_id="):] }, []string{"app_auth_token"}, nil, nil, false},
		{"parameter added", func(s string) string { return s + "x&version=2" }, nil, nil, []string{"version"}, false},
		{"certificate expected", func(s string) string { return "alipay_root_cert_sn=1&" + s }, nil, []string{"alipay_root_cert_sn"}, nil, false},
		{"content garbled", func(s string) string { return strings.Replace(s, "ORD_1", "ORD_?&a=b", 1) }, nil, nil, []string{"biz_content"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &keyedGateway{t: t, key: &nextKey().PublicKey, text: tt.text}
			_, err := openAPI(t, g.ServeHTTP).Client(alipay.Merchant{AppAuthToken: tokenCanary}).Do(t.Context(), alipaytest.Query())
			var m *form.Mismatch
			if !errors.As(err, &m) {
				t.Fatalf("%v", err)
			}
			if !slices.Equal(m.Missing, tt.missing) || !slices.Equal(m.Added, tt.added) || !slices.Equal(m.Changed, tt.changed) || (m.Offset < 0) != tt.same {
				t.Errorf("%+v", m)
			}
			for _, value := range []string{tokenCanary, "ORD_1", "2021000000000001"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("%v shows a value", err)
				}
			}
		})
	}
	// A refusal without a text to compare has no detail.
	node := `{"code":"40002","sub_code":"isv.invalid-signature","sub_msg":"x"}`
	_, err := call(t, answering(200, signedAnswer(t, alipay.MethodTradeQuery, node)), alipaytest.Query())
	var m *form.Mismatch
	if errors.As(err, &m) || alipay.ClassOf(err) != alipay.Misconfigured {
		t.Errorf("%v", err)
	}
}
