package rules_test

import (
	"testing"

	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/wire"
)

func TestPublicParameters(t *testing.T) {
	url := func(n int) string {
		const start = "https://m.example/"
		return start + letters(n-len(start))
	}
	for _, tt := range []struct {
		name, param string
		good, bad   string
		want        string
	}{
		{"timestamp is required", "timestamp", "2026-01-01 18:00:00", "", "40001 isv.missing-timestamp"},
		{"timestamp is a time", "timestamp", "2026-12-31 23:59:59", "2026-01-01T18:00:00", "40002 isv.invalid-timestamp"},
		{"version is required", "version", "1.0", "", "40001 isv.missing-version"},
		{"version is 1.0", "version", "1.0", "2.0", "40002 isv.unsupported-version"},
		{"format is JSON", "format", "JSON", "XML", "40002 isv.invalid-format"},
		{"format may be written small", "format", "json", "Json", "40002 isv.invalid-format"},
		{"format may be absent", "format", "", "x", "40002 isv.invalid-format"},
		{"app_id has at most 32 characters", "app_id", letters(32), letters(33), "40002 isv.invalid-parameter"},
		{"method has at most 128 characters", "method", letters(128), letters(129), "40002 isv.invalid-parameter"},
		{"charset has at most 10 characters", "charset", letters(10), letters(11), "40002 isv.invalid-parameter"},
		{"sign_type has at most 10 characters", "sign_type", letters(10), letters(11), "40002 isv.invalid-parameter"},
		{"sign has at most 344 characters", "sign", letters(344), letters(345), "40002 isv.invalid-parameter"},
		{"notify_url has at most 256 characters", "notify_url", url(256), url(257), "40002 isv.invalid-parameter"},
		{"notify_url has a host", "notify_url", "http://m", "http://", "40002 isv.invalid-parameter"},
		{"notify_url is http or https", "notify_url", "https://m/n", "ftp://m/n", "40002 isv.invalid-parameter"},
		{"notify_url is absolute", "notify_url", "", "/n", "40002 isv.invalid-parameter"},
		{"app_auth_token has at most 40 characters", "app_auth_token", letters(40), letters(41), "40002 isv.invalid-parameter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := wire.Params{"timestamp": "2026-01-01 18:00:00", "version": "1.0"}
			p[tt.param] = tt.good
			if bad := rules.CheckPublic(p); bad != nil {
				t.Errorf("%q is refused: %s", tt.good, bad.Verdict())
			}
			p[tt.param] = tt.bad
			if got := verdictOf(rules.CheckPublic(p)); got != tt.want {
				t.Errorf("%q: verdict = %q, want %q", tt.bad, got, tt.want)
			}
		})
	}
}
