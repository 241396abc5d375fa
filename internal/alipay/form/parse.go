package form

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay"
)

// Bounds of a notification, checked before any signature is [inferred: the longest documented
// parameters sum up to less than 10 KiB].
const (
	maxNotification = 64 << 10
	maxParams       = 100
)

// Params are the parameters of a body, decoded once, in the bytes they came in.
type Params map[string]string

// Why a body is not a notification.
var (
	errEmptyForm     = errors.New("the body is empty")
	errLongForm      = errors.New("the body has more than 64 KiB or 100 parameters")
	errRepeatedParam = errors.New("a parameter occurs twice")
	errPercent       = errors.New("bad percent-encoding")
	errCharset       = errors.New("the charset is not known, or the bytes are not in it")
)

// Parse splits a form and decodes it once, + as a blank. A name that occurs twice is
// refused: the next reader might use the other value.
func Parse(body []byte) (Params, error) {
	if len(body) == 0 {
		return nil, errEmptyForm
	}
	further := bytes.Count(body, []byte("&"))
	if len(body) > maxNotification || further >= maxParams {
		return nil, errLongForm
	}
	text := string(body) // names and values without an escape are parts of it
	form := make(Params, 1+further)
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		k, err := formDecode(name)
		if err != nil {
			return nil, err
		}
		if _, twice := form[k]; twice {
			return nil, errRepeatedParam
		}
		if form[k], err = formDecode(value); err != nil {
			return nil, err
		}
	}
	return form, nil
}

func formDecode(s string) (string, error) {
	text, err := url.QueryUnescape(s)
	if err != nil {
		return "", errPercent
	}
	return text, nil
}

// Charset is the one that the signed parameter names: the header of a real notification may
// name another. Without the parameter it is found from the bytes; a request that did not name
// its charset gets notifications in GBK.
func (f Params) Charset() (alipay.Charset, error) {
	c := alipay.Charset(strings.ToLower(f["charset"]))
	switch {
	case c == "" && f.are(alipay.CharsetUTF8), c == "utf8":
		c = alipay.CharsetUTF8
	case c == "":
		c = alipay.CharsetGBK
	}
	if !c.Known() || !f.are(c) {
		return "", errCharset
	}
	return c, nil
}

// Decoded returns names and values in UTF-8.
func (f Params) Decoded(c alipay.Charset) map[string]string {
	params := make(map[string]string, len(f))
	for name, value := range f {
		if c.Wide() {
			name, value = string(c.Decode([]byte(name))), string(c.Decode([]byte(value)))
		}
		params[name] = value
	}
	return params
}

// are reports whether each value is a text of the charset.
func (f Params) are(c alipay.Charset) bool {
	for _, value := range f {
		if c.Wide() && !c.Holds([]byte(value)) || !c.Wide() && !utf8.ValidString(value) {
			return false
		}
	}
	return true
}

// Variant is one reading of which parameters are signed.
type Variant struct {
	Name                         string
	keepBlank, dropSN, keepStype bool
}

// Variants returns the readings to try, at most four. sign_type is signed only in messages to
// the application gateway, which are not changes of a trade.
func (f Params) Variants() []Variant {
	list := []Variant{{Name: "default"}}
	blank := false
	for _, value := range f {
		blank = blank || len(strings.TrimSpace(value)) == 0
	}
	if f["notify_type"] != alipay.NotifyTypeTrade || f["method"] != "" {
		list = []Variant{{Name: "keep_sign_type", keepStype: true}, {Name: "default"}}
	}
	if blank {
		list = append(list, Variant{Name: "keep_empty", keepBlank: true, keepStype: list[0].keepStype})
	}
	if f["alipay_cert_sn"] != "" {
		list = append(list, Variant{Name: "drop_alipay_cert_sn", dropSN: true, keepStype: list[0].keepStype})
	}
	return list
}

// SignedText returns the text of a variant: all parameters except sign and, mostly, sign_type,
// known or not, sorted by name, values as they are.
func (f Params) SignedText(v Variant) []byte {
	params := make([]Param, 0, len(f))
	for name, value := range f {
		switch {
		case name == "sign",
			name == "sign_type" && !v.keepStype,
			name == "alipay_cert_sn" && v.dropSN,
			len(strings.TrimSpace(value)) == 0 && !v.keepBlank:
			continue
		}
		params = append(params, Param{name, value})
	}
	return Canonical(params)
}

// SignedText returns the text that a captured request of the classic gateway signed: its query
// and its form body without sign.
func SignedText(query, body []byte) ([]byte, error) {
	var params []Param
	for _, part := range [][]byte{query, body} {
		form, err := Parse(part)
		if err != nil && !errors.Is(err, errEmptyForm) {
			return nil, err
		}
		for name, value := range form {
			if name != "sign" {
				params = append(params, Param{name, value})
			}
		}
	}
	return Canonical(params), nil
}
