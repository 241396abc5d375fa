package avro_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	oracle "github.com/twmb/avro"

	"alipay-kafka-bridge/internal/avro"
)

// writable has one field of each kind that a Writer writes.
const writable = `{"type":"record","name":"W","fields":[
 {"name":"s","type":"string"},{"name":"e","type":{"type":"enum","name":"E","symbols":["UNKNOWN","A"]},"default":"A"},
 {"name":"l","type":"long","default":-1},{"name":"i","type":"int","default":0},{"name":"b","type":"boolean","default":false},
 {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"micros","type":{"type":"long","logicalType":"timestamp-micros"},"default":0},
 {"name":"maybe","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null},
 {"name":"texts","type":{"type":"array","items":"string"},"default":[]},{"name":"map","type":{"type":"map","values":"string"},"default":{}},
 {"name":"inner","type":["null",{"type":"record","name":"R","fields":[{"name":"t","type":"string","default":""},{"name":"n","type":["string","null"],"default":""}]}],"default":null},
 {"name":"list","type":{"type":"array","items":"R"},"default":[]}]}`

var somewhen = time.UnixMilli(1_700_000_000_123).UTC()

// Someone else's decoder reads what a Writer writes.
func TestWriterIsReadByOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		write func(*avro.Writer)
		want  map[string]any
	}{
		"all fields": {func(w *avro.Writer) {
			w.Text("s", "\u4e2d")
			w.Text("e", "UNKNOWN")
			w.Long("l", 1<<62)
			w.Long("i", -7)
			w.Bool("b", true)
			w.Time("at", somewhen)
			w.Time("micros", somewhen)
			w.OptionalTime("maybe", &somewhen)
			w.Texts("texts", []string{"a", "b"})
			w.TextMap("map", map[string]string{"k": "v"})
			w.Record("inner", func(in *avro.Writer) { in.Text("t", "x"); in.Null("n") })
			w.Records("list", 2, func(i int, in *avro.Writer) { in.Text("t", strings.Repeat("y", i+1)); in.Text("n", "z") })
		}, map[string]any{
			"s": "\u4e2d", "e": "UNKNOWN", "l": int64(1) << 62, "i": int32(-7), "b": true, "at": somewhen, "micros": somewhen, "maybe": somewhen,
			"texts": []any{"a", "b"}, "map": map[string]any{"k": "v"}, "inner": map[string]any{"t": "x", "n": nil},
			"list": []any{map[string]any{"t": "y", "n": "z"}, map[string]any{"t": "yy", "n": "z"}},
		}},
		"defaults for the rest, and text that is no UTF-8": {func(w *avro.Writer) {
			w.Text("s", "a\xffb")
			w.Time("at", somewhen)
			w.OptionalTime("maybe", nil)
			w.TextMap("map", map[string]string{"\xff": "\xff"})
			w.Records("list", 1, func(int, *avro.Writer) {})
		}, map[string]any{
			"s": "a\ufffdb", "e": "A", "l": int64(-1), "i": int32(0), "b": false, "at": somewhen, "micros": time.UnixMilli(0).UTC(), "maybe": nil,
			"texts": []any{}, "map": map[string]any{"\ufffd": "\ufffd"}, "inner": nil, "list": []any{map[string]any{"t": "", "n": ""}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := avro.MustCodec(writable).Write([]byte("before"), nil, tt.write)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			rest, err := oracle.MustParse(writable).Decode(b[len("before"):], &got)
			if err != nil || len(rest) > 0 || string(b[:len("before")]) != "before" {
				t.Fatalf("%x: %v, %d bytes left", b, err, len(rest))
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %#v\nwant %#v", got, tt.want)
			}
		})
	}
}

