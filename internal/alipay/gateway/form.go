package gateway

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"

	"alipay-kafka-bridge/internal/alipay"
)

// formParams are the parameters of a body, decoded once, in the bytes they came in.
type formParams map[string][]byte

// Why a body is no notification.
var (
	errEmptyForm     = errors.New("the body is empty")
	errLongForm      = errors.New("the body has more than 64 KiB or 100 parameters")
	errRepeatedParam = errors.New("a parameter stands twice")
	errPercent       = errors.New("bad percent coding")
	errCharset       = errors.New("charset names none that is known, or the bytes are not of it")
	errSignAbsent    = errors.New("sign is missing")
	errSignForm      = errors.New("sign is no Base64")
	errSignType      = errors.New("sign_type is not the configured one")
	errSignature     = errors.New("the signature does not match")
)

// parseForm splits a form and decodes it once, + as a blank. A name that stands twice is
// refused: the next reader might take the other one.
func parseForm(body []byte) (formParams, error) {
	if len(body) == 0 {
		return nil, errEmptyForm
	}
	if len(body) > maxNotification || bytes.Count(body, []byte("&")) >= maxParams {
		return nil, errLongForm
	}
	form := formParams{}
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		name, value, _ := bytes.Cut(pair, []byte("="))
		k, err := formDecode(name)
		if err != nil {
			return nil, err
		}
		if _, twice := form[string(k)]; twice {
			return nil, errRepeatedParam
		}
		if form[string(k)], err = formDecode(value); err != nil {
			return nil, err
		}
	}
	return form, nil
}

func formDecode(s []byte) ([]byte, error) {
	text, err := percentDecode(strings.ReplaceAll(string(s), "+", " "))
	if err != nil {
		return nil, errPercent
	}
	return []byte(text), nil
}

func (f formParams) text(name string) string { return string(f[name]) }

// charset is the one that the signed parameter names: the header of a real notification may
// say another. Without the parameter it is that of the bytes; a request that failed to announce
// its own gets notifications in GBK.
func (f formParams) charset() (alipay.Charset, error) {
	c := alipay.Charset(strings.ToLower(f.text("charset")))
	all := bytes.Join(f.values(), nil)
	switch {
	case c == "" && alipay.CharsetUTF8.Holds(all), c == "utf8":
		c = alipay.CharsetUTF8
	case c == "":
		c = alipay.CharsetGBK
	}
	if !c.Known() || !c.Holds(all) {
		return "", errCharset
	}
	return c, nil
}

// decoded returns names and values in UTF-8.
func (f formParams) decoded(c alipay.Charset) map[string]string {
	params := make(map[string]string, len(f))
	for name, value := range f {
		params[string(c.Decode([]byte(name)))] = string(c.Decode(value))
	}
	return params
}

// values are the values each with a separator, so that no character arises between two.
func (f formParams) values() [][]byte {
	var list [][]byte
	for _, value := range f {
		list = append(list, value, []byte(" "))
	}
	return list
}

func decodeSign(text string) ([]byte, error) {
	if len(text) > maxSign || strings.ContainsAny(text, "\r\n") {
		return nil, errSignForm
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errSignForm
	}
	return sig, nil
}

// variant is one reading of what is signed.
type variant struct {
	name                         string
	keepBlank, dropSN, keepStype bool
}

// variants returns the readings to try, at most four. sign_type is signed only in messages to
// the application gateway, which are not changes of a trade.
func (f formParams) variants() []variant {
	list := []variant{{name: "default"}}
	blank := false
	for _, value := range f {
		blank = blank || len(bytes.TrimSpace(value)) == 0
	}
	if f.text("notify_type") != alipay.NotifyTypeTrade || f.text("method") != "" {
		list = []variant{{name: "keep_sign_type", keepStype: true}, {name: "default"}}
	}
	if blank {
		list = append(list, variant{name: "keep_empty", keepBlank: true, keepStype: list[0].keepStype})
	}
	if f.text("alipay_cert_sn") != "" {
		list = append(list, variant{name: "drop_alipay_cert_sn", dropSN: true, keepStype: list[0].keepStype})
	}
	return list
}

// signedText is the text of a variant: all parameters but sign and mostly sign_type, known or
// not, sorted by name, values as they are.
func (f formParams) signedText(v variant) []byte {
	var params []param
	for name, value := range f {
		switch {
		case name == "sign",
			name == "sign_type" && !v.keepStype,
			name == "alipay_cert_sn" && v.dropSN,
			len(bytes.TrimSpace(value)) == 0 && !v.keepBlank:
			continue
		}
		params = append(params, param{name, string(value)})
	}
	return canonical(params)
}
