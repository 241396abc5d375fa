package avro_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

func TestJSONHasTheSchemasOrder(t *testing.T) {
	c := avro.MustCodec(everything)
	got, err := c.AppendJSON(nil, fullRecord())
	want := `{"i":-7,"l":4611686018427387904,"s":"` + "\u4e2d" + `","b":true,"d":1.5,"f":0.25,"raw":"\u0000` + "\u00ff" +
		`","fix":"\u0001\u0002","e":"A","at":"2023-11-14T22:13:20.123Z","maybe":{"string":"a"},"again":null,` +
		`"list":[{"string":"b"}],"map":{"k":"v"},"opt":3}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	back, err := c.FromJSON(got)
	if err != nil || !reflect.DeepEqual(back, fullRecord()) {
		t.Errorf("back: %v, %v", back, err)
	}
}

func TestJSONOfPeople(t *testing.T) {
	c := avro.MustCodec(schemas.OrderEvent)
	for _, when := range []string{`"2023-11-14T22:13:20.123Z"`, `"2023-11-15T06:13:20.123+08:00"`, `1700000000123`} {
		got, err := c.FromJSON([]byte(`{"event_id":"e","event_type":"CREATED","order_no":"o","occurred_at":` + when +
			`,"total":{"minor":8888,"currency":"CNY"}}`))
		want := map[string]any{
			"event_id": "e", "event_type": "CREATED", "order_no": "o", "occurred_at": time.UnixMilli(1700000000123).UTC(),
			"total": map[string]any{"minor": int64(8888), "currency": "CNY"},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v; want %v", when, got, err, want)
		}
	}
}

// Each complaint names the member and never its value, which may be a person's.
func TestJSONRefuses(t *testing.T) {
	c := avro.MustCodec(schemas.OrderEvent)
	const head = `{"event_id":"e","event_type":"CREATED","order_no":"o","occurred_at":5`
	for _, tt := range []struct{ name, text, where string }{
		{"a fraction of a fen", head + `,"total":{"minor":88.5,"currency":"CNY"}}`, "OrderEvent.total.minor"},
		{"money as text", head + `,"total":"SECRET"}`, "OrderEvent.total"},
		{"a missing member", `{"event_id":"e"}`, "OrderEvent.event_type"},
		{"a name of no member", head + `,"totl":1}`, "totl"},
		{"a type of no event", `{"event_id":"e","event_type":"SECRET","order_no":"o","occurred_at":5}`, "OrderEvent.event_type"},
		{"a time of no day", `{"event_id":"e","event_type":"CREATED","order_no":"o","occurred_at":"SECRET"}`, "OrderEvent.occurred_at"},
		{"a list for a text", head + `,"subject":["SECRET"]}`, "OrderEvent.subject"},
		{"null for a text", head + `,"subject":null}`, "OrderEvent.subject"},
		{"an item of no record", head + `,"items":["SECRET"]}`, "OrderEvent.items[0]"},
		{"two values", head + `} {}`, "more than one"},
		{"no JSON", `event`, "json"},
		{"a list", `[]`, "OrderEvent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.FromJSON([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.where) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %v, want an error that names %s", err, tt.where)
			}
		})
	}
}

func TestReaderTakesWhatIsThere(t *testing.T) {
	at := time.UnixMilli(1700000000123).UTC()
	r := avro.NewReader(map[string]any{
		"text": "a", "long": int64(3), "yes": true, "at": at, "millis": int64(1700000000123), "null": nil,
		"list": []any{"x", "y"}, "map": map[string]any{"k": "v"},
		"record": map[string]any{"text": "b"}, "records": []any{map[string]any{"text": "c"}},
	})
	nested, ok := r.Record("record")
	got := []any{
		r.Text("text"), r.Long("long"), r.Long("at"), r.Bool("yes"), r.Time("at"), r.Time("millis"), *r.OptionalTime("millis"),
		r.Texts("list"), r.TextMap("map"), nested.Text("text"), ok, r.Records("records")[0].Text("text"),
		r.Text("none"), r.Long("null"), r.OptionalTime("null") == nil, r.Texts("none") == nil, r.Time("none").IsZero(),
	}
	want := []any{
		"a", int64(3), int64(1700000000123), true, at, at, at,
		[]string{"x", "y"}, map[string]string{"k": "v"}, "b", true, "c",
		"", int64(0), true, true, true,
	}
	if !reflect.DeepEqual(got, want) || r.Err() != nil {
		t.Errorf("got  %v, %v\nwant %v", got, r.Err(), want)
	}
}

func TestReaderKeepsTheFirstWrongType(t *testing.T) {
	for name, read := range map[string]func(avro.Reader){
		"x":           func(r avro.Reader) { r.Text("x") },
		"text":        func(r avro.Reader) { r.Long("text"); r.Bool("x") },
		"in.deep":     func(r avro.Reader) { in, _ := r.Record("in"); in.Text("deep") },
		"list[0].n":   func(r avro.Reader) { r.Records("list")[0].Text("n") },
		"in is a":     func(r avro.Reader) { r.Texts("in") },
		"x is a":      func(r avro.Reader) { r.Time("x"); r.TextMap("text") },
		"text is a":   func(r avro.Reader) { r.Record("text") },
		"list is a m": func(r avro.Reader) { r.Texts("list") },
	} {
		r := avro.NewReader(map[string]any{
			"x": 1.5, "text": "t", "in": map[string]any{"deep": int64(1)}, "list": []any{map[string]any{"n": int64(1)}}})
		read(r)
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), "field "+name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
