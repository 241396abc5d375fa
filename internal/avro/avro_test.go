package avro_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	oracle "github.com/twmb/avro"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// everything has one field of each kind.
const everything = `{"type":"record","name":"All","namespace":"x.y","fields":[
 {"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"s","type":"string"},{"name":"b","type":"boolean"},
 {"name":"d","type":"double"},{"name":"f","type":"float"},{"name":"raw","type":"bytes"},
 {"name":"fix","type":{"type":"fixed","name":"F","size":2}},
 {"name":"e","type":{"type":"enum","name":"E","symbols":["UNKNOWN","A"],"default":"UNKNOWN"}},
 {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"maybe","type":["null",{"type":"record","name":"R","fields":[{"name":"string","type":"string"}]}],"default":null},
 {"name":"again","type":["null","R"],"default":null},
 {"name":"list","type":{"type":"array","items":"R"},"default":[]},
 {"name":"map","type":{"type":"map","values":"string"},"default":{}},
 {"name":"opt","type":["null","string","long"],"default":null}]}`

func fullRecord() map[string]any {
	return map[string]any{
		"i": int64(-7), "l": int64(1) << 62, "s": "\u4e2d", "b": true, "d": 1.5, "f": 0.25, "raw": []byte{0, 255},
		"fix": []byte{1, 2}, "e": "A", "at": time.UnixMilli(1700000000123).UTC(),
		"maybe": map[string]any{"string": "a"}, "again": nil,
		"list": []any{map[string]any{"string": "b"}}, "map": map[string]any{"k": "v"}, "opt": int64(3),
	}
}

// encode writes a record with someone else's encoder.
func encode(c *avro.Codec, b []byte, record map[string]any) ([]byte, error) {
	schema, err := oracle.Parse(c.Schema())
	if err != nil {
		return nil, err
	}
	return schema.AppendEncode(b, record)
}

// reason returns the reason of an UndecodableError, or what else the error is.
func reason(err error) string {
	var u *avro.UndecodableError
	if errors.As(err, &u) {
		return u.Reason
	}
	return fmt.Sprint(err)
}

