package avro_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	oracle "github.com/twmb/avro"

	"alipay-kafka-bridge/internal/avro"
)

// schemaMaker writes random record schemas, each name defined once.
type schemaMaker struct {
	*rand.Rand
	names int
}

func (m *schemaMaker) record(depth int) string {
	m.names++
	name := fmt.Sprintf("N%d", m.names)
	var fields []string
	for i := range 1 + m.IntN(4) {
		byDefault := ""
		typ := m.typ(depth - 1)
		if typ == `"int"` && m.IntN(2) == 0 {
			byDefault = `,"default":1`
		}
		if strings.HasPrefix(typ, "[") { // theirs takes a default for granted there, Avro does not
			byDefault = `,"default":null`
		}
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":%s%s}`, i, typ, byDefault))
	}
	return fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, name, strings.Join(fields, ","))
}

func (m *schemaMaker) typ(depth int) string {
	simple := []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
	choice := m.IntN(14)
	if depth <= 0 {
		choice = m.IntN(9)
	}
	switch choice {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		return fmt.Sprintf("%q", simple[choice])
	case 8:
		m.names++
		return fmt.Sprintf(`{"type":"enum","name":"N%d","symbols":["A","B"]%s}`, m.names, []string{"", `,"default":"A"`}[m.IntN(2)])
	case 9:
		m.names++
		return fmt.Sprintf(`{"type":"fixed","name":"N%d","size":%d}`, m.names, 1+m.IntN(3))
	case 10:
		return `{"type":"array","items":` + m.typ(depth-1) + `}`
	case 11:
		return `{"type":"map","values":` + m.typ(depth-1) + `}`
	case 12:
		return `["null",` + []string{`"string"`, `"int"`, m.record(depth - 1)}[m.IntN(3)] + `]`
	}
	return m.record(depth - 1)
}

// change makes another version of a schema: some words are replaced by others.
func (m *schemaMaker) change(schema string) string {
	for range m.IntN(3) {
		pairs := [][2]string{
			{`"int"`, `"long"`}, {`"long"`, `"double"`}, {`"string"`, `"bytes"`}, {`"f0"`, `"g0"`}, {`["A","B"]`, `["A","B","C"]`},
			{`["null",`, `["null","double",`}, {`,"default":1`, ``}, {`"size":1`, `"size":2`}, {`"float"`, `"int"`}, {`"N2"`, `"M2"`},
		}
		pair := pairs[m.IntN(len(pairs))]
		if m.IntN(2) == 0 {
			pair[0], pair[1] = pair[1], pair[0]
		}
		if pair[0] != "" {
			schema = strings.Replace(schema, pair[0], pair[1], 1)
		}
	}
	return schema
}

// fill returns random bytes that have a fair chance to be a record.
func (m *schemaMaker) fill() []byte {
	var b []byte
	for range m.IntN(40) {
		switch m.IntN(4) {
		case 0:
			b = binary.AppendVarint(b, int64(m.IntN(7)-2))
		case 1:
			b = append(b, byte(m.Uint32()))
		default:
			b = append(b, byte(m.IntN(3)))
		}
	}
	return b
}

// An independent decoder accepts all bytes that we accept, and sees the same values.
func TestDecodeAgreesWithAnotherDecoder(t *testing.T) {
	m := &schemaMaker{Rand: rand.New(rand.NewPCG(1, 2))}
	taken := 0
	for range 20_000 {
		m.names = 0
		schema := m.record(4)
		c, err := avro.NewCodec(schema)
		if err != nil {
			continue // an array of nulls, a union with int twice
		}
		theirs, err := oracle.Parse(schema)
		if err != nil {
			t.Fatalf("%s\nwe take the schema, they do not: %v", schema, err)
		}
		b := m.fill()
		for len(b) > 0 && !compare(t, schema, c, theirs, b) {
			b = b[:len(b)-1] // left-over bytes are the usual fault: find a prefix that fits
		}
		if len(b) > 0 {
			taken++
		}
	}
	if taken < 2000 {
		t.Errorf("only %d of the records fitted: the test sees too little", taken)
	}
}

