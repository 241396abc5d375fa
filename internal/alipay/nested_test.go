package alipay_test

import (
	"encoding/json"
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

// Every name of a text in a text is found, wherever it stands, and a value is not taken for a name.
func TestNamesOfTextsInTexts(t *testing.T) {
	for text, want := range map[string]bool{
		`{"royalty":1}`:                   true,
		`{"a":1,"royalty":2}`:             true,
		`{"a":{"b":1},"royalty":2}`:       true,
		`{"a":[1,{}],"royalty":2}`:        true,
		`[[{"a":[]}],{"royalty":2}]`:      true,
		`{"a":{"b":{"c":1,"royalty":2}}}`: true,
		`{a:1,royalty:2}`:                 true, // only a lenient reader takes it
		`{a:1,b:2,'royalty':3}`:           true,
		`{"a":"royalty"}`:                 false,
		`["royalty"]`:                     false,
		`{"a":["b","royalty"]}`:           false,
		`{"a":{},"b":["royalty"]}`:        false,
	} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		m, err := alipay.ParseMembers(`{"x":"y","ext":` + string(quoted) + `}`)
		if err != nil || m.NamesHold([]string{"royalty"}) != want {
			t.Errorf("%s: found %v, want %v (%v)", text, !want, want, err)
		}
	}
}
