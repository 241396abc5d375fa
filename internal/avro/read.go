package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Logical types that the bridge understands; all others are read as the type below them.
const (
	timestampMillis = "timestamp-millis"
	timestampMicros = "timestamp-micros"
)

// step reads the writer's next value as a value of the reader's type, in the form of [Codec]. It reserves memory by
// the counts that it reads, so the bytes must have passed [verify].
type step func(w *walker) (any, error)

// asWritten reads a type without parts as it was written.
func asWritten(n *node) step {
	switch n.kind {
	case kindBoolean:
		return func(w *walker) (any, error) { return w.boolean() }
	case kindInt, kindLong:
		return func(w *walker) (any, error) {
			v, err := w.number(n.kind)
			return instant(n, v), err
		}
	case kindFloat, kindDouble:
		return func(w *walker) (any, error) { return w.fraction(n.kind) }
	case kindFixed:
		return func(w *walker) (any, error) {
			b, err := w.skip(int64(n.size))
			return slices.Clone(b), err
		}
	case kindBytes:
		return func(w *walker) (any, error) {
			err := w.text(kindBytes)
			return append([]byte{}, w.last...), err
		}
	case kindString:
		return func(w *walker) (any, error) {
			err := w.text(kindString)
			return string(w.last), err
		}
	case kindEnum:
		return func(w *walker) (any, error) { return w.symbol(n) }
	}
	return func(*walker) (any, error) { return nil, nil }
}

// instant turns a whole number into a time, if its type is a timestamp.
func instant(n *node, v int64) any {
	switch n.logical {
	case timestampMillis:
		return time.UnixMilli(v).UTC()
	case timestampMicros:
		return time.UnixMicro(v).UTC()
	}
	return v
}

func (w *walker) symbol(enum *node) (string, error) {
	i, err := w.index(len(enum.symbols))
	if err != nil {
		return "", err
	}
	return enum.symbols[i], nil
}

func (w *walker) fraction(k kind) (float64, error) {
	if k == kindFloat {
		b, err := w.skip(4)
		if err != nil {
			return 0, err
		}
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), nil
	}
	b, err := w.skip(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

// recordPlan reads a record: the writer's fields in the order of their bytes, then those that were not written.
type recordPlan struct {
	written []writtenField
	absent  []fieldPlan
	size    int // how many fields the reader has
}

// writtenField is a field of the writer's, and the fields of the reader's that it becomes; none: it is skipped.
type writtenField struct {
	typ *node
	as  []fieldPlan
}

// fieldPlan is one field of the reader's.
type fieldPlan struct {
	name         string
	to           step
	nullIsAbsent bool
	byDefault    any
}

func (p *recordPlan) read(w *walker) (any, error) {
	if w.made += p.size; w.made > maxValues {
		return nil, errTooMany
	}
	record := make(map[string]any, p.size)
	for i := range p.written {
		if err := p.written[i].read(w, record); err != nil {
			return nil, err
		}
	}
	for _, f := range p.absent {
		record[f.name] = copyDefault(f.byDefault)
	}
	return record, nil
}

func (f *writtenField) read(w *walker, record map[string]any) error {
	if len(f.as) == 0 {
		return w.walk(f.typ)
	}
	begin := *w
	for i := range f.as {
		as := &f.as[i]
		w.rest, w.values = begin.rest, begin.values // each reads the same bytes
		v, err := as.read(w, f.typ)
		if err != nil {
			return fmt.Errorf("%s: %w", as.name, err)
		}
		record[as.name] = v
	}
	return nil
}

func (f *fieldPlan) read(w *walker, written *node) (any, error) {
	if f.nullIsAbsent && w.takeNull(written) {
		return copyDefault(f.byDefault), nil
	}
	return f.to(w)
}

// takeNull reads the next value if it is null.
func (w *walker) takeNull(n *node) bool {
	if n.kind != kindUnion {
		return n.kind == kindNull
	}
	begin := w.rest
	if i, err := w.index(len(n.branches)); err == nil && w.takeNull(n.branches[i]) {
		return true
	}
	w.rest = begin
	return false
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

// readItems reads an array.
func readItems(to step) step {
	return func(w *walker) (any, error) {
		items := []any{}
		for {
			count, _, err := w.blockStart()
			if err != nil || count == 0 {
				return items, err
			}
			items = slices.Grow(items, int(count))
			for range count {
				v, err := to(w)
				if err != nil {
					return nil, fmt.Errorf("[%d]: %w", len(items), err)
				}
				items = append(items, v)
			}
		}
	}
}

var errKeyTwice = errors.New("a map has a key twice")

// readValues reads a map. It names no key in its error: keys are the record's, not the schema's.
func readValues(to step) step {
	return func(w *walker) (any, error) {
		values := map[string]any{}
		for {
			count, _, err := w.blockStart()
			if err != nil || count == 0 {
				return values, err
			}
			for range count {
				if err := w.text(kindString); err != nil {
					return nil, err
				}
				key := string(w.last)
				if _, twice := values[key]; twice {
					return nil, errKeyTwice
				}
				if values[key], err = to(w); err != nil {
					return nil, fmt.Errorf("[]: %w", err)
				}
			}
		}
	}
}

// readBranch reads a union of the writer's.
func readBranch(branches []step) step {
	return func(w *walker) (any, error) {
		i, err := w.index(len(branches))
		if err != nil {
			return nil, err
		}
		return branches[i](w)
	}
}
