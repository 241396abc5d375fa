package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/tail"
	"alipay-kafka-bridge/schemas"
)

// allOf is one text with an attack of each kind; internal/output tests them one by one.
func allOf() string {
	return "\x1b]52;c;cm0gLXJmIH4=\x07\x1b[2J\rREJECTED\u009b31m\b\x7f\x00\u202e88.88\u202c\u2066a\u2069\u200e\u061c\u200b\ufeff\u3164\ufe0f\u2028\u2029\U000e0041\ue000\ttab\nline"
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
		t.Run(name, func(t *testing.T) {
			value, err := encode()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text := []byte(allOf())
			record := &kgo.Record{Topic: "topic", Key: text, Value: value, Timestamp: time.UnixMilli(5),
				Headers: []kgo.RecordHeader{{Key: string(text), Value: text}, {Key: records.HeaderDeadReason, Value: text}, {Key: records.HeaderDeadError, Value: text}}}
			for _, format := range []output.Layout{output.Table, output.TSV, output.YAML, output.JSON} {
				var out bytes.Buffer
				kind := tail.DeadLetters
				if name == "result" {
					kind = tail.Results
				}
				p, err := tail.NewPrinter(output.New(&out, format, false), codec, kind)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Print(t.Context(), record); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				harmless(t, name, out.String())
				if format == output.JSON && !json.Valid(out.Bytes()) {
					t.Errorf("%s: no JSON any more: %s", name, out.Bytes())
				}
			}
		})
	}
}

func harmless(t *testing.T, name, out string) {
	t.Helper()
	if !strings.Contains(out, `\u202e`) {
		t.Errorf("%s: the text is not in it: %q", name, out)
	}
	if output.Escape(out) != out {
		t.Errorf("%s: a terminal would obey %q", name, out)
	}
}
