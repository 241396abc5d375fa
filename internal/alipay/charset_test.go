package alipay_test

import (
	"testing"

	"alipay-kafka-bridge/internal/alipay"
)

// FuzzCharset: what is written in a charset reads as the same text.
func FuzzCharset(f *testing.F) {
	f.Add("a\u9326\u20ac\U0001f600\u00a5")
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range []alipay.Charset{alipay.CharsetUTF8, alipay.CharsetGBK, alipay.CharsetGB2312} {
			b, err := c.Encode([]byte(text))
			if err == nil && string(c.Decode(b)) != text {
				t.Errorf("%s: %q became %x", c, text, b)
			}
		}
	})
}
