package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// step turns a value, as goavro decoded it by the writer's type, into one of the reader's type
// in the form of [Codec]. It may change the value in place. A nil step changes
// nothing. left is how much the record may still grow: defaults cost the writer no bytes.
type step func(v any, left *int) (any, error)

func (s step) do(v any, left *int) (any, error) {
	if s == nil {
		return v, nil
	}
	return s(v, left)
}

var errInexact = errors.New("a number would lose a digit")

// fieldStep is one field of the reader.
type fieldStep struct {
	name         string
	from         string // the writer's field; empty: none
	to           step
	nullIsAbsent bool
	byDefault    any
}

// projectRecord makes the reader's record of the writer's. Where no field changes its name,
// the writer's map becomes the reader's: extra are the names that leave it.
func projectRecord(fields []fieldStep, extra []string) step {
	renamed := slices.ContainsFunc(fields, func(f fieldStep) bool { return f.from != "" && f.from != f.name })
	return func(v any, left *int) (any, error) {
		written := v.(map[string]any)
		if *left -= len(fields); *left < 0 {
			return nil, errTooMany
		}
		out := written
		if renamed {
			out = make(map[string]any, len(fields))
		}
		for i := range fields {
			f := &fields[i]
			if f.to == nil && f.from != "" && !f.nullIsAbsent && !renamed {
				continue // it is there already
			}
			value, err := f.project(written, left)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			out[f.name] = value
		}
		if !renamed {
			for _, name := range extra {
				delete(out, name)
			}
		}
		return out, nil
	}
}

func (f *fieldStep) project(written map[string]any, left *int) (any, error) {
	value := written[f.from]
	if f.from == "" || value == nil && f.nullIsAbsent {
		return copyDefault(f.byDefault), nil
	}
	return f.to.do(value, left)
}

// copyDefault copies a default, so that no two records share it.
func copyDefault(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, value := range v {
			c[k] = copyDefault(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, value := range v {
			c[i] = copyDefault(value)
		}
		return c
	case []byte:
		return slices.Clone(v)
	}
	return v
}

func projectItems(to step) step {
	if to == nil {
		return nil
	}
	return func(v any, left *int) (any, error) {
		items := v.([]any)
		for i := range items {
			var err error
			if items[i], err = to(items[i], left); err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return items, nil
	}
}

// projectValues names no key in its error: keys are the record's, not the schema's.
func projectValues(to step) step {
	if to == nil {
		return nil
	}
	return func(v any, left *int) (any, error) {
		values := v.(map[string]any)
		for k := range values {
			var err error
			if values[k], err = to(values[k], left); err != nil {
				return nil, fmt.Errorf("[]: %w", err)
			}
		}
		return values, nil
	}
}

// unwrap reads goavro's form of a union: nil, or one member by the branch's name.
func unwrap(branches map[string]step) step {
	return func(v any, left *int) (any, error) {
		wrapped, ok := v.(map[string]any)
		if !ok {
			return branches[kindNull.String()].do(nil, left)
		}
		for name, inner := range wrapped {
			return branches[name].do(inner, left)
		}
		return nil, errors.New("a union without a value")
	}
}

// refuse is the step of a branch that the reader does not have.
func refuse(p Problem) step {
	return func(any, *int) (any, error) { return nil, errors.New(p.String()) }
}

func projectSymbol(unknown map[string]bool, other string) step {
	return func(v any, _ *int) (any, error) {
		if !unknown[v.(string)] {
			return v, nil
		}
		if other == "" {
			return nil, errors.New("a symbol that the reader does not have, nor a default symbol")
		}
		return other, nil
	}
}

// projectText reads text as a symbol of the reader's enum.
func projectText(enum *node) step {
	return func(v any, _ *int) (any, error) {
		switch {
		case enum.hasSymbol(v.(string)):
			return v, nil
		case enum.enumOther != "":
			return enum.enumOther, nil
		}
		return nil, errors.New("text that is not a symbol of the reader, which has no default symbol")
	}
}

// plainStep is [plain] for a type without parts.
func plainStep(n *node) step {
	switch n.kind {
	case kindInt, kindFloat, kindLong:
		return func(v any, _ *int) (any, error) { return plain(n, v), nil }
	}
	return nil
}

// promotions lists the writer's kinds that a reader of another kind can read.
var promotions = map[kind][]kind{
	kindLong:   {kindInt},
	kindFloat:  {kindInt, kindLong},
	kindDouble: {kindInt, kindLong, kindFloat},
	kindString: {kindBytes},
	kindBytes:  {kindString},
}

// promote matches kinds that differ. A number that the reader's kind cannot hold exactly is
// refused when it comes: an amount is never rounded.
func promote(r, w *node) match {
	if !slices.Contains(promotions[r.kind], w.kind) {
		return typeMismatch(r, w)
	}
	switch {
	case r.kind == kindLong && slices.Contains(otherTimes, w.logical) && r.logical != "":
		return noMatch("written as %s, read as %s", w.logical, r.logical)
	case r.kind == kindLong:
		return match{to: func(v any, _ *int) (any, error) { return plainLong(r, int64(v.(int32))), nil }}
	case r.kind == kindBytes:
		return match{to: func(v any, _ *int) (any, error) { return []byte(v.(string)), nil }}
	case r.kind == kindString:
		return match{to: bytesToText}
	case w.kind == kindFloat:
		return match{to: plainStep(w)}
	case r.kind == kindFloat:
		return match{to: func(v any, _ *int) (any, error) {
			return exact(v, func(n int64) float64 { return float64(float32(n)) })
		}}
	}
	return match{to: func(v any, _ *int) (any, error) { return exact(v, func(n int64) float64 { return float64(n) }) }}
}

func bytesToText(v any, _ *int) (any, error) {
	b := v.([]byte)
	if !utf8.Valid(b) {
		return nil, errText
	}
	return string(b), nil
}

// exact converts a whole number, if the conversion can be undone.
func exact(v any, convert func(int64) float64) (any, error) {
	n, ok := v.(int64)
	if !ok {
		n = int64(v.(int32))
	}
	f := convert(n)
	if f >= 1<<63 || int64(f) != n {
		return nil, errInexact
	}
	return f, nil
}

// completeDefault returns a field's default with the defaults of what it leaves out.
func completeDefault(n *node, raw json.RawMessage, path string) (any, error) {
	v, err := defaultOf(n, raw, path)
	if err != nil {
		return nil, err
	}
	return complete(n, v, path)
}

// complete fills the fields that a record from JSON left out.
func complete(n *node, v any, path string) (any, error) {
	var err error
	switch given := v.(type) {
	case []any:
		if n = n.holding(kindArray); n == nil {
			return v, nil
		}
		for i := range given {
			if given[i], err = complete(n.items, given[i], path); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if n = n.holding(kindRecord, kindMap); n == nil {
			return v, nil
		}
		if n.kind == kindMap {
			for k := range maps.Keys(given) {
				if given[k], err = complete(n.items, given[k], path); err != nil {
					return nil, err
				}
			}
			return given, nil
		}
		for _, f := range n.fields {
			if value, ok := given[f.name]; ok {
				given[f.name], err = complete(f.typ, value, path)
			} else {
				given[f.name], err = completeDefault(f.typ, f.byDefault, path)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
