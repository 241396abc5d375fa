package alipay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// ErrMembers marks a JSON text that may not become part of a request.
var ErrMembers = errors.New("not a JSON object that may be sent")

// Bounds of a JSON text that comes from an event: its bytes, its nesting, and the characters
// of a name in it. Names that begin with @ or $ are commands to some JSON readers.
const (
	maxMembersText  = 64 << 10
	maxMembersDepth = 16
	maxNameLength   = 64
)

// Members are further members of an object, in the order in which they were written: what
// Alipay added and has no field here yet. The zero Members has none.
type Members struct {
	list     jsonscan.Object
	deep     [][]byte // every name at every depth, folded; also those of JSON texts in its texts
	initials uint32   // of deep: one bit a letter
	inner    []string // values of JSON texts in its texts
	loose    []string // texts in its texts that only look like JSON
}

// ParseMembers reads a JSON object text. It returns an error wrapping [ErrMembers] when the
// text is longer than 64 KiB, nested deeper than 16, not UTF-8, or has a name that is not
// [A-Za-z][A-Za-z0-9_]{0,63} or occurs twice in one object in any spelling (see [jsonscan.FoldName]).
// Values keep their literals and lose only white space. An empty text has no members.
func ParseMembers(text string) (Members, error) {
	if text == "" {
		return Members{}, nil
	}
	if len(text) > maxMembersText {
		return Members{}, fmt.Errorf("longer than 64 KiB: %w", ErrMembers)
	}
	if !utf8.ValidString(text) {
		return Members{}, fmt.Errorf("not UTF-8: %w", ErrMembers)
	}
	m := Members{deep: make([][]byte, 0, 8)}
	scan := jsonscan.Options{FoldNames: true, MaxDepth: maxMembersDepth}
	scan.OnName = func(name []byte) error {
		if !validName(name) {
			return fmt.Errorf("a name is not [A-Za-z][A-Za-z0-9_]{0,63}: %w", ErrMembers)
		}
		m.addName(jsonscan.FoldBytes(name))
		return nil
	}
	list, err := scan.ParseObject([]byte(text))
	if err != nil {
		return Members{}, errors.Join(err, ErrMembers)
	}
	if mayNest(text) {
		if err := m.addNested(text, 0); err != nil {
			return Members{}, err
		}
	}
	for i := range list {
		if !spaced(list[i].Raw) {
			continue
		}
		var b bytes.Buffer
		if err := json.Compact(&b, list[i].Raw); err != nil {
			return Members{}, errors.Join(err, ErrMembers)
		}
		list[i].Raw = b.Bytes()
	}
	m.list = list
	return m, nil
}

// Names returns the names on the first level, in order and as they are spelled.
func (m Members) Names() []string {
	names := make([]string, len(m.list))
	for i := range m.list {
		names[i] = m.list[i].Name
	}
	return names
}

// Get returns the value of the member with that name on the first level, in any spelling.
func (m Members) Get(name string) (json.RawMessage, bool) {
	folded := jsonscan.FoldBytes([]byte(name))
	for i := range m.list {
		if jsonscan.EqualFolded(m.list[i].Name, folded) {
			return m.list[i].Raw, true
		}
	}
	return nil, false
}

func (m *Members) addName(folded []byte) {
	if len(folded) == 0 {
		return
	}
	m.deep = append(m.deep, folded)
	if c := folded[0]; c >= 'a' && c <= 'z' {
		m.initials |= 1 << (c - 'a')
	}
}

// text returns the members as one JSON object text, "{}" if there are none.
func (m Members) text() []byte {
	o := object{b: []byte{'{'}}
	o.more(m)
	return append(o.b, '}')
}

// clash returns the first of the typed names that m has at any depth, in any spelling.
func (m Members) clash(typed []string) string {
	for _, t := range typed {
		if m.initials&(1<<((t[0]|0x20)-'a')) == 0 {
			continue // so for most of them
		}
		for _, name := range m.deep {
			if jsonscan.EqualFolded(t, name) {
				return t
			}
		}
	}
	return ""
}

// NamesHold reports whether a name at any depth contains one of the words. Names are folded by
// FoldName; the words must be folded already.
func (m Members) NamesHold(words []string) bool {
	for _, name := range m.deep {
		for _, w := range words {
			if bytes.Contains(name, []byte(w)) {
				return true
			}
		}
	}
	return false
}

// spaced reports whether a JSON value has white space outside its strings.
func spaced(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case ' ', '\t', '\r', '\n':
			return true
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		}
	}
	return false
}

func validName(name []byte) bool {
	if len(name) == 0 || len(name) > maxNameLength {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}
