package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// timeLayout is the form of times in JSON: UTC, three decimals.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// AppendJSON appends a record as JSON for people and scripts: members in the schema's order,
// no union wrappers, times as RFC 3339.
func (c *Codec) AppendJSON(b []byte, record map[string]any) ([]byte, error) {
	return appendJSON(b, c.root, record)
}

func appendJSON(b []byte, n *node, v any) ([]byte, error) {
	switch given := v.(type) {
	case map[string]any:
		if n = n.holding(kindRecord, kindMap); n == nil {
			return nil, errors.New("json: an object where the schema has none")
		}
		if n.kind == kindMap {
			return appendMembers(b, slices.Sorted(maps.Keys(given)), given, func(string) *node { return n.items })
		}
		names := make([]string, 0, len(n.fields))
		types := make(map[string]*node, len(n.fields))
		for _, f := range n.fields {
			if _, ok := given[f.name]; ok {
				names, types[f.name] = append(names, f.name), f.typ
			}
		}
		return appendMembers(b, names, given, func(name string) *node { return types[name] })
	case []any:
		if n = n.holding(kindArray); n == nil {
			return nil, errors.New("json: a list where the schema has none")
		}
		return appendItems(b, n.items, given)
	case time.Time:
		return strconv.AppendQuote(b, given.UTC().Format(timeLayout)), nil
	case []byte:
		return appendValue(b, latin1(given))
	}
	return appendValue(b, v)
}

// holding returns the type itself, or the branch of a union, that is of one of these kinds.
func (n *node) holding(kinds ...kind) *node {
	if slices.Contains(kinds, n.kind) {
		return n
	}
	for _, b := range n.branches {
		if slices.Contains(kinds, b.kind) {
			return b
		}
	}
	return nil
}

func appendMembers(b []byte, names []string, values map[string]any, typ func(string) *node) ([]byte, error) {
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, name); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), typ(name), values[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendItems(b []byte, items *node, values []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, items, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendValue(b []byte, v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return append(b, bytes.TrimRight(text.Bytes(), "\n")...), nil
}

// latin1 is Avro's JSON form of bytes: each byte is the character of that number.
func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// FromJSON reads a record that a person or a script wrote. Members may be left out where the
// schema has a default; times are RFC 3339 or whole milliseconds since 1970; a name that the
// schema does not have is an error. Errors name the member, never its value.
func (c *Codec) FromJSON(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	if d.More() {
		return nil, errors.New("json: more than one value")
	}
	native, err := fromJSON(c.root, v, c.Name())
	if err != nil {
		return nil, err
	}
	return native.(map[string]any), nil
}

// defaultOf returns the default of a field, as the schema's text has it.
func defaultOf(n *node, raw json.RawMessage, path string) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("%s: default: %w", path, err)
	}
	return fromJSON(n, v, path)
}

func fromJSON(n *node, v any, path string) (any, error) {
	switch n.kind {
	case kindUnion:
		return unionFromJSON(n, v, path)
	case kindRecord:
		return recordFromJSON(n, v, path)
	case kindMap:
		if given, ok := v.(map[string]any); ok {
			return mapFromJSON(n, given, path)
		}
	case kindArray:
		if given, ok := v.([]any); ok {
			return arrayFromJSON(n, given, path)
		}
	}
	return scalarFromJSON(n, v, path)
}

func unionFromJSON(n *node, v any, path string) (any, error) {
	var first error
	for _, b := range n.branches {
		native, err := fromJSON(b, v, path)
		if err == nil {
			return native, nil
		}
		if first == nil && b.kind != kindNull {
			first = err
		}
	}
	if first == nil {
		first = jsonMismatch(n, v, path)
	}
	return nil, first
}

func recordFromJSON(n *node, v any, path string) (any, error) {
	given, ok := v.(map[string]any)
	if !ok {
		return nil, jsonMismatch(n, v, path)
	}
	if name := unknownMember(n, given); name != "" {
		return nil, fmt.Errorf("%s: no member is named %.80q", path, name)
	}
	out := make(map[string]any, len(given))
	for _, f := range n.fields {
		member, ok := given[f.name]
		if !ok && f.hasDefault {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("%s.%s: is missing", path, f.name)
		}
		native, err := fromJSON(f.typ, member, path+"."+f.name)
		if err != nil {
			return nil, err
		}
		out[f.name] = native
	}
	return out, nil
}

// unknownMember names a member that the record does not have.
func unknownMember(n *node, given map[string]any) string {
	for name := range given {
		if !n.hasField(name) {
			return name
		}
	}
	return ""
}

func mapFromJSON(n *node, given map[string]any, path string) (any, error) {
	out := make(map[string]any, len(given))
	for k, v := range given {
		native, err := fromJSON(n.items, v, path+"."+k)
		if err != nil {
			return nil, err
		}
		out[k] = native
	}
	return out, nil
}

func arrayFromJSON(n *node, given []any, path string) (any, error) {
	out := make([]any, len(given))
	for i, v := range given {
		native, err := fromJSON(n.items, v, fmt.Sprintf("%s[%d]", path, i))
		if err != nil {
			return nil, err
		}
		out[i] = native
	}
	return out, nil
}

func scalarFromJSON(n *node, v any, path string) (any, error) {
	switch given := v.(type) {
	case json.Number:
		return numberFromJSON(n, given, path)
	case string:
		switch {
		case n.kind == kindLong && n.logical == timestampMillis:
			t, err := time.Parse(time.RFC3339Nano, given)
			if err != nil {
				return nil, fmt.Errorf("%s: use a time such as 2026-11-01T08:30:00Z", path)
			}
			return t.UTC(), nil
		case n.kind == kindBytes || n.kind == kindFixed:
			return fromLatin1(given, path)
		case n.kind == kindString || n.kind == kindEnum && n.symbol(given) >= 0:
			return given, nil
		}
	case bool, nil:
		if n.kind == kindNull && v == nil || n.kind == kindBoolean && v != nil {
			return v, nil
		}
	}
	return nil, jsonMismatch(n, v, path)
}

func numberFromJSON(n *node, given json.Number, path string) (any, error) {
	switch n.kind {
	case kindInt, kindLong:
		v, err := given.Int64()
		if err != nil || n.kind == kindInt && int64(int32(v)) != v {
			return nil, fmt.Errorf("%s: use a whole number that fits %s", path, n.kind)
		}
		return instant(n, v), nil
	case kindFloat, kindDouble:
		v, err := given.Float64()
		if err == nil {
			return v, nil
		}
	}
	return nil, jsonMismatch(n, given, path)
}

func fromLatin1(s, path string) (any, error) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, fmt.Errorf("%s: bytes hold a character above U+00FF", path)
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// jsonMismatch names what does not fit in JSON's words, never the value: it may be personal data.
func jsonMismatch(n *node, v any, path string) error {
	var what string
	switch v.(type) {
	case nil:
		what = "null"
	case string:
		what = "a text"
	case json.Number:
		what = "a number"
	case bool:
		what = "true or false"
	case []any:
		what = "a list"
	case map[string]any:
		what = "an object"
	}
	if n.kind == kindEnum {
		return fmt.Errorf("%s: use one of %v", path, n.symbols)
	}
	return fmt.Errorf("%s: %s does not fit %s", path, what, n.typeName())
}
