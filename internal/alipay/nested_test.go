package alipay_test

import (
	"errors"
	"net/url"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
)

// wrapped nests a member in texts that are escaped for URLs, level by level: these grow slowly.
func wrapped(member string, levels int) string {
	text := "{" + member + "}"
	for range levels {
		text = `{"a":"` + url.PathEscape(text) + `"}`
	}
	return text
}

// Texts in texts are searched as deep as objects may be nested; deeper ones are refused.
func TestTextsInTexts(t *testing.T) {
	for _, levels := range []int{0, 1, 5, 16} {
		m, err := alipay.ParseMembers(wrapped(`"royalty":"VIOLATED"`, levels))
		if err != nil || !m.NamesHold([]string{"royalty"}) || !m.Mentions("VIOLATED") {
			t.Errorf("%d levels: %v, found %v %v", levels, err, m.NamesHold([]string{"royalty"}), m.Mentions("VIOLATED"))
		}
	}
	if _, err := alipay.ParseMembers(wrapped(`"a":"b"`, 18)); !errors.Is(err, alipay.ErrMembers) {
		t.Errorf("18 levels: %v", err)
	}
}

// VIOLATED in a JSON text, in the shape of the page's own sample.
func TestViolatedInTexts(t *testing.T) {
	for text, want := range map[string]bool{
		`{"order_biz_info":"{\"status\":\"VIOLATED\"}"}`:           true,
		`{"status":"COMPLETE","ext":"{\"status\":\"VIOLATED\"}"}`:  true,
		`{"status":"{\"status\":\"VIOLATED\"}"}`:                   true,
		`{"ext":"\"VIOLATED\""}`:                                   true,
		`{"ext":"{status:'violated'}"}`:                            true,
		`{"order_biz_info":"{\"status\":\"COMPLETE\"}"}`:           false,
		`{"memo":"nothing was VIOLATED"}`:                          false,
		`{"ext":"{\"memo\":\"nothing was VIOLATED by anybody\"}"}`: false,
	} {
		m, err := alipay.ParseMembers(text)
		if err != nil || m.Mentions("VIOLATED") != want {
			t.Errorf("%s: %v, %v, want %v", text, m.Mentions("VIOLATED"), err, want)
		}
	}
}
