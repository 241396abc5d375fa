package avro_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

func recordOf(fields string) string {
	return `{"type":"record","name":"R","namespace":"bridge","fields":[` + fields + `]}`
}

func fieldOf(typ, more string) string { return `{"name":"f","type":` + typ + more + `}` }

// Each row writes a record {"f": value} with the writer's type and reads it with the reader's.
func TestProjection(t *testing.T) {
	at := time.UnixMicro(1700000000123456).UTC()
	enum := func(symbols, more string) string {
		return `{"type":"enum","name":"E","symbols":[` + symbols + `]` + more + `}`
	}
	inner := func(name, fields string) string {
		return `{"type":"record","name":"` + name + `","fields":[` + fields + `]}`
	}
	for _, tt := range []struct {
		name, writer, reader string
		more                 string // of the reader's field: its default
		value, want          any    // an error's text, where want is an error
	}{
		{"the same", `"string"`, `"string"`, "", "a", "a"},
		{"an int is a long", `"int"`, `"long"`, "", int64(7), int64(7)},
		{"a long is a double", `"long"`, `"double"`, "", int64(1) << 53, float64(1 << 53)},
		{"a long that a double cannot hold", `"long"`, `"double"`, "", int64(1)<<53 + 1, errorText("f: a number would lose a digit")},
		{"the largest long, which rounds up", `"long"`, `"double"`, "", int64(1)<<62 + (1<<62 - 1), errorText("lose a digit")},
		{"an int that a float cannot hold", `"int"`, `"float"`, "", int64(1)<<24 + 1, errorText("lose a digit")},
		{"a float is a double", `"float"`, `"double"`, "", 0.25, 0.25},
		{"text is bytes", `"string"`, `"bytes"`, "", "a", []byte("a")},
		{"bytes are text", `"bytes"`, `"string"`, "", []byte("a"), "a"},
		{"bytes that are no text", `"bytes"`, `"string"`, "", []byte{0xff}, errorText("f: text is not UTF-8")},
		{"a long is no int", `"long"`, `"int"`, "", int64(1), errorText("f: written as long, read as int")},
		{"a number is no text", `"long"`, `"string"`, "", int64(1), errorText("written as long")},

		{"a plain long is milliseconds", `"long"`, timestamp("millis"), "", int64(1700000000123), at.Truncate(time.Millisecond)},
		{"an int is milliseconds", `"int"`, timestamp("millis"), "", int64(5), time.UnixMilli(5).UTC()},
		{"milliseconds are a plain long", timestamp("millis"), `"long"`, "", at, int64(1700000000123)},
		{"microseconds are an instant", timestamp("micros"), timestamp("millis"), "", at, at},
		{"nanoseconds are not", timestamp("nanos"), timestamp("millis"), "", int64(1), errorText("written as timestamp-nanos, read as timestamp-millis")},
		{"days are not", `{"type":"int","logicalType":"date"}`, timestamp("millis"), "", int64(1), errorText("written as date")},

		{"a symbol that the reader has", enum(`"B","A"`, ""), enum(`"U","A"`, `,"default":"U"`), "", "A", "A"},
		{"a symbol that it does not have", enum(`"B","A"`, ""), enum(`"U","A"`, `,"default":"U"`), "", "B", "U"},
		{"and no default", enum(`"B","A"`, ""), enum(`"A"`, ""), "", "B", errorText("f: a symbol that the reader does not have")},
		{"a symbol that both have, and no default", enum(`"B","A"`, ""), enum(`"A"`, ""), "", "A", "A"},

		{"into a union", `"string"`, `["null","string"]`, "", "a", "a"},
		{"into a union, promoted", `"int"`, `["null","double"]`, "", int64(3), 3.0},
		{"out of a union", `["null","string"]`, `"string"`, "", "a", "a"},
		{"out of a union, promoted", `["null","int"]`, `["null","long"]`, "", int64(3), int64(3)},
		{"a branch of no record", `["null","string","boolean"]`, `["null","string"]`, "", "a", "a"},
		{"a branch that the reader does not have", `["null","string","boolean"]`, `["null","string"]`, "", true, errorText("f: the reader has no branch for boolean")},
		{"no branch at all", `["int","boolean"]`, `"string"`, "", true, errorText("f: written as int")},
		{"null, and nothing to take its place", `["null","string"]`, `"string"`, "", nil, errorText("f: written as null, read as string")},
		{"null is an absent field", `["null","string"]`, `"string"`, `,"default":"d"`, nil, "d"},
		{"null stays where it may", `["null","string"]`, `["string","null"]`, `,"default":"d"`, nil, nil},

		{"an enum of another name", enum(`"A"`, ""), `{"type":"enum","name":"Z","symbols":["A"]}`, "", "A", "A"},
		{"a fixed of another name", `{"type":"fixed","name":"F","size":1}`, `{"type":"fixed","name":"G","size":1}`, "", []byte{1}, []byte{1}},
		{"a fixed of another size", `{"type":"fixed","name":"F","size":1}`, `{"type":"fixed","name":"F","size":2}`, "", []byte{1}, errorText("written as com.shop.F")},
		{"a record of another name, in a union", `["null",` + inner("Line", `{"name":"g","type":"int"}`) + `]`,
			`["null",` + inner("Item", `{"name":"g","type":"long"}`) + `]`, "", map[string]any{"g": int64(1)}, map[string]any{"g": int64(1)}},

		{"items", `{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, "", []any{int64(1)}, []any{int64(1)}},
		{"values", `{"type":"map","values":"int"}`, `{"type":"map","values":"double"}`, "", map[string]any{"k": int64(1)}, map[string]any{"k": 1.0}},
		{"an item that does not fit", `{"type":"array","items":"bytes"}`, `{"type":"array","items":"string"}`, "", []any{[]byte("a"), []byte{0xff}}, errorText("f: [1]: text")},
		{"a value that does not fit names no key", `{"type":"map","values":"bytes"}`, `{"type":"map","values":"string"}`, "",
			map[string]any{"SECRET": []byte{0xff}}, errorText("f: []: text")},
		{"a nested record", inner("I", `{"name":"a","type":"int"},{"name":"b","type":"int"}`),
			inner("I", `{"name":"c","type":"long","default":5},{"name":"b2","aliases":["b"],"type":"long"}`), "",
			map[string]any{"a": int64(1), "b": int64(2)}, map[string]any{"b2": int64(2), "c": int64(5)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			writer := avro.MustCodec(strings.Replace(recordOf(fieldOf(tt.writer, "")), "bridge", "com.shop", 1))
			b, err := encode(writer, nil, map[string]any{"f": tt.value})
			if err != nil {
				t.Fatal(err)
			}
			got, err := writer.DecodeAs(avro.MustCodec(recordOf(fieldOf(tt.reader, tt.more))), b)
			if want, fails := tt.want.(errorText); fails {
				if reason(err) != avro.ReasonUndecodable || !strings.Contains(err.Error(), string(want)) || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("got %v, %v; want undecodable: %s", got, err, want)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, map[string]any{"f": tt.want}) {
				t.Errorf("got %#v, %v; want %#v", got, err, tt.want)
			}
		})
	}
}

type errorText string

func timestamp(unit string) string { return `{"type":"long","logicalType":"timestamp-` + unit + `"}` }

// A field of the writer's may become several of the reader's, and what follows it is read from its own place.
func TestOneFieldBecomesTwo(t *testing.T) {
	writer := avro.MustCodec(recordOf(`{"name":"x","type":["null","string"]},{"name":"y","type":"int"}`))
	reader := avro.MustCodec(recordOf(`
	 {"name":"a","aliases":["x"],"type":"string","default":"none"},
	 {"name":"b","aliases":["x"],"type":["null","string"],"default":null},
	 {"name":"y","type":"long"}`))
	for _, tt := range []struct{ x, a any }{{"text", "text"}, {nil, "none"}} {
		b, err := encode(writer, nil, map[string]any{"x": tt.x, "y": int64(7)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := writer.DecodeAs(reader, b)
		if want := (map[string]any{"a": tt.a, "b": tt.x, "y": int64(7)}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
}

func TestDefaultsOfTheReader(t *testing.T) {
	writer := avro.MustCodec(recordOf(`{"name":"old","type":"int"}`))
	reader := avro.MustCodec(recordOf(`
	 {"name":"list","type":{"type":"array","items":"bytes"},"default":["\u00ff"]},
	 {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"default":5},
	 {"name":"in","type":{"type":"record","name":"I","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":"b"}]},"default":{"a":1}},
	 {"name":"maybe","type":["null","I"],"default":null}`))
	want := map[string]any{"list": []any{[]byte{0xff}}, "at": time.UnixMilli(5).UTC(), "maybe": nil,
		"in": map[string]any{"a": int64(1), "b": "b"}}
	var got map[string]any
	for range 2 { // changing a record does not change a default
		var err error
		if got, err = writer.DecodeAs(reader, []byte{2}); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %v, %v\nwant %v", got, err, want)
		}
		got["list"].([]any)[0].([]byte)[0] = 7
		got["in"].(map[string]any)["a"] = 7
	}
}

// A field's name wins over another field's alias.
func TestAliasesOfFields(t *testing.T) {
	writer := avro.MustCodec(recordOf(`{"name":"a","type":"int"},{"name":"b","type":"int"}`))
	reader := avro.MustCodec(recordOf(`{"name":"c","aliases":["a","b"],"type":"int","default":-1},{"name":"a","type":"int"}`))
	got, err := writer.DecodeAs(reader, []byte{2, 4})
	if want := map[string]any{"a": int64(1), "c": int64(2)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// A schema of 4 kB can use its types 2^30 times: each pair of types is judged once.
func TestTypesUsedOftenAreJudgedOnce(t *testing.T) {
	writer, err := avro.NewCodec(doubling(`"int"`))
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := avro.Problems(doubling(`"string"`), doubling(`"int"`)); err != nil || len(problems) != 100 {
		t.Errorf("%d problems, %v; want the first 100", len(problems), err)
	}
	if _, err := writer.DecodeAs(avro.MustCodec(doubling(`"long"`)), nil); reason(err) != avro.ReasonUndecodable {
		t.Errorf("got %v", err)
	}
}

// doubling nests 15 records (30 levels with their unions), each used twice by the next.
func doubling(leaf string) string {
	schema := `{"type":"record","name":"N0","fields":[{"name":"a","type":` + leaf + `}]}`
	for i := 1; i < 15; i++ {
		schema = fmt.Sprintf(`{"type":"record","name":"N%d","fields":[{"name":"a","type":["null",%s]},{"name":"b","type":["null","N%d"]}]}`, i, schema, i-1)
	}
	return schema
}

func TestProjectionsAreSharedSafely(t *testing.T) {
	writer, reader := avro.MustCodec(recordOf(`{"name":"a","type":"int"}`)), avro.MustCodec(recordOf(`{"name":"a","type":"long"}`))
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 100 {
				if got, err := writer.DecodeAs(reader, []byte{2}); err != nil || got["a"] != int64(1) {
					t.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
	readers.Wait()
}

// oneVersionApart is the order event as an older producer may write it: two fields fewer, one
// that we never heard of, another namespace, another order.
func oneVersionApart(t testing.TB) string {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal([]byte(schemas.OrderEvent), &schema); err != nil {
		t.Fatal(err)
	}
	fields := schema["fields"].([]any)
	fields[0], fields[2] = fields[2], fields[0]
	schema["fields"] = append(fields[:len(fields)-2], map[string]any{"name": "shop_note", "type": "string", "default": ""})
	schema["namespace"] = "com.shop"
	return string(mustJSON(schema))
}

func sampleEvent() map[string]any {
	money := func() map[string]any { return map[string]any{"minor": int64(8888), "currency": "CNY"} }
	item := func() any {
		return map[string]any{"goods_id": "apple-01", "name": "ipad", "quantity": int64(1), "price": money()}
	}
	return map[string]any{"event_id": "0d1c7f2e-1111-4222-8333-444455556666", "event_type": "CREATED", "occurred_at": time.UnixMilli(1700000000123),
		"order_no": "o_1", "total": money(), "subject": "Iphone6 16G", "buyer_user_id": "2088102146225135", "items": []any{item(), item(), item()},
		"receiver": map[string]any{"name": "Zhang", "address": "road 1", "mobile": "1", "zip": "2", "division_code": "3"}}
}