func TestRoundTrip(t *testing.T) {
	c := avro.MustCodec(everything)
	b, err := encode(c, nil, fullRecord())
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := fullRecord(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got, want := c.Name(), "All"; got != want {
		t.Errorf("name = %s, want %s", got, want)
	}
}

func TestEveryContractSchemaIsSafeAndFillsDefaults(t *testing.T) {
	for _, s := range schemas.All() {
		c, err := avro.NewCodec(s.Text)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if c.Name() != s.Name {
			t.Errorf("name = %s, want %s", c.Name(), s.Name)
		}
	}
	c := avro.MustCodec(schemas.OrderEvent)
	b, err := encode(c, nil, map[string]any{
		"event_id": "e", "event_type": "CREATED", "occurred_at": time.UnixMilli(5), "order_no": "o"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(b)
	if err != nil || got["channel"] != "ACCOUNT" || got["total"] != nil || len(got["items"].([]any)) != 0 {
		t.Errorf("defaults: channel %v, total %v, items %v, %v", got["channel"], got["total"], got["items"], err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, typ string
		bytes     []byte
	}{
		{"bytes left over", `"int"`, []byte{2, 0}},
		{"bytes that end early", `"string"`, []byte{8, 'a'}},
		{"nothing at all", `"long"`, nil},
		{"an int of six bytes", `"int"`, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 1}},
		{"a long of eleven bytes", `"long"`, bytes.Repeat([]byte{0x80}, 11)},
		{"a long that overflows", `"long"`, append(bytes.Repeat([]byte{0xff}, 9), 2)},
		{"a boolean of 2", `"boolean"`, []byte{2}},
		{"text that is not UTF-8", `"string"`, []byte{2, 0xff}},
		{"a negative length", `"bytes"`, []byte{1}},
		{"a branch that does not exist", `["null","int"]`, []byte{4}},
		{"a symbol that does not exist", `{"type":"enum","name":"E","symbols":["A"]}`, []byte{2}},
		{"a count of 2^31 with nothing behind it", `{"type":"array","items":"int"}`, []byte{0xfe, 0xff, 0xff, 0xff, 0x0f}},
		{"a block that lies about its size", `{"type":"array","items":"int"}`, []byte{1, 4, 2, 0}},
		{"a map with a key twice", `{"type":"map","values":"int"}`, []byte{4, 2, 'k', 2, 2, 'k', 2, 0}},
		{"too many values", `{"type":"array","items":"boolean"}`, manyBooleans(100_001)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := avro.MustCodec(`{"type":"record","name":"N","fields":[{"name":"f","type":` + tt.typ + `}]}`)
			got, err := c.Decode(tt.bytes)
			if reason(err) != avro.ReasonUndecodable {
				t.Errorf("got %v, %v; want undecodable", got, err)
			}
		})
	}
}

// manyBooleans is an array in blocks of 1,000, so that no single count is suspicious.
func manyBooleans(n int) []byte {
	var b []byte
	for ; n > 0; n -= 1000 {
		b = append(b, 0xd0, 0x0f) // 1000
		b = append(b, make([]byte, 1000)...)
	}
	return append(b, 0)
}

func TestK5_SchemaRefused(t *testing.T) {
	nested := strings.Repeat(`{"type":"array","items":`, 33) + `"int"` + strings.Repeat("}", 33)
	var fields []string
	for i := range 2001 {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"int"}`, i))
	}
	record := func(f string) string { return `{"type":"record","name":"N","fields":[` + f + `]}` }
	for _, tt := range []struct{ name, schema string }{
		{"a name inside its own definition", record(`{"name":"next","type":["null","N"]}`)},
		{"nesting deeper than 32", record(`{"name":"f","type":` + nested + `}`)},
		{"more than 2,000 fields", record(strings.Join(fields, ","))},
		{"more than 256 KiB of text", record(`{"name":"f","type":"int","doc":"` + strings.Repeat("x", 256<<10) + `"}`)},
		{"items that take no bytes", record(`{"name":"f","type":{"type":"array","items":"null"}}`)},
		{"items of a record that takes no bytes",
			record(`{"name":"f","type":{"type":"array","items":{"type":"record","name":"O","fields":[{"name":"n","type":"null"}]}}}`)},
		{"a name that nothing defines", record(`{"name":"f","type":"Other"}`)},
		{"a union in a union", record(`{"name":"f","type":["null",["int"]]}`)},
		{"a union with a type twice", record(`{"name":"f","type":["int","int"]}`)},
		{"a fixed of no bytes", record(`{"name":"f","type":{"type":"fixed","name":"F","size":0}}`)},
		{"a field twice", record(`{"name":"f","type":"int"},{"name":"f","type":"int"}`)},
		{"a type twice", record(`{"name":"f","type":{"type":"enum","name":"N","symbols":["A"]}}`)},
		{"a name that Avro does not allow", record(`{"name":"a-b","type":"int"}`)},
		{"no record", `"int"`},
		{"no JSON", `{"type":`},
		{"nothing", ``},
		{"a number", `7`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := avro.NewCodec(tt.schema); reason(err) != avro.ReasonSchemaRefused {
				t.Errorf("got %v, want %s", err, avro.ReasonSchemaRefused)
			}
		})
	}
}

// Two ways to be odd that must not matter: logical types that no one knows or that do not fit, and
// defaults that do not fit.
func TestForeignDetailsAreIgnored(t *testing.T) {
	c, err := avro.NewCodec(`{"type":"record","name":"N","fields":[
	 {"name":"p","type":{"type":"string","logicalType":"validated-string","pattern":"("}},
	 {"name":"m","type":{"type":"bytes","logicalType":"decimal","precision":2,"scale":9},"default":7}]}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode([]byte{2, 'x', 2, 1})
	if want := map[string]any{"p": "x", "m": []byte{1}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value []byte
		id    avro.SchemaID
		ok    bool
	}{
		{"a frame", []byte{0, 0, 0, 1, 2, 9}, 258, true},
		{"an empty record", []byte{0, 0, 0, 0, 1}, 1, true},
		{"a tombstone", nil, 0, false},
		{"another magic byte", []byte{1, 0, 0, 0, 1}, 0, false},
		{"too short", []byte{0, 0, 0, 1}, 0, false},
		{"id 0", []byte{0, 0, 0, 0, 0}, 0, false},
		{"an id beyond int32", []byte{0, 0x80, 0, 0, 0}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, _, err := avro.Unframe(tt.value)
			if tt.ok != (err == nil) || id != tt.id {
				t.Errorf("id %d, %v; want %d, ok %v", id, err, tt.id, tt.ok)
			}
			if !tt.ok && reason(err) != avro.ReasonUndecodable {
				t.Errorf("reason %s, want %s", reason(err), avro.ReasonUndecodable)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	r, err := avro.NewFolder(schemas.FS, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := avro.MustCodec(schemas.JournalEntry)
	value, err := r.Frame(t.Context(), "bridge-journal", c, nil, func(w *avro.Writer) {
		w.Text("topic", "t")
		w.Long("partition", 3)
		w.Time("written_at", time.UnixMilli(9))
	})
	if err != nil {
		t.Fatal(err)
	}
	if id, _, _ := avro.Unframe(value); id != 7 {
		t.Errorf("id = %d, want the one of ids.json, 7", id)
	}
	err = r.Read(t.Context(), "any", avro.MustCodec(schemas.JournalEntry), value, func(read avro.Reader) {
		if read.Text("topic") != "t" || read.Long("partition") != 3 {
			t.Errorf("got %q %d", read.Text("topic"), read.Long("partition"))
		}
	})
	if err != nil {
		t.Error(err)
	}
	unread := func(avro.Reader) { t.Error("was read") }
	if err := r.Read(t.Context(), "any", avro.MustCodec(schemas.OrderEvent), value, unread); reason(err) != avro.ReasonUndecodable {
		t.Errorf("another record type: %v, want undecodable", err)
	}
	if err := r.Read(t.Context(), "any", avro.MustCodec(schemas.OrderEvent), []byte{0, 0, 0, 0, 99}, unread); reason(err) != avro.ReasonUndecodable {
		t.Errorf("unknown id: %v, want undecodable", err)
	}
	if _, err := r.Register(t.Context(), "any", avro.MustCodec(everything)); err == nil {
		t.Error("a folder took a registration")
	}
}

func TestFolderRefuses(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for _, tt := range []struct {
		name string
		dir  fs.FS
	}{
		{"no ids", fstest.MapFS{"a.avsc": file(everything)}},
		{"an id twice", fstest.MapFS{"ids.json": file(`{"a.avsc":1,"b.avsc":1}`), "a.avsc": file(everything), "b.avsc": file(schemas.CallResult)}},
		{"id 0", fstest.MapFS{"ids.json": file(`{"a.avsc":0}`), "a.avsc": file(everything)}},
		{"a file that is not there", fstest.MapFS{"ids.json": file(`{"a.avsc":1}`)}},
		{"a schema that is not safe", fstest.MapFS{"ids.json": file(`{"a.avsc":1}`), "a.avsc": file(`"int"`)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := avro.NewFolder(tt.dir, 0); err == nil {
				t.Error("taken")
			}
		})
	}
}

func TestK5_TooLarge(t *testing.T) {
	r, err := avro.NewFolder(schemas.FS, 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Open(t.Context(), "t", make([]byte, 101)); reason(err) != avro.ReasonTooLarge {
		t.Errorf("got %v, want %s", err, avro.ReasonTooLarge)
	}
}
