package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// Writer writes a record's fields by name, in the order of its schema. A field that is passed over gets the schema's
// default. The first thing that does not fit is kept as the error of the whole record, and nothing is written after it.
type Writer struct {
	out    *output
	record *node
	next   int    // the field that comes next
	path   string // of the record, with a point at its end; empty for the outermost one
}

// Mask decides what readers see of texts.
type Mask interface {
	// Text returns what is written of a text in a field. inside is the path of its record with a point at its end, as
	// in "goods[].", and empty for the outermost one.
	Text(inside, field, value string) string
	// Entry does so for an entry of a map of texts.
	Entry(inside, field, key, value string) string
}

// output is what all writers of one record share.
type output struct {
	b     []byte
	mask  Mask // nil: everything is seen
	err   error
	inner [maxInner]Writer // of the records inside, by depth
	depth int
}

// maxInner is how deep records of ours are inside one another.
const maxInner = 4

// Write appends the bytes of one record. Bytes that are not UTF-8 become U+FFFD: an outcome is published with any
// message that Alipay wrote.
func (c *Codec) Write(b []byte, mask Mask, write func(*Writer)) ([]byte, error) {
	out := output{b: b, mask: mask}
	w := Writer{out: &out, record: c.root}
	write(&w)
	if w.skipTo(""); out.err != nil {
		return nil, fmt.Errorf("encode %s: %w", c.Name(), out.err)
	}
	return out.b, nil
}

// fail keeps the first error. It must not name a value, which may be personal data.
func (w *Writer) fail(name, format string, args ...any) {
	if w.out.err == nil {
		w.out.err = fmt.Errorf("%s%s: %w", w.path, name, fmt.Errorf(format, args...))
	}
}

// skipTo writes the defaults of the fields before this one, or of all that are left.
func (w *Writer) skipTo(name string) {
	for w.out.err == nil && w.next < len(w.record.fields) && w.record.fields[w.next].name != name {
		w.writeDefault(&w.record.fields[w.next])
	}
}

// writeDefault writes the default of the next field. Lists and maps of ours are empty by default.
func (w *Writer) writeDefault(f *field) {
	v, err := defaultOf(f.typ, f.byDefault, "its default")
	if err != nil {
		w.fail(f.name, "no value and no default")
		return
	}
	switch v := v.(type) {
	case nil:
		w.Null(f.name)
	case string:
		w.Text(f.name, v)
	case int64:
		w.Long(f.name, v)
	case bool:
		w.Bool(f.name, v)
	case time.Time:
		w.Time(f.name, v)
	default:
		if text := string(f.byDefault); text != "[]" && text != "{}" {
			w.fail(f.name, "no value, and its default is not empty")
		} else if w.begin(f.name, kindArray, kindMap) != nil {
			w.out.b = append(w.out.b, 0)
		}
	}
}

// begin returns the type of a field that takes a value of one of some kinds, after the index of its branch if it is a
// union; nil after an error.
func (w *Writer) begin(name string, kinds ...kind) *node {
	if w.skipTo(name); w.next == len(w.record.fields) {
		w.fail(name, "the schema has no such field here: write fields in its order")
	}
	if w.out.err != nil {
		return nil
	}
	n := w.record.fields[w.next].typ
	w.next++
	if slices.Contains(kinds, n.kind) {
		return n
	}
	for i, branch := range n.branches {
		if slices.Contains(kinds, branch.kind) {
			w.out.b = binary.AppendVarint(w.out.b, int64(i))
			return branch
		}
	}
	w.fail(name, "a value of kind %s does not fit %s", kinds[0], n.typeName())
	return nil
}

// Text writes a string, or an enum's symbol.
func (w *Writer) Text(name, v string) {
	n := w.begin(name, kindString, kindEnum)
	switch {
	case n == nil:
	case n.kind == kindString:
		if w.out.mask != nil && v != "" {
			v = w.out.mask.Text(w.path, name, v)
		}
		w.out.b = appendText(w.out.b, v)
	case n.symbol(v) < 0:
		w.fail(name, "not a symbol of %s", n.typeName())
	default:
		w.out.b = binary.AppendVarint(w.out.b, int64(n.symbol(v)))
	}
}

