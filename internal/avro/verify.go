package avro

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxValues bounds the values of one record, so that a few bytes cannot become much memory
// (security K5): blocks add up, and a record of nulls costs nothing to send.
const maxValues = 100_000

var (
	errShort    = errors.New("the bytes end too early")
	errVarint   = errors.New("a number has more digits than its type")
	errTooMany  = fmt.Errorf("more than %d values", maxValues)
	errNegative = errors.New("a negative length")
	errText     = errors.New("text is not UTF-8")
)

// walker reads bytes by a schema without keeping anything but the last text.
type walker struct {
	rest   []byte
	values int
	made   int // values of the reader's records: its defaults cost the writer no bytes
	last   []byte
}

// verify checks that b is exactly one record of this schema, before memory is reserved for it: no number that
// overflows its type, no text that is not UTF-8, no byte left over, no count without values behind it. It
// returns the record's text fields of these names (other types have none), and how many values the record has.
func verify(n *node, b []byte, names []string) ([][]byte, int, error) {
	w := walker{rest: b, values: 1}
	texts := make([][]byte, len(names))
	for _, f := range n.fields {
		if err := w.walk(f.typ); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", f.name, err)
		}
		if i := slices.Index(names, f.name); i >= 0 && (f.typ.kind == kindString || f.typ.kind == kindEnum) {
			texts[i] = w.last
		}
	}
	if len(w.rest) != 0 {
		return nil, 0, fmt.Errorf("%d bytes are left over", len(w.rest))
	}
	return texts, w.values, nil
}

func (w *walker) walk(n *node) error {
	if w.values++; w.values > maxValues {
		return errTooMany
	}
	switch n.kind {
	case kindNull:
		return nil
	case kindBoolean:
		_, err := w.boolean()
		return err
	case kindInt, kindLong:
		_, err := w.number(n.kind)
		return err
	case kindFloat:
		_, err := w.skip(4)
		return err
	case kindDouble:
		_, err := w.skip(8)
		return err
	case kindFixed:
		_, err := w.skip(int64(n.size))
		return err
	case kindBytes, kindString:
		return w.text(n.kind)
	case kindEnum:
		i, err := w.index(len(n.symbols))
		if err == nil {
			w.last = []byte(n.symbols[i])
		}
		return err
	case kindUnion:
		i, err := w.index(len(n.branches))
		if err != nil {
			return err
		}
		return w.walk(n.branches[i])
	case kindArray, kindMap:
		return w.blocks(n)
	}
	for _, f := range n.fields {
		if err := w.walk(f.typ); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// number reads a zig-zag varint, which must fit its type.
func (w *walker) number(k kind) (int64, error) {
	var u uint64
	for i, b := range w.rest {
		if i == 9 && b > 1 || i > 9 {
			return 0, errVarint
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b&0x80 != 0 {
			continue
		}
		w.rest = w.rest[i+1:]
		v := int64(u>>1) ^ -int64(u&1)
		if k == kindInt && int64(int32(v)) != v {
			return 0, errVarint
		}
		return v, nil
	}
	return 0, errShort
}

func (w *walker) index(size int) (int64, error) {
	i, err := w.number(kindLong)
	if err == nil && (i < 0 || i >= int64(size)) {
		err = fmt.Errorf("choice %d, but the schema has choices 0 to %d", i, size-1)
	}
	return i, err
}

// skip returns the bytes that it skips.
func (w *walker) skip(size int64) ([]byte, error) {
	if size < 0 {
		return nil, errNegative
	}
	if size > int64(len(w.rest)) {
		return nil, errShort
	}
	skipped := w.rest[:size]
	w.rest = w.rest[size:]
	return skipped, nil
}

func (w *walker) boolean() (bool, error) {
	b, err := w.skip(1)
	if err != nil {
		return false, err
	}
	if b[0] > 1 {
		return false, errors.New("a boolean is neither 0 nor 1")
	}
	return b[0] == 1, nil
}

func (w *walker) text(k kind) error {
	size, err := w.number(kindLong)
	if err != nil {
		return err
	}
	if w.last, err = w.skip(size); err == nil && k == kindString && !utf8.Valid(w.last) {
		return errText
	}
	return err
}

// blocks reads the blocks of an array or map up to the closing zero.
func (w *walker) blocks(n *node) error {
	for {
		count, end, err := w.blockStart()
		if err != nil || count == 0 {
			return err
		}
		if err := w.block(n, count); err != nil {
			return err
		}
		if end >= 0 && len(w.rest) != end {
			return errors.New("the size of a block is wrong")
		}
	}
}

// blockStart reads how many items a block has, 0 after the last block. A negative count is followed by the block's
// size in bytes, which must be right, because others may skip by it: end is how many bytes must be left after the
// block, negative if the writer does not say.
func (w *walker) blockStart() (count int64, end int, err error) {
	if count, err = w.number(kindLong); err != nil {
		return 0, 0, err
	}
	end = -1
	if count < 0 {
		size, err := w.number(kindLong)
		if err != nil {
			return 0, 0, err
		}
		if count = -count; count < 0 || size < 0 || size > int64(len(w.rest)) {
			return 0, 0, errNegative
		}
		end = len(w.rest) - int(size)
	}
	if count > maxValues {
		return 0, 0, errTooMany
	}
	return count, end, nil
}

func (w *walker) block(n *node, count int64) error {
	for range count {
		if n.kind == kindMap {
			if err := w.text(kindString); err != nil {
				return err
			}
		}
		if err := w.walk(n.items); err != nil {
			return err
		}
	}
	return nil
}
