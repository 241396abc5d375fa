package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/schemas"
)

// allOf is every attack in one text.
func allOf() string {
	var b strings.Builder
	for _, a := range attacks {
		b.WriteString(strings.ToValidUTF8(a.text, ""))
	}
	return b.String()
}

// poison sets every text of a record that is open text.
func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.Type().Name() == "string" || v.Type().PkgPath() != reflect.TypeFor[order.Result]().PkgPath() {
			v.SetString(text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				poison(v.Field(i), text)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			poison(v.Index(0), text)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{text: text}))
	}
}

func poisoned[T any]() T {
	var record T
	poison(reflect.ValueOf(&record).Elem(), allOf())
	return record
}

// Whatever a record, its key and its headers hold, tail shows nothing that a terminal obeys.
func TestO4_TailOfHostileRecords(t *testing.T) {
	registry, err := avro.NewFolder(schemas.FS, 0)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := order.NewMasker(order.MaskOptions{Clear: map[string][]string{"topic": order.MaskedFields()}})
	if err != nil {
		t.Fatal(err)
	}
	codec := order.NewCodec(registry).WithMasker(shown)
	for name, encode := range map[string]func() ([]byte, error){
		"event":     func() ([]byte, error) { return codec.EncodeEvent(t.Context(), "topic", poisoned[order.Event]()) },
		"result":    func() ([]byte, error) { return codec.EncodeResult(t.Context(), "topic", poisoned[order.Result]()) },
		"snapshot":  func() ([]byte, error) { return codec.EncodeSnapshot(t.Context(), "topic", poisoned[order.Snapshot]()) },
		"no record": func() ([]byte, error) { return []byte(allOf()), nil },
	} {
		value, err := encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := []byte(allOf())
		record := &kgo.Record{Topic: "topic", Key: text, Value: value, Timestamp: time.UnixMilli(5),
			Headers: []kgo.RecordHeader{{Key: string(text), Value: text}, {Key: records.HeaderDeadReason, Value: text}, {Key: records.HeaderDeadError, Value: text}}}
		for _, asJSON := range []bool{false, true} {
			var out bytes.Buffer
			p := printer{out: safeWriter(&out), codec: codec, json: asJSON, results: name == "result"}
			if err := p.print(t.Context(), record); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			harmless(t, name, out.String())
			if asJSON && !json.Valid(out.Bytes()) {
				t.Errorf("%s: no JSON any more: %s", name, out.Bytes())
			}
		}
	}
}

func harmless(t *testing.T, name, out string) {
	t.Helper()
	if !strings.Contains(out, `\u202e`) {
		t.Errorf("%s: the text is not in it: %q", name, out)
	}
	for i, r := range out {
		if r != '\n' && r != '\t' && unicode.In(r, unsafeCharacters...) {
			t.Errorf("%s: %U at %d: %q", name, r, i, out)
			return
		}
	}
}

func TestO4_OneLineStaysOneLine(t *testing.T) {
	if got, want := escapeLine("a\nb\tc\r\x1b"), `a\u000ab\u0009c\u000d\u001b`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