// What does not fit is an error that says where and never what: it may be personal data.
func TestWriterRefuses(t *testing.T) {
	required := func(w *avro.Writer) { w.Text("s", "SECRET"); w.Time("at", somewhen) }
	for name, tt := range map[string]struct {
		write func(*avro.Writer)
		want  string
	}{
		"a field without default is left out":  {func(w *avro.Writer) { w.Time("at", somewhen) }, "W: s: no value and no default"},
		"one at the end":                       {func(w *avro.Writer) { w.Text("s", "") }, "W: at: no value and no default"},
		"a name that the schema does not have": {func(w *avro.Writer) { required(w); w.Text("stranger", "SECRET") }, "W: stranger: the schema has no such field here"},
		"fields in another order":              {func(w *avro.Writer) { required(w); w.Text("s", "SECRET") }, "W: s: the schema has no such field here"},
		"a symbol that the enum does not have": {func(w *avro.Writer) { w.Text("s", ""); w.Text("e", "SECRET") }, "W: e: not a symbol of E"},
		"a number larger than an int":          {func(w *avro.Writer) { w.Text("s", ""); w.Long("i", 1<<31) }, "W: i: the number does not fit an int"},
		"a number for a text":                  {func(w *avro.Writer) { w.Long("s", 1) }, "W: s: a value of kind long does not fit string"},
		"a time for a plain long":              {func(w *avro.Writer) { w.Text("s", ""); w.Time("l", somewhen) }, "W: l: a time does not fit a long"},
		"null where there is no null":          {func(w *avro.Writer) { w.Null("s") }, "W: s: a value of kind null does not fit string"},
		"texts for records":                    {func(w *avro.Writer) { required(w); w.Texts("list", []string{"SECRET"}) }, "W: list: values of kind string do not fit array of R"},
		"records for texts":                    {func(w *avro.Writer) { required(w); w.Records("texts", 1, func(int, *avro.Writer) {}) }, "W: texts: values of kind record do not fit array of string"},
		"a field of a record in a list": {func(w *avro.Writer) {
			required(w)
			w.Records("list", 1, func(_ int, in *avro.Writer) { in.Bool("t", true) })
		}, "W: list[].t: a value of kind boolean does not fit string"},
		"a field of a record": {func(w *avro.Writer) { required(w); w.Record("inner", func(in *avro.Writer) { in.Text("u", "SECRET") }) }, "W: inner.u: the schema has no such field here"},
		"the first error counts": {func(w *avro.Writer) {
			w.Null("s")
			w.Text("stranger", "")
			w.Records("list", 3, func(_ int, in *avro.Writer) { in.Text("t", "") })
		}, "W: s: "},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := avro.MustCodec(writable).Write(nil, nil, tt.write)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") || b != nil {
				t.Errorf("%x, %v; want %s", b, err, tt.want)
			}
		})
	}
}

// seen records what a mask is asked, and hides all of it.
type seen []string

func (s *seen) Text(inside, field, value string) string {
	*s = append(*s, inside+field+"="+value)
	return "hidden"
}

func (s *seen) Entry(inside, field, key, value string) string {
	*s = append(*s, inside+field+"["+key+"]="+value)
	return "hidden"
}

// A mask sees every text that is not empty, by its path, and what it returns is written. Symbols are no texts.
func TestWriterMasks(t *testing.T) {
	var asked seen
	b, err := avro.MustCodec(writable).Write(nil, &asked, func(w *avro.Writer) {
		w.Text("s", "1")
		w.Text("e", "A")
		w.Time("at", somewhen)
		w.Texts("texts", []string{"2", ""})
		w.TextMap("map", map[string]string{"k": "3"})
		w.Record("inner", func(in *avro.Writer) { in.Text("t", "4"); in.Text("n", "") })
		w.Records("list", 1, func(_ int, in *avro.Writer) { in.Text("t", "5"); in.Text("n", "6") })
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (seen{"s=1", "texts=2", "map[k]=3", "inner.t=4", "list[].t=5", "list[].n=6"}); !reflect.DeepEqual(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if n := strings.Count(string(b), "hidden"); n != 6 {
		t.Errorf("%d texts are hidden, want 6: %q", n, b)
	}
}
