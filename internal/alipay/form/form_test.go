package form_test

import (
	"net/url"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay/form"
)

// TestFormIsEscaped: as gateways decode it, for all bytes: in GBK many are not ASCII.
func TestFormIsEscaped(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	if got, want := string(form.Encode([]form.Param{{Name: "biz_content", Value: string(all)}})), "biz_content="+url.QueryEscape(string(all)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// tokenCanary is an app_auth_token that no text may show.
const tokenCanary = "canary-token-0001"

// FuzzEcho: the text of a refusal: no value of ours appears in the comparison.
func FuzzEcho(f *testing.F) {
	const ours = "app_auth_token=" + tokenCanary + "&app_id=1&biz_content={\"a\":\"b&c=d\"}&charset=utf-8&method=x&sign_type=RSA2"
	f.Add(ours)
	f.Add("\u7f51\u5173: " + strings.ReplaceAll(ours, "&", "&amp;"))
	f.Add("app_id=1&&&=&version=&version=2")
	f.Fuzz(func(t *testing.T, theirs string) {
		if m := form.CompareEcho(ours, theirs); m != nil && strings.Contains(m.Error(), tokenCanary) {
			t.Errorf("%v", m)
		}
	})
}
