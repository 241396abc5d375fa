package avro

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/linkedin/goavro/v2"

	"alipay-kafka-bridge/internal/budget"
)

// Codec reads and writes the records of one schema.
//
// A record is a map of field names to values: string, int64, float64, bool, []byte,
// time.Time (logical type timestamp-millis), nil, []any, and map[string]any for maps and
// records. Unions are not wrapped: a value is used as it is.
type Codec struct {
	root    *node
	text    string
	anyCase bool // field names may have another letter case than the reader's
	refers  bool // text alone is not the whole schema
	size    int  // of all texts
	bin     *goavro.Codec
	readers sync.Map // *Codec of a reader to its *projection: dropped with the writer's codec
}

// projection turns one writer's records into one reader's.
type projection struct {
	to     step
	same   bool  // the reader's schema is the writer's: nothing to project
	growth int   // about the most values that one of the writer's can become, through defaults
	err    error // there is none
}

// setLimits gives goavro its own bounds, once and before its first use. They are the second
// line: verify refuses the same bytes earlier. A negative count of 2^31 alone would make
// goavro reserve 32 GiB.
var _ = setLimits()

func setLimits() bool {
	goavro.MaxBlockCount = maxValues
	goavro.MaxBlockSize = 16 << 20
	return true
}

// NewCodec parses a schema. It returns an [UndecodableError] with [ReasonSchemaRefused] when
// the schema is not a record's or not safe to decode with.
func NewCodec(text string) (*Codec, error) { return newCodec(writerSchema{text: text}) }

// newCodec is [NewCodec] for a schema that may refer to others.
func newCodec(s writerSchema) (*Codec, error) {
	root, err := parseSchema(s.text, s.references...)
	if err != nil {
		return nil, &UndecodableError{ReasonSchemaRefused, err}
	}
	if root.kind != kindRecord {
		return nil, &UndecodableError{ReasonSchemaRefused, fmt.Errorf("schema is of kind %s, not a record", root.kind)}
	}
	bare, err := json.Marshal(bareSchema(root, map[string]bool{}))
	if err != nil {
		return nil, &UndecodableError{ReasonSchemaRefused, err}
	}
	bin, err := goavro.NewCodec(string(bare))
	if err != nil {
		return nil, &UndecodableError{ReasonSchemaRefused, err}
	}
	return &Codec{root: root, text: s.text, refers: len(s.references) > 0, size: s.size(), bin: bin}, nil
}

// MustCodec is [NewCodec] for the schemas that are compiled in.
func MustCodec(text string) *Codec {
	c, err := NewCodec(text)
	if err != nil {
		panic("avro: " + err.Error())
	}
	return c
}

// Name returns the record's name without its namespace.
func (c *Codec) Name() string { return c.root.short() }

// Schema returns the text that the codec was made from.
func (c *Codec) Schema() string { return c.text }

// Decode reads one record's bytes, all of them. Any error is an [UndecodableError].
func (c *Codec) Decode(b []byte) (map[string]any, error) {
	if _, err := c.verify(b); err != nil {
		return nil, err
	}
	native, err := c.native(b)
	if err != nil {
		return nil, err
	}
	return plain(c.root, native).(map[string]any), nil
}

// DecodeAs reads one record's bytes, which were written with the schema of c, as a record of
// the reader: fields by name or alias, types promoted, the reader's defaults for what was not
// written, its default symbol for symbols that it does not have. Any error is an
// [UndecodableError]. The projection is kept for each reader, so make a reader once.
func (c *Codec) DecodeAs(reader *Codec, b []byte) (record map[string]any, err error) {
	_, err = c.useAs(context.Background(), reader, b, func(r map[string]any) { record = r })
	return record, err
}

// useAs reads like [Codec.DecodeAs] and passes the record to use, which must not keep it: its
// memory is part of the process's budget until use returns. useAs returns how many values the
// record has.
func (c *Codec) useAs(ctx context.Context, reader *Codec, b []byte, use func(map[string]any)) (int, error) {
	p := c.projectionTo(reader)
	if p.err != nil {
		return 0, p.err
	}
	written, err := c.verify(b)
	if err != nil {
		return 0, err
	}
	left := maxValues
	waited := budget.Use(ctx, decodeCost(min(written*p.growth, max(written, maxValues)), len(b)), func() {
		var v any
		if v, err = c.native(b); err != nil {
			return
		}
		if v, err = p.to(v, &left); err != nil {
			err = undecodable("%s: %w", c.Name(), err)
			return
		}
		use(v.(map[string]any))
	})
	if waited != nil {
		return 0, waited
	}
	return max(written, maxValues-left), err
}