// Long writes a whole number.
func (w *Writer) Long(name string, v int64) {
	n := w.begin(name, kindLong, kindInt)
	switch {
	case n == nil:
	case n.kind == kindInt && (v < math.MinInt32 || v > math.MaxInt32):
		w.fail(name, "the number does not fit an int")
	default:
		w.out.b = binary.AppendVarint(w.out.b, v)
	}
}

// Bool writes true or false.
func (w *Writer) Bool(name string, v bool) {
	bit := byte(0)
	if v {
		bit = 1
	}
	if w.begin(name, kindBoolean) != nil {
		w.out.b = append(w.out.b, bit)
	}
}

// Time writes an instant.
func (w *Writer) Time(name string, t time.Time) {
	n := w.begin(name, kindLong)
	switch {
	case n == nil:
	case n.logical == timestampMillis:
		w.out.b = binary.AppendVarint(w.out.b, t.UnixMilli())
	case n.logical == timestampMicros:
		w.out.b = binary.AppendVarint(w.out.b, t.UnixMicro())
	default:
		w.fail(name, "a time does not fit a long")
	}
}

// OptionalTime is [Writer.Time] with nil for absent.
func (w *Writer) OptionalTime(name string, t *time.Time) {
	if t == nil {
		w.Null(name)
		return
	}
	w.Time(name, *t)
}

// Null writes that there is no value.
func (w *Writer) Null(name string) { w.begin(name, kindNull) }

// beginItems is [Writer.begin] for a list or a map of n values of one kind.
func (w *Writer) beginItems(name string, of, items kind, n int) *node {
	list := w.begin(name, of)
	switch {
	case list == nil:
		return nil
	case list.items.kind != items:
		w.fail(name, "values of kind %s do not fit %s of %s", items, of, list.items.typeName())
		return nil
	case n > 0:
		w.out.b = binary.AppendVarint(w.out.b, int64(n))
	}
	return list.items
}

// Texts writes a list of strings.
func (w *Writer) Texts(name string, texts []string) {
	if w.beginItems(name, kindArray, kindString, len(texts)) == nil {
		return
	}
	for _, v := range texts {
		if w.out.mask != nil && v != "" {
			v = w.out.mask.Text(w.path, name, v)
		}
		w.out.b = appendText(w.out.b, v)
	}
	w.out.b = append(w.out.b, 0) // no further block
}

// TextMap writes a map of strings.
func (w *Writer) TextMap(name string, texts map[string]string) {
	if w.beginItems(name, kindMap, kindString, len(texts)) == nil {
		return
	}
	for k, v := range texts {
		if w.out.mask != nil && v != "" {
			v = w.out.mask.Entry(w.path, name, k, v)
		}
		w.out.b = appendText(appendText(w.out.b, k), v)
	}
	w.out.b = append(w.out.b, 0)
}

// Record writes a nested record.
func (w *Writer) Record(name string, write func(*Writer)) {
	if n := w.begin(name, kindRecord); n != nil {
		w.inside(n, name, write)
	}
}

// Records writes a list of n records.
func (w *Writer) Records(name string, n int, write func(i int, item *Writer)) {
	record := w.beginItems(name, kindArray, kindRecord, n)
	if record == nil {
		return
	}
	for i := range n {
		w.inside(record, name, func(item *Writer) { write(i, item) })
	}
	w.out.b = append(w.out.b, 0)
}

// inside writes a record inside this one.
func (w *Writer) inside(n *node, name string, write func(*Writer)) {
	if w.out.depth == maxInner {
		w.fail(name, "a record inside %d others", maxInner)
		return
	}
	in := &w.out.inner[w.out.depth]
	*in = Writer{out: w.out, record: n, path: w.path + w.record.fields[w.next-1].inside}
	w.out.depth++
	write(in)
	in.skipTo("")
	w.out.depth--
}

func appendText(b []byte, s string) []byte {
	s = validUTF8(s)
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}
