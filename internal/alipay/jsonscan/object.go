package jsonscan

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Errors of a text. A repeated name has its own error: a signed text with a repeated name is
// complete, but must not be believed.
var (
	ErrSyntax    = errors.New("not JSON")
	ErrDuplicate = errors.New("a member occurs twice")
)

// Member is one member of an object: its decoded name and the exact bytes of its value.
type Member struct {
	Name string
	Raw  []byte
}

// Object is the members of a JSON object, in their order.
type Object []Member

// ParseObject reads b as one JSON object with nothing but white space around it, validates all
// of it and returns its members. A name that occurs twice in any object of b, with any
// escapes, is refused with [ErrDuplicate].
func ParseObject(b []byte) (Object, error) { return Options{}.ParseObject(b) }

// Elements returns the exact bytes of the elements of an array that [ParseObject] has read.
func Elements(array []byte) ([][]byte, error) {
	var elements [][]byte
	s := scanner{b: array}
	if err := s.array(func(from, to int) { elements = append(elements, array[from:to]) }); err != nil {
		return nil, err
	}
	return slices.Clip(elements), nil
}

// Raw returns the value of a member; nil when it is absent or null.
func (o Object) Raw(name string) []byte {
	for i := range o {
		if o[i].Name == name && string(o[i].Raw) != "null" {
			return o[i].Raw
		}
	}
	return nil
}

// Text returns a member that is a string, or the literal of one that is a number; anything
// else is "".
func (o Object) Text(name string) string {
	text, _ := TextOf(o.Raw(name))
	return text
}

// TextOf returns a value that is a string, or the literal of one that is a number. It reports
// whether the value is one of the two.
func TextOf(raw []byte) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	switch c := raw[0]; {
	case c == '"':
		return Unquote(raw), true
	case c == '-' || c >= '0' && c <= '9':
		return string(raw), true
	}
	return "", false
}

// Unquote decodes a string that [ParseObject] has read. Bytes that are not UTF-8 and lone
// surrogates become U+FFFD.
func Unquote(raw []byte) string {
	body := raw[1 : len(raw)-1]
	plain := true
	for _, c := range body {
		plain = plain && c != '\\' && c < utf8.RuneSelf
	}
	if plain {
		return string(body)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		panic("jsonscan: the scanner accepted a string that encoding/json refuses")
	}
	return s
}

// Quote is a text as JSON. Nearly all texts need no escape.
func Quote(text string) []byte {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }) {
		b := make([]byte, 0, len(text)+2)
		return append(append(append(b, '"'), text...), '"')
	}
	b, err := json.Marshal(text)
	if err != nil {
		panic("jsonscan: a text is not JSON: " + err.Error())
	}
	return b
}
