package form

import (
	"slices"
	"strings"
)

// Param is one parameter of a request.
type Param struct{ Name, Value string }

// Canonical returns the text that is signed: every parameter that is sent except sign,
// sorted by name in byte order, as name=value joined by &, values raw. sign_type is one of them.
// It sorts params in place.
func Canonical(params []Param) []byte {
	slices.SortFunc(params, func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
	size := 0
	for _, p := range params {
		size += len(p.Name) + len(p.Value) + len("=&")
	}
	b := make([]byte, 0, size)
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p.Name...), '='), p.Value...)
	}
	return b
}

// Encode writes parameters as a form, in their order.
func Encode(params []Param) []byte {
	size := 0
	for _, p := range params {
		size += len(p.Name) + escapedLen(p.Value) + len("=&")
	}
	b := make([]byte, 0, size)
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(b, p.Name...), '=')
		b = appendEscaped(b, p.Value)
	}
	return b
}

// unescaped reports which bytes need no escape in a form, like [url.QueryEscape], which is not
// used: it returns a copy of each value, a tenth of all garbage that a call makes.
func unescaped(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

func escapedLen(s string) int {
	n := len(s)
	for i := range len(s) {
		if !unescaped(s[i]) && s[i] != ' ' {
			n += 2
		}
	}
	return n
}

func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case unescaped(c):
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
