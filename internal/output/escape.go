// Package output is how commands print: columns, JSON and findings, as text or JSON, so that
// nothing in the data controls a terminal.
package output

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// SafeWriter escapes what is written for people: order texts come from strangers, and a terminal
// obeys what it reads (security.md O4; CVE-2021-25743). Each Write must hold whole characters.
func SafeWriter(w io.Writer) io.Writer { return escapingWriter{w} }

type escapingWriter struct{ w io.Writer }

func (e escapingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(e.w, Escape(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// unsafeCharacters are characters that a terminal obeys, that turn the direction of text, or that
// are invisible.
var unsafeCharacters = []*unicode.RangeTable{
	unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp,
	unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
}

// Escape shows such characters as \u escapes, in the form of JSON, and bytes that are not UTF-8 as
// \x escapes. Line feed and tab stay.
func Escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.In(r, unsafeCharacters...):
			b.WriteRune(r)
		case r > 0xffff: // a pair of surrogates
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// Column is [Escape] for a text that must stay one column of one line.
func Column(s string) string {
	return strings.NewReplacer("\n", `\u000a`, "\t", `\u0009`).Replace(Escape(s))
}
