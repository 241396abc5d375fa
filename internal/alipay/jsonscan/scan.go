package jsonscan

import (
	"bytes"
	"fmt"
)

// maxDepth bounds the nesting of a JSON text, so that untrusted bytes cannot exhaust the stack.
// Alipay's deepest documented answer has five levels [inferred].
const maxDepth = 64

// Options say how an object is read. The zero value reads UTF-8.
type Options struct {
	// MaxDepth is the deepest nesting; 0 is 64.
	MaxDepth int
	// OnName, if set, is called with every name at every depth, decoded. It may keep the slice.
	OnName func(name []byte) error
	// FoldNames compares names by [FoldName] instead of as they are.
	FoldNames bool
	// DecodeGBK, if set, means that the text is valid GBK; it returns a name in UTF-8. The
	// second byte of a character may then look like an escape or a brace.
	DecodeGBK func([]byte) []byte
}

// scanner reads a JSON text in place. It keeps what encoding/json hides: the exact bytes of
// a value, which are what Alipay signs, and members that are named twice.
type scanner struct {
	Options
	b     []byte
	i     int
	depth int
}

// ParseObject is the function [ParseObject] with these options.
func (o Options) ParseObject(b []byte) (Object, error) {
	s := scanner{Options: o, b: b}
	return s.document()
}

func (s *scanner) document() (Object, error) {
	s.space()
	if s.peek() != '{' {
		return nil, s.syntax()
	}
	list, err := s.object(true)
	if err != nil {
		return nil, err
	}
	s.space()
	if s.i != len(s.b) {
		return nil, s.syntax()
	}
	return list, nil
}

// object reads an object whose brace is next. Its members are returned only if keep is set.
func (s *scanner) object(keep bool) (Object, error) {
	if err := s.deeper(); err != nil {
		return nil, err
	}
	defer func() { s.depth-- }()
	s.i++
	var (
		list Object
		seen nameSet
	)
	if keep {
		list = make(Object, 0, 8)
	}
	for s.space(); ; s.space() {
		if s.peek() == '}' && seen.n == 0 {
			s.i++
			return list, nil
		}
		name, err := s.name()
		if err != nil {
			return nil, err
		}
		if !seen.add(name, s.FoldNames) {
			return nil, ErrDuplicate
		}
		start, err := s.memberValue()
		if err != nil {
			return nil, err
		}
		if keep {
			list = append(list, Member{Name: string(name), Raw: s.b[start:s.i]})
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return list, nil
		default:
			return nil, s.syntax()
		}
	}
}

// name reads a member's name and returns it decoded.
func (s *scanner) name() ([]byte, error) {
	raw, err := s.str()
	if err != nil {
		return nil, err
	}
	if s.DecodeGBK != nil {
		raw = s.DecodeGBK(raw)
	}
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(Unquote(raw))
	}
	if s.OnName == nil {
		return name, nil
	}
	if err := s.OnName(name); err != nil {
		return nil, err
	}
	return name, nil
}

func (s *scanner) deeper() error {
	limit := maxDepth
	if s.MaxDepth > 0 {
		limit = s.MaxDepth
	}
	if s.depth++; s.depth > limit {
		return fmt.Errorf("nested too deeply: %w", ErrSyntax)
	}
	return nil
}

// memberValue reads the colon and the value after a name and returns where the value begins.
func (s *scanner) memberValue() (int, error) {
	s.space()
	if s.peek() != ':' {
		return 0, s.syntax()
	}
	s.i++
	s.space()
	start := s.i
	return start, s.value()
}

// value reads one value of any kind.
func (s *scanner) value() error {
	switch c := s.peek(); {
	case c == '{':
		_, err := s.object(false)
		return err
	case c == '[':
		return s.array(func(int, int) {})
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	default:
		return s.word()
	}
}

// array reads an array whose bracket is next and calls element with the span of each element.
func (s *scanner) array(element func(from, to int)) error {
	if err := s.deeper(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	s.i++
	if s.space(); s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		s.space()
		from := s.i
		if err := s.value(); err != nil {
			return err
		}
		element(from, s.i)
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.syntax()
		}
	}
}

// str reads a string and returns it with its quotes.
func (s *scanner) str() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.syntax()
	}
	start := s.i
	for s.i++; ; s.i++ {
		s.plain()
		switch s.peek() {
		case '"':
			s.i++
			return s.b[start:s.i], nil
		case '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		default: // a control character, or the end
			return nil, s.syntax()
		}
	}
}

// plain skips the unescaped part of a string.
func (s *scanner) plain() {
	b, i := s.b, s.i
	if s.DecodeGBK == nil {
		for i < len(b) && plainByte[b[i]] {
			i++
		}
		s.i = i
		return
	}
	for i < len(b) && plainByte[b[i]] {
		if b[i] > 0x80 && i+1 < len(b) && b[i+1] >= 0x40 { // a character of two bytes
			i++
		}
		i++
	}
	s.i = i
}

// plainByte marks the bytes that need no escape in a string.
var plainByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return t
}()

// escape reads an escape up to its last byte.
func (s *scanner) escape() error {
	if s.i++; s.i >= len(s.b) {
		return s.syntax()
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			if s.i++; s.i >= len(s.b) || !isHex(s.b[s.i]) {
				return s.syntax()
			}
		}
		return nil
	}
	return s.syntax()
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return s.syntax()
	}
	if s.peek() == '.' {
		if s.i++; !s.digits() {
			return s.syntax()
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return s.syntax()
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.peek() >= '0' && s.peek() <= '9' {
		s.i++
	}
	return s.i > start
}

func (s *scanner) word() error {
	for _, w := range [...]string{"true", "false", "null"} {
		if len(s.b)-s.i >= len(w) && string(s.b[s.i:s.i+len(w)]) == w {
			s.i += len(w)
			return nil
		}
	}
	return s.syntax()
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end: no JSON token begins with it.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) syntax() error { return fmt.Errorf("at byte %d: %w", s.i, ErrSyntax) }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