// decodeCost is about how much memory a record needs while it is decoded: goavro makes a map for
// each record and for each value of a union.
func decodeCost(values, size int) int { return 256*values + 4*size }

// textsAs reads text fields of a record like [Codec.DecodeAs], without making the rest of it, and
// returns how many values the record has. The bytes are checked to their end all the same.
func (c *Codec) textsAs(ctx context.Context, reader *Codec, b []byte, names ...string) ([]string, int, error) {
	p := c.projectionTo(reader)
	if p.err != nil {
		return nil, 0, p.err
	}
	out := make([]string, len(names))
	if !p.same {
		values, err := c.useAs(ctx, reader, b, func(record map[string]any) {
			for i, name := range names {
				text, _ := record[name].(string)
				out[i] = strings.Clone(text)
			}
		})
		return out, values, err
	}
	found, values, err := verify(c.root, b, names)
	if err != nil {
		return nil, 0, undecodable("%s: %w", c.Name(), err)
	}
	for i := range found {
		out[i] = string(found[i])
	}
	return out, values, nil
}

func (c *Codec) projectionTo(reader *Codec) *projection {
	if p, ok := c.readers.Load(reader); ok {
		return p.(*projection)
	}
	p := &projection{growth: 64} // more than most of our records have fields
	m := newMatcher(false)
	m.ignoreCase = c.anyCase
	if got := m.match(reader.root, c.root); len(got.problems) > 0 {
		p.err = undecodable("%s: not readable as ours: %s", c.Name(), got.problems[0])
	} else if p.to = got.to; !c.refers && compactJSON(reader.text) == compactJSON(c.text) {
		p.same, p.growth = true, 1
		p.to = func(v any, _ *int) (any, error) { return plain(c.root, v), nil } // nothing to project
	}
	kept, _ := c.readers.LoadOrStore(reader, p)
	return kept.(*projection)
}

// verify checks a record's bytes and returns how many values it has.
func (c *Codec) verify(b []byte) (values int, err error) {
	_, values, err = verify(c.root, b, nil)
	if err != nil {
		return 0, undecodable("%s: %w", c.Name(), err)
	}
	return values, nil
}

// native reads bytes, which are verified, into goavro's form of values.
func (c *Codec) native(b []byte) (any, error) {
	native, rest, err := c.bin.NativeFromBinary(b)
	if err != nil {
		return nil, undecodable("%s: %w", c.Name(), err)
	}
	if len(rest) != 0 {
		return nil, undecodable("%s: %d bytes are left over", c.Name(), len(rest))
	}
	return native, nil
}

// Encode appends the bytes of one record. Fields that are absent get the schema's default;
// names that the schema does not have, and numbers that would lose a digit, are errors.
// Bytes that are not UTF-8 become U+FFFD: an outcome is published with any message that
// Alipay wrote. The record is changed: its members have goavro's form afterwards.
func (c *Codec) Encode(b []byte, record map[string]any) ([]byte, error) {
	native, err := wrap(c.root, record)
	if err != nil {
		return nil, fmt.Errorf("encode %s%w", c.Name(), err)
	}
	b, err = c.bin.BinaryFromNative(b, native)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", c.Name(), err)
	}
	return b, nil
}

// bareSchema returns what goavro needs to know about a schema and nothing more: no defaults, docs,
// aliases or logical types, and a neutral name for each type. So mistakes of a writer there cannot
// matter, nor how goavro reads decimals, dates, namespaces, and types that are named like Avro's own.
func bareSchema(n *node, defined map[string]bool) any {
	if n.name != "" {
		if defined[n.neutral] {
			return n.neutral
		}
		defined[n.neutral] = true
	}
	switch n.kind {
	case kindRecord:
		fields := make([]any, len(n.fields))
		for i, f := range n.fields {
			fields[i] = map[string]any{"name": f.name, "type": bareSchema(f.typ, defined)}
		}
		return map[string]any{"type": "record", "name": n.neutral, "fields": fields}
	case kindEnum:
		return map[string]any{"type": "enum", "name": n.neutral, "symbols": n.symbols}
	case kindFixed:
		return map[string]any{"type": "fixed", "name": n.neutral, "size": n.size}
	case kindArray:
		return map[string]any{"type": "array", "items": bareSchema(n.items, defined)}
	case kindMap:
		return map[string]any{"type": "map", "values": bareSchema(n.items, defined)}
	case kindUnion:
		branches := make([]any, len(n.branches))
		for i, b := range n.branches {
			branches[i] = bareSchema(b, defined)
		}
		return branches
	}
	return n.kind.String()
}

// validUTF8 returns text as valid UTF-8.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s)) // the conversion replaces each bad byte by U+FFFD
}