func compare(t *testing.T, schema string, c *avro.Codec, theirs *oracle.Schema, b []byte) bool {
	ours, err := c.Decode(b)
	if err != nil {
		return false
	}
	var v map[string]any
	rest, err := theirs.Decode(b, &v)
	if err != nil || len(rest) != 0 {
		t.Fatalf("%s\n%x: we take it, they say %v, %d left", schema, b, err, len(rest))
	}
	got, want := asJSON(t, ours), asJSON(t, v)
	if got != want {
		t.Fatalf("%s\n%x\ngot  %s\nwant %s", schema, b, got, want)
	}
	return true
}

// asJSON makes values of different Go types comparable; fmt takes what JSON cannot (NaN).
func asJSON(t *testing.T, v any) string {
	t.Helper()
	plain := bytesToLists(v)
	b, err := json.Marshal(plain)
	if err != nil {
		return fmt.Sprint(plain)
	}
	return string(b)
}

func bytesToLists(v any) any {
	if at, ok := v.(time.Time); ok {
		return at.UnixMilli() // JSON has no years beyond 9999
	}
	switch given := reflect.ValueOf(v); given.Kind() {
	case reflect.Map:
		out := map[string]any{}
		for _, k := range given.MapKeys() {
			out[k.String()] = bytesToLists(given.MapIndex(k).Interface())
		}
		return out
	case reflect.Slice, reflect.Array:
		out := []any{}
		for i := range given.Len() {
			out = append(out, bytesToLists(given.Index(i).Interface()))
		}
		return out
	case reflect.Float32:
		return given.Float()
	}
	return v
}

func TestCompatibilityAgreesWithAnotherCheck(t *testing.T) {
	m := &schemaMaker{Rand: rand.New(rand.NewPCG(3, 4))}
	verdicts := map[bool]int{}
	for range 20_000 {
		m.names = 0
		writer := m.record(4)
		reader := m.change(writer)
		w, errW := oracle.Parse(writer)
		r, errR := oracle.Parse(reader)
		_, ourW := avro.NewCodec(writer)
		_, ourR := avro.NewCodec(reader)
		if errW != nil || errR != nil || ourW != nil || ourR != nil {
			continue
		}
		want := oracle.CheckCompatibility(w, r)
		got := avro.Readable(reader, writer)
		if (got == nil) != (want == nil) {
			t.Fatalf("writer %s\nreader %s\nwe say %v, they say %v", writer, reader, got, want)
		}
		verdicts[got == nil]++
	}
	if verdicts[true] < 1000 || verdicts[false] < 1000 {
		t.Errorf("verdicts are one-sided: %v", verdicts)
	}
}

// The changes that the contract's rule is about: both sides must go on reading each other.
func TestFullCompatibility(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	const a, b, bDefault = `{"name":"a","type":"string"}`, `{"name":"b","type":"int"}`, `{"name":"b","type":"int","default":0}`
	for _, tt := range []struct {
		name     string
		from, to string
		ok       bool
	}{
		{"the same", record(a), record(a), true},
		{"a field with a default comes", record(a), record(a + "," + bDefault), true},
		{"a field with a default goes", record(a + "," + bDefault), record(a), true},
		{"a field without a default comes", record(a), record(a + "," + b), false},
		{"a field without a default goes", record(a + "," + b), record(a), false},
		{"another namespace", record(a), `{"type":"record","name":"x.R","fields":[` + a + `]}`, true},
		{"another name", record(a), `{"type":"record","name":"S","fields":[` + a + `]}`, false},
		{"a type grows: the old reader cannot follow", record(b), record(`{"name":"b","type":"long"}`), false},
		{"a symbol comes, with a default symbol",
			record(`{"name":"e","type":{"type":"enum","name":"E","symbols":["U"],"default":"U"}}`),
			record(`{"name":"e","type":{"type":"enum","name":"E","symbols":["U","V"],"default":"U"}}`), true},
		{"a symbol comes, without", record(`{"name":"e","type":{"type":"enum","name":"E","symbols":["U"]}}`),
			record(`{"name":"e","type":{"type":"enum","name":"E","symbols":["U","V"]}}`), false},
		{"decimals of another scale",
			record(`{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}`),
			record(`{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}}`), false},
		{"no schema", record(a), `{"type":`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := avro.Compatible(tt.from, tt.to); (err == nil) != tt.ok {
				t.Errorf("got %v, want ok = %v", err, tt.ok)
			}
		})
	}
}
