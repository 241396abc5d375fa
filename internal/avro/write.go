package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// encodeValue appends the bytes of a value in the form of [Codec], which it checks against its type.
func encodeValue(b []byte, n *node, v any) ([]byte, error) {
	switch n.kind {
	case kindRecord:
		return encodeRecord(b, n, v)
	case kindUnion:
		return encodeUnion(b, n, v)
	case kindArray:
		return encodeArray(b, n, v)
	case kindMap:
		return encodeMap(b, n, v)
	}
	return encodeScalar(b, n, v)
}

// encodeError is where in a record a value does not fit.
type encodeError struct {
	path string // from the record on: ".goods[3].price"
	err  error
}

func (e *encodeError) Error() string { return e.path + ": " + e.err.Error() }
func (e *encodeError) Unwrap() error { return e.err }

// addPathStep puts a step before the path of an error.
func addPathStep(step string, err error) error {
	if inner, ok := err.(*encodeError); ok { //nolint:errorlint // ours, as we made it
		return &encodeError{step + inner.path, inner.err}
	}
	return &encodeError{step, err}
}

var errNoValue = errors.New("no value and no default")

func encodeRecord(b []byte, n *node, v any) ([]byte, error) {
	record, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch(n, v)
	}
	left := len(record)
	for i := range n.fields {
		f := &n.fields[i]
		value, ok := record[f.name]
		var err error
		switch {
		case ok:
			left--
		case !f.hasDefault:
			return nil, addPathStep("."+f.name, errNoValue)
		default:
			if value, err = defaultOf(f.typ, f.byDefault, "its default"); err != nil {
				return nil, addPathStep("."+f.name, err)
			}
		}
		if b, err = encodeValue(b, f.typ, value); err != nil {
			return nil, addPathStep("."+f.name, err)
		}
	}
	if left > 0 {
		return nil, addPathStep("", fmt.Errorf("a name that the schema does not have: %s", unknownMember(n, record)))
	}
	return b, nil
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

// encodeUnion writes a value as the first branch that it fits.
func encodeUnion(b []byte, n *node, v any) ([]byte, error) {
	for i, branch := range n.branches {
		if (branch.kind == kindNull) != (v == nil) {
			continue
		}
		out, err := encodeValue(binary.AppendVarint(b, int64(i)), branch, v)
		if err == nil {
			return out, nil
		}
		if len(n.branches) == 2 && v != nil && n.holding(kindNull) != nil {
			return nil, err // of the only branch except null: it says more
		}
	}
	return nil, mismatch(n, v)
}

func encodeArray(b []byte, n *node, v any) ([]byte, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, mismatch(n, v)
	}
	if len(items) > 0 {
		b = binary.AppendVarint(b, int64(len(items)))
	}
	for i, item := range items {
		var err error
		if b, err = encodeValue(b, n.items, item); err != nil {
			return nil, addPathStep(fmt.Sprintf("[%d]", i), err)
		}
	}
	return append(b, 0), nil // no further block
}

func encodeMap(b []byte, n *node, v any) ([]byte, error) {
	values, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch(n, v)
	}
	values = withValidKeys(values)
	if len(values) > 0 {
		b = binary.AppendVarint(b, int64(len(values)))
	}
	for k, value := range values {
		var err error
		if b, err = encodeValue(encodeText(b, k), n.items, value); err != nil {
			return nil, addPathStep("."+k, err)
		}
	}
	return append(b, 0), nil
}

// withValidKeys returns the map with keys that are UTF-8. Two that become the same are one afterwards.
func withValidKeys(values map[string]any) map[string]any {
	for k := range values {
		if utf8.ValidString(k) {
			continue
		}
		repaired := make(map[string]any, len(values))
		for k, value := range values {
			repaired[validUTF8(k)] = value
		}
		return repaired
	}
	return values
}

func encodeScalar(b []byte, n *node, v any) ([]byte, error) {
	switch given := v.(type) {
	case nil:
		if n.kind == kindNull {
			return b, nil
		}
	case string:
		if n.kind == kindString {
			return encodeText(b, validUTF8(given)), nil
		}
		if i := n.symbol(given); n.kind == kindEnum && i >= 0 {
			return binary.AppendVarint(b, int64(i)), nil
		}
	case bool:
		if n.kind == kindBoolean && given {
			return append(b, 1), nil
		}
		if n.kind == kindBoolean {
			return append(b, 0), nil
		}
	case []byte:
		if n.kind == kindBytes {
			return append(binary.AppendVarint(b, int64(len(given))), given...), nil
		}
		if n.kind == kindFixed && len(given) == n.size {
			return append(b, given...), nil
		}
	case int64:
		// Whole numbers and fractions are never converted into each other: that loses digits.
		if n.kind == kindLong || n.kind == kindInt && int64(int32(given)) == given {
			return binary.AppendVarint(b, given), nil
		}
	case float64:
		if n.kind == kindDouble {
			return binary.LittleEndian.AppendUint64(b, math.Float64bits(given)), nil
		}
		if n.kind == kindFloat && (float64(float32(given)) == given || math.IsNaN(given)) {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(given))), nil
		}
	case time.Time:
		if n.kind == kindLong && n.logical == timestampMillis {
			return binary.AppendVarint(b, given.UnixMilli()), nil
		}
		if n.kind == kindLong && n.logical == timestampMicros {
			return binary.AppendVarint(b, given.UnixMicro()), nil
		}
	}
	return nil, mismatch(n, v)
}

func encodeText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

// mismatch names the types, never the value: it may be personal data.
func mismatch(n *node, v any) error {
	return fmt.Errorf("a %T does not fit %s", v, n.typeName())
}
