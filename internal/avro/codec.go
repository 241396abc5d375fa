package avro

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"alipay-kafka-bridge/internal/budget"
)

// Codec reads and writes the records of one schema.
//
// A record that is read is a map of field names to values: string, int64, float64, bool, []byte,
// time.Time (logical type timestamp-millis), nil, []any, and map[string]any for maps and
// records. Unions are not wrapped: a value is used as it is.
type Codec struct {
	root    *node
	text    string
	anyCase bool     // field names may have another letter case than the reader's
	refers  bool     // text alone is not the whole schema
	size    int      // of all texts
	readers sync.Map // *Codec of a reader to its *projection: dropped with the writer's codec
}

// projection turns one writer's records into one reader's.
type projection struct {
	to     step
	same   bool  // the reader's schema is the writer's
	growth int   // about the most values that one of the writer's can become, through defaults
	err    error // there is none
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
	return &Codec{root: root, text: s.text, refers: len(s.references) > 0, size: s.size()}, nil
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
	return c.DecodeAs(c, b)
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
	w := walker{rest: b}
	waited := budget.Use(ctx, decodeCost(min(written*p.growth, max(written, maxValues)), len(b)), func() {
		var v any
		if v, err = p.to(&w); err != nil {
			err = undecodable("%s: %w", c.Name(), err)
			return
		}
		use(v.(map[string]any))
	})
	if waited != nil {
		return 0, waited
	}
	return max(written, w.made), err
}

// decodeCost is about how much memory a record needs while it is decoded: each record and map becomes a map.
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

// validUTF8 returns text as valid UTF-8.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s)) // the conversion replaces each bad byte by U+FFFD
}
