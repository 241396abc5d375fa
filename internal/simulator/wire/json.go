package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// maxDepth limits how deeply JSON is nested; no request of the pages goes deeper than four [inferred].
const maxDepth = 32

var (
	errDuplicate = errors.New("a member occurs twice")
	errDeep      = errors.New("it is nested too deeply")
	errTrailing  = errors.New("there is text after the JSON value")
	errNotUTF8   = errors.New("it is not UTF-8")
	// ErrNotObject is returned for another value where an object must be.
	ErrNotObject = errors.New("is not a JSON object")
)

// Fields is a JSON object. A value is a text, a [json.Number], a bool, nil, another object or a list
// of these. A member that is null is treated as absent.
type Fields map[string]any

// ParseObject reads a JSON object strictly: it refuses a name that occurs twice, and text after the
// object [inferred].
func ParseObject(data []byte) (Fields, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errTrailing
	}
	o, ok := v.(Fields)
	if !ok {
		return nil, ErrNotObject
	}
	return o, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errDeep
	}
	switch t {
	case json.Delim('{'):
		return readObject(d, depth)
	case json.Delim('['):
		return readList(d, depth)
	}
	return t, nil
}

func readObject(d *json.Decoder, depth int) (Fields, error) {
	out := Fields{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, ErrNotObject
		}
		if _, twice := out[name]; twice {
			return nil, errDuplicate
		}
		if out[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return out, err
}

func readList(d *json.Decoder, depth int) ([]any, error) {
	out := []any{}
	for d.More() {
		v, err := readValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.Token()
	return out, err
}

// Text returns a member if it is a text, else "".
func (f Fields) Text(name string) string {
	s, _ := f[name].(string)
	return s
}

// Literal returns a text or a number as it was written, else "".
func Literal(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// member is one member of a JSON object in an answer.
type member struct {
	name  string
	value any
}

// Members are the members of a node, in their order.
type Members []member

// Add appends a member.
func (m Members) Add(name string, value any) Members { return append(m, member{name, value}) }

// AddText appends a member unless its text is empty.
func (m Members) AddText(name, value string) Members {
	if value == "" {
		return m
	}
	return append(m, member{name, value})
}

// Override appends more members, sorted by name, and removes those with the same names.
func (m Members) Override(more map[string]any) Members {
	m = slices.DeleteFunc(m, func(x member) bool { _, ok := more[x.name]; return ok })
	for _, name := range slices.Sorted(maps.Keys(more)) {
		m = append(m, member{name, more[name]})
	}
	return m
}

// Without returns the members without those that are named.
func (m Members) Without(names []string) Members {
	return slices.DeleteFunc(slices.Clone(m), func(x member) bool { return slices.Contains(names, x.name) })
}

// encodeObject encodes members as JSON, without the HTML escapes that Go adds and Alipay does not.
func encodeObject(list Members) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encodeJSON(m.name))
		b.WriteByte(':')
		b.Write(encodeJSON(m.value))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("simulator: cannot encode an answer: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
