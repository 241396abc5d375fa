package avro

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Logical types that the bridge understands; all others are read as the type below them.
const (
	timestampMillis = "timestamp-millis"
	timestampMicros = "timestamp-micros"
)

// plain turns what goavro decoded into the values of [Codec]: unions lose their wrapping,
// int becomes int64, float becomes float64, timestamps become times.
func plain(n *node, v any) any {
	switch n.kind {
	case kindRecord:
		m := v.(map[string]any)
		for _, f := range n.fields {
			m[f.name] = plain(f.typ, m[f.name])
		}
	case kindMap:
		m := v.(map[string]any)
		for k := range m {
			m[k] = plain(n.items, m[k])
		}
	case kindArray:
		a := v.([]any)
		for i := range a {
			a[i] = plain(n.items, a[i])
		}
	case kindUnion:
		return plainUnion(n, v)
	case kindInt:
		return int64(v.(int32))
	case kindFloat:
		return float64(v.(float32))
	case kindLong:
		return plainLong(n, v.(int64))
	}
	return v
}

func plainUnion(n *node, v any) any {
	wrapped, ok := v.(map[string]any)
	if !ok {
		return nil // the null branch is the only one that goavro does not wrap
	}
	for _, b := range n.branches {
		if inner, ok := wrapped[b.branchName()]; ok {
			return plain(b, inner)
		}
	}
	return nil
}

func plainLong(n *node, v int64) any {
	switch n.logical {
	case timestampMillis:
		return time.UnixMilli(v).UTC()
	case timestampMicros:
		return time.UnixMicro(v).UTC()
	}
	return v
}

// wrap is the reverse of [plain]: it checks a value against its type and gives it goavro's form.
// It wraps the members of records in place.
func wrap(n *node, v any) (any, error) {
	switch n.kind {
	case kindRecord:
		return wrapRecord(n, v)
	case kindUnion:
		return wrapUnion(n, v)
	case kindArray:
		return wrapArray(n, v)
	case kindMap:
		return wrapMap(n, v)
	}
	return wrapScalar(n, v)
}

// wrapError is where in a record a value does not fit.
type wrapError struct {
	path string // from the record on: ".goods[3].price"
	err  error
}

func (e *wrapError) Error() string { return e.path + ": " + e.err.Error() }
func (e *wrapError) Unwrap() error { return e.err }

// addPathStep puts a step before the path of an error.
func addPathStep(step string, err error) error {
	if inner, ok := err.(*wrapError); ok { //nolint:errorlint // ours, as we made it
		return &wrapError{step + inner.path, inner.err}
	}
	return &wrapError{step, err}
}

var errNoValue = errors.New("no value and no default")

func wrapRecord(n *node, v any) (any, error) {
	record, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch(n, v)
	}
	given := len(record)
	for _, f := range n.fields {
		value, ok := record[f.name]
		if !ok {
			if !f.hasDefault {
				return nil, addPathStep("."+f.name, errNoValue)
			}
			given++
			var err error
			if value, err = defaultOf(f.typ, f.byDefault, "its default"); err != nil {
				return nil, addPathStep("."+f.name, err)
			}
		}
		wrapped, err := wrap(f.typ, value)
		if err != nil {
			return nil, addPathStep("."+f.name, err)
		}
		record[f.name] = wrapped
	}
	if given != len(n.fields) {
		return nil, addPathStep("", fmt.Errorf("a name that the schema does not have: %s", unknownMember(n, record)))
	}
	return record, nil
}

// unknownMember names a member that the record does not have.
func unknownMember(n *node, given map[string]any) string {
	known := map[string]bool{}
	for _, f := range n.fields {
		known[f.name] = true
	}
	for name := range given {
		if !known[name] {
			return name
		}
	}
	return ""
}

// wrapUnion wraps a value in the first branch that it fits.
func wrapUnion(n *node, v any) (any, error) {
	for _, b := range n.branches {
		if b.kind == kindNull {
			if v == nil {
				return nil, nil
			}
			continue
		}
		tried := v
		if len(n.branches) > 2 || n.holding(kindNull) == nil {
			tried = copyValue(v) // a branch that does not fit may have wrapped some members
		}
		inner, err := wrap(b, tried)
		if err == nil {
			return map[string]any{b.branchName(): inner}, nil
		}
		if len(n.branches) <= 2 && v != nil && n.holding(kindNull) != nil {
			return nil, err // the only branch except null: its error says more
		}
	}
	return nil, mismatch(n, v)
}

// copyValue copies what wrap changes in place.
func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, inner := range v {
			m[k] = copyValue(inner)
		}
		return m
	case []any:
		a := make([]any, len(v))
		for i, inner := range v {
			a[i] = copyValue(inner)
		}
		return a
	}
	return v
}

func wrapArray(n *node, v any) (any, error) {
	given, ok := v.([]any)
	if !ok {
		return nil, mismatch(n, v)
	}
	out := make([]any, len(given))
	for i, item := range given {
		wrapped, err := wrap(n.items, item)
		if err != nil {
			return nil, addPathStep(fmt.Sprintf("[%d]", i), err)
		}
		out[i] = wrapped
	}
	return out, nil
}

func wrapMap(n *node, v any) (any, error) {
	given, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch(n, v)
	}
	out := make(map[string]any, len(given))
	for k, value := range given {
		wrapped, err := wrap(n.items, value)
		if err != nil {
			return nil, addPathStep("."+k, err)
		}
		out[validUTF8(k)] = wrapped
	}
	return out, nil
}

func wrapScalar(n *node, v any) (any, error) {
	switch given := v.(type) {
	case nil:
		if n.kind == kindNull {
			return nil, nil
		}
	case string:
		if n.kind == kindString {
			return validUTF8(given), nil
		}
		if n.kind == kindEnum && n.hasSymbol(given) {
			return given, nil
		}
	case bool:
		if n.kind == kindBoolean {
			return given, nil
		}
	case []byte:
		if n.kind == kindBytes || n.kind == kindFixed && len(given) == n.size {
			return given, nil
		}
	case int64:
		// Whole numbers and fractions are never converted into each other: that loses digits.
		if n.kind == kindLong || n.kind == kindInt && int64(int32(given)) == given {
			return given, nil
		}
	case float64:
		if n.kind == kindDouble || n.kind == kindFloat && (float64(float32(given)) == given || math.IsNaN(given)) {
			return given, nil
		}
	case time.Time:
		if n.kind == kindLong && n.logical == timestampMillis {
			return given.UnixMilli(), nil
		}
		if n.kind == kindLong && n.logical == timestampMicros {
			return given.UnixMicro(), nil
		}
	}
	return nil, mismatch(n, v)
}

func (n *node) hasSymbol(s string) bool {
	for _, known := range n.symbols {
		if known == s {
			return true
		}
	}
	return false
}

// mismatch names the types, never the value: it may be personal data.
func mismatch(n *node, v any) error {
	return fmt.Errorf("a %T does not fit %s", v, n.typeName())
}
