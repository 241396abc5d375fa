package avro

import (
	"fmt"
	"math"
	"time"
)

// Logical types that the bridge understands; all others are read as what lies under them.
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

// wrap is the way back: it checks a value against its type and gives it goavro's form.
// The path is for the error.
func wrap(n *node, v any, path string) (any, error) {
	switch n.kind {
	case kindRecord:
		return wrapRecord(n, v, path)
	case kindUnion:
		return wrapUnion(n, v, path)
	case kindArray:
		return wrapArray(n, v, path)
	case kindMap:
		return wrapMap(n, v, path)
	}
	return wrapScalar(n, v, path)
}

func wrapRecord(n *node, v any, path string) (any, error) {
	given, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch(n, v, path)
	}
	out := make(map[string]any, len(n.fields))
	used := 0
	for _, f := range n.fields {
		value, ok := given[f.name]
		if ok {
			used++
		} else if !f.hasDefault {
			return nil, fmt.Errorf("%s.%s: no value and no default", path, f.name)
		} else {
			var err error
			if value, err = defaultOf(f.typ, f.byDefault, path+"."+f.name); err != nil {
				return nil, err
			}
		}
		wrapped, err := wrap(f.typ, value, path+"."+f.name)
		if err != nil {
			return nil, err
		}
		out[f.name] = wrapped
	}
	if used != len(given) {
		return nil, fmt.Errorf("%s: a name that the schema does not have: %s", path, stranger(n, given))
	}
	return out, nil
}

// stranger names a member that the record does not have.
func stranger(n *node, given map[string]any) string {
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

// wrapUnion takes the first branch that the value fits.
func wrapUnion(n *node, v any, path string) (any, error) {
	for _, b := range n.branches {
		if b.kind == kindNull {
			if v == nil {
				return nil, nil
			}
			continue
		}
		inner, err := wrap(b, v, path)
		if err == nil {
			return map[string]any{b.branchName(): inner}, nil
		}
		if len(n.branches) <= 2 && v != nil && n.holding(kindNull) != nil {
			return nil, err // the only branch but null: its complaint is the better one
		}
	}
	return nil, mismatch(n, v, path)
}

func wrapArray(n *node, v any, path string) (any, error) {
	given, ok := v.([]any)
	if !ok {
		return nil, mismatch(n, v, path)
	}
	out := make([]any, len(given))
	for i, item := range given {
		wrapped, err := wrap(n.items, item, fmt.Sprintf("%s[%d]", path, i))
		if err != nil {
			return nil, err
		}
		out[i] = wrapped
	}
	return out, nil
}

func wrapMap(n *node, v any, path string) (any, error) {
	given, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch(n, v, path)
	}
	out := make(map[string]any, len(given))
	for k, value := range given {
		wrapped, err := wrap(n.items, value, path+"."+k)
		if err != nil {
			return nil, err
		}
		out[mend(k)] = wrapped
	}
	return out, nil
}

func wrapScalar(n *node, v any, path string) (any, error) {
	switch given := v.(type) {
	case nil:
		if n.kind == kindNull {
			return nil, nil
		}
	case string:
		if n.kind == kindString {
			return mend(given), nil
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
		// Numbers are never converted between whole and broken: that is where digits get lost.
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
	return nil, mismatch(n, v, path)
}

func (n *node) hasSymbol(s string) bool {
	for _, known := range n.symbols {
		if known == s {
			return true
		}
	}
	return false
}

// mismatch tells the types, never the value: it may be personal data.
func mismatch(n *node, v any, path string) error {
	return fmt.Errorf("%s: a %T does not fit %s", path, v, n.branchName())
}
