package wire

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// TimeLayout is the form of times at the classic gateway (every page, "timestamp").
const TimeLayout = "2006-01-02 15:04:05"

// Beijing is the time zone of the classic gateway, whose times name no zone. It is fixed because a
// small container image has no zone data.
var Beijing = time.FixedZone("UTC+8", 8*60*60)

// Params are the parameters of a request to the classic gateway, query and body together, decoded.
type Params map[string]string

// Charset is how the gateway reads and writes text.
type Charset struct {
	Name  string
	codec encoding.Encoding // nil: UTF-8
}

// The charsets of the gateway.
var (
	UTF8 = Charset{Name: "utf-8"}
	GBK  = Charset{Name: "GBK", codec: simplifiedchinese.GB18030} // the two-byte part equals Java's GBK; in x/text's own GBK the euro sign differs
)

// FindCharset returns a charset of the pages ("charset"): utf-8, gbk or gb2312, in upper or lower case.
// gb2312 is a subset of GBK and is read as GBK.
func FindCharset(name string) (Charset, bool) {
	switch strings.ToLower(name) {
	case "utf-8":
		return UTF8, true
	case "gbk", "gb2312":
		return GBK, true
	}
	return Charset{}, false
}

// Decode turns bytes into text; invalid bytes become U+FFFD.
func (c Charset) Decode(b string) string {
	if c.codec == nil || isASCII(b) {
		return strings.ToValidUTF8(b, "\uFFFD")
	}
	out, err := c.codec.NewDecoder().String(b)
	if err != nil {
		return strings.ToValidUTF8(b, "\uFFFD")
	}
	return out
}

// Encode turns text into bytes; a character that the charset lacks becomes "?", as in Java.
func (c Charset) Encode(text string) []byte {
	if c.codec == nil || isASCII(text) {
		return []byte(text)
	}
	enc := c.codec.NewEncoder()
	out := make([]byte, 0, len(text))
	for _, r := range text {
		b, err := enc.Bytes([]byte(string(r)))
		if err != nil || len(b) > 2 {
			b = []byte{'?'}
		}
		out = append(out, b...)
	}
	return out
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

var (
	errRepeatedParam = errors.New("a parameter occurs twice with different values")
	errPercent       = errors.New("invalid percent encoding")
	// ErrContentType is returned for a body that is not a form.
	ErrContentType = errors.New("Content-Type must be application/x-www-form-urlencoded")
)

// ReadParams reads query and body. It decodes texts with the charset that is known without the
// body: from the query, else from Content-Type, else GBK (docs/alipay.md, "Where parameters go").
func ReadParams(r *http.Request) (Params, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	kind, mediaParams, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if len(raw) > 0 && r.Header.Get("Content-Type") != "" && (err != nil || kind != "application/x-www-form-urlencoded") {
		return nil, ErrContentType
	}
	query, err := splitForm(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	outside := GBK
	if i := slices.IndexFunc(query, func(p [2]string) bool { return p[0] == "charset" }); i >= 0 {
		outside, _ = FindCharset(query[i][1])
	} else if c, ok := FindCharset(mediaParams["charset"]); ok {
		outside = c
	}
	body, err := splitForm(string(raw))
	if err != nil {
		return nil, err
	}
	p := make(Params, len(query)+len(body))
	for _, kv := range append(query, body...) {
		name, value := kv[0], outside.Decode(kv[1])
		if old, ok := p[name]; ok && old != value {
			return p, errRepeatedParam // go-pay sends charset in both places, with one value
		}
		p[name] = value
	}
	return p, nil
}

// splitForm splits a form into names and values and decodes percent encoding once ("+" is a blank).
func splitForm(raw string) ([][2]string, error) {
	var out [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, errPercent
		}
		out = append(out, [2]string{n, v})
	}
	return out, nil
}

// StringToSign returns the text that the signature of a request covers: all non-empty parameters except
// sign, sorted by name and joined (docs/alipay.md, "String to sign").
func (p Params) StringToSign() string {
	names := make([]string, 0, len(p))
	for n, v := range p {
		if n != "" && v != "" && n != "sign" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(n)
		b.WriteByte('=')
		b.WriteString(p[n])
	}
	return b.String()
}

// Form writes the parameters as a form in a charset, sorted by name.
func (p Params) Form(c Charset) string {
	pairs := make([]string, 0, len(p))
	for name, value := range p {
		pairs = append(pairs, name+"="+url.QueryEscape(string(c.Encode(value))))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}
