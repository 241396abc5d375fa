package alipay

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Charset is the encoding of texts on the classic gateway (public parameter "charset"). The
// spelling is the one that is sent: in the query, in the signed text and in Content-Type. Two
// spellings in one request break its signature at the gateway.
type Charset string

// The charsets of the pages. The zero value of an option is UTF-8.
const (
	CharsetUTF8   Charset = "utf-8"
	CharsetGBK    Charset = "gbk"
	CharsetGB2312 Charset = "gb2312" // EUC-CN, a part of GBK
)

// Known reports whether the charset is one of the three.
func (c Charset) Known() bool { return c == CharsetUTF8 || c.Wide() }

// Wide reports whether the charset has two-byte characters whose second byte may look like ASCII.
func (c Charset) Wide() bool { return c == CharsetGBK || c == CharsetGB2312 }

// Encode writes a UTF-8 text in the charset. It refuses a character that the charset lacks; the
// official Java SDK silently sends a question mark instead.
func (c Charset) Encode(text []byte) ([]byte, error) {
	if !c.Wide() || isASCII(text) {
		return text, nil
	}
	if !utf8.Valid(text) {
		return nil, &FieldError{Field: "biz_content", Reason: "form", Text: "is not UTF-8"}
	}
	// GB18030 equals Java's GBK in all characters of two bytes; that of x/text writes the euro
	// sign as 80, which Java does not know. What GB18030 writes in four bytes, the second one a digit, is not in GBK.
	coded, err := simplifiedchinese.GB18030.NewEncoder().Bytes(text)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", c, err)
	}
	for i := 0; i < len(coded); i++ {
		if coded[i] < utf8.RuneSelf {
			continue
		}
		if coded[i+1] < 0x40 || c == CharsetGB2312 && !inGB2312(coded[i], coded[i+1]) {
			return nil, &FieldError{Field: "biz_content", Reason: "charset", Text: fmt.Sprintf("has a character that %s lacks", c)}
		}
		i++
	}
	return coded, nil
}

// Decode returns a text of the charset in UTF-8. Bytes that are not a character become U+FFFD.
func (c Charset) Decode(text []byte) []byte {
	if !c.Wide() || isASCII(text) {
		return text
	}
	out, err := simplifiedchinese.GBK.NewDecoder().Bytes(text)
	if err != nil { // the decoder replaces what it does not know, so it has no errors
		return bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return out
}

// Holds reports whether the bytes are a text of the charset.
func (c Charset) Holds(text []byte) bool {
	if !c.Wide() {
		return utf8.Valid(text)
	}
	return !bytes.ContainsRune(c.Decode(text), utf8.RuneError)
}

// Candidates are the charsets in which an answer to a request in c may have come, the likelier
// first. An error text may come in GBK although another charset was asked for (seen with 20000 aop.unknow-error).
func (c Charset) Candidates(body []byte) []Charset {
	if isASCII(body) {
		return []Charset{CharsetUTF8}
	}
	order := []Charset{CharsetUTF8, CharsetGBK}
	if c.Wide() {
		order = []Charset{CharsetGBK, CharsetUTF8}
	}
	return slices.DeleteFunc(order, func(c Charset) bool { return !c.Holds(body) })
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// gb2312Rows are the rows of GB 2312-80 that are not full, as spans of second bytes.
var gb2312Rows = map[byte][][2]byte{
	0xa2: {{0xb1, 0xe2}, {0xe5, 0xee}, {0xf1, 0xfc}},
	0xa4: {{0xa1, 0xf3}},
	0xa5: {{0xa1, 0xf6}},
	0xa6: {{0xa1, 0xb8}, {0xc1, 0xd8}},
	0xa7: {{0xa1, 0xc1}, {0xd1, 0xf1}},
	0xa8: {{0xa1, 0xba}, {0xc5, 0xe9}},
	0xa9: {{0xa4, 0xef}},
	0xd7: {{0xa1, 0xf9}},
}

// inGB2312 reports whether a two-byte character of GBK is one of GB 2312-80.
func inGB2312(lead, trail byte) bool {
	if trail < 0xa1 || lead < 0xa1 || lead > 0xf7 || lead > 0xa9 && lead < 0xb0 {
		return false
	}
	rows, partial := gb2312Rows[lead]
	for _, span := range rows {
		if trail >= span[0] && trail <= span[1] {
			return true
		}
	}
	return !partial && trail <= 0xfe
}
