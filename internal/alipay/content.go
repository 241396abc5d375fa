package alipay

import (
	"strconv"
	"unicode/utf8"
)

// object writes one JSON object, member by member in the order of the API page, without
// white space, and without the escapes that encoding/json adds for HTML: the bytes that are
// written are signed and sent as they are. Absent values are left out, since Alipay is never
// sent an empty parameter.
type object struct {
	b     []byte
	typed []string // every name of a field, also of those left out
	path  string   // where the object stands, for errors: "goods_detail.", "" on top
	err   error    // the first fault of a further member
}

// writeObject returns the JSON text that write makes.
func writeObject(write func(o *object)) ([]byte, error) {
	o := object{b: make([]byte, 1, 1536), typed: make([]string, 0, 32)}
	o.b[0] = '{'
	write(&o)
	if o.err != nil {
		return nil, o.err
	}
	return append(o.b, '}'), nil
}

// key begins the member and remembers its name as typed.
func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = appendString(o.b, name)
	o.b = append(o.b, ':')
}

// field notes a typed name and begins the member if it is present.
func (o *object) field(name string, present bool) bool {
	o.typed = append(o.typed, name)
	if present {
		o.key(name)
	}
	return present
}

// str writes a text; an empty one is absent.
func (o *object) str(name, v string) {
	if o.field(name, v != "") {
		o.b = appendString(o.b, v)
	}
}

// strs writes an array of texts; an empty one is absent.
func (o *object) strs(name string, list []string) {
	if !o.field(name, len(list) > 0) {
		return
	}
	for i, v := range list {
		o.b = append(o.b, "[,"[min(i, 1)])
		o.b = appendString(o.b, v)
	}
	o.b = append(o.b, ']')
}

// num writes a whole number.
func (o *object) num(name string, v int64) {
	o.field(name, true)
	o.b = strconv.AppendInt(o.b, v, 10)
}

// yuan writes an amount as a string with two decimals; nil is absent.
func (o *object) yuan(name string, m *Money) {
	if o.field(name, m != nil) {
		o.b = appendString(o.b, m.Yuan())
	}
}

// raw writes a JSON text as it is.
func (o *object) raw(name string, v []byte) {
	o.field(name, true)
	o.b = append(o.b, v...)
}

// sub writes an object within this one; an empty one is absent.
func (o *object) sub(name string, present bool, write func(o *object)) {
	start := len(o.b)
	if !o.field(name, present) {
		return
	}
	brace := len(o.b)
	if o.nest(name, write); len(o.b) == brace+len("{}") {
		o.b = o.b[:start]
	}
}

// list writes an array of n objects; an empty one is absent.
func (o *object) list(name string, n int, write func(o *object, i int)) {
	if !o.field(name, n > 0) {
		return
	}
	for i := range n {
		o.b = append(o.b, "[,"[min(i, 1)])
		o.nest(name, func(in *object) { write(in, i) })
	}
	o.b = append(o.b, ']')
}

func (o *object) nest(name string, write func(o *object)) {
	in := object{b: append(o.b, '{'), path: o.path + name + "."}
	write(&in)
	o.b = append(in.b, '}')
	if o.err == nil {
		o.err = in.err
	}
}

// more writes further members, last in the object. A name that the object types is refused at
// every depth and in every spelling: the far end might take it for the typed one.
func (o *object) more(m Members) {
	if name := m.clash(o.typed); name != "" {
		o.err = &FieldError{Field: o.path + name, Reason: "typed", Text: "has a field of its own and may not stand among further members"}
		return
	}
	for _, e := range m.list {
		o.key(e.Name)
		o.b = append(o.b, e.Raw...)
	}
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. It escapes what RFC 8259 section 7 demands and nothing else.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// characters counts what Alipay's lengths count. The pages do not say characters or bytes;
// characters [inferred].
func characters(s string) int { return utf8.RuneCountInString(s) }
