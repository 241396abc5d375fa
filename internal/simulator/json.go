package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// maxDepth bounds nested JSON; no request of the pages goes deeper than four. [inferred]
const maxDepth = 32

var (
	errDuplicate = errors.New("a member is given twice")
	errDeep      = errors.New("nested too deeply")
	errTrailing  = errors.New("text after the JSON value")
	errNotObject = errors.New("not a JSON object")
	errNotUTF8   = errors.New("not UTF-8")
)

// fields is a JSON object: text, [json.Number], bool, nil, fields or a list of these. A member
// that is null is as good as absent.
type fields map[string]any

// parseObject reads a JSON object strictly: a name that is given twice, or text behind the
// object, is refused [inferred].
func parseObject(data []byte) (fields, error) {
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
	o, ok := v.(fields)
	if !ok {
		return nil, errNotObject
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

func readObject(d *json.Decoder, depth int) (fields, error) {
	out := fields{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, errNotObject
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

// text returns a member that is a text, else "".
func (f fields) text(name string) string {
	s, _ := f[name].(string)
	return s
}

// literal returns a member that is a text or a number, as it was written.
func (f fields) literal(name string) string {
	switch v := f[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
