package order_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	oracle "github.com/twmb/avro"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/schemas"
)

func roundTrip[T any](t *testing.T, schema string,
	encode func(context.Context, string, T) ([]byte, error), decode func(context.Context, string, []byte) (T, error)) {
	t.Helper()
	for name, want := range map[string]T{"full": filled[T](), "empty": *new(T)} {
		value, err := encode(t.Context(), "topic", want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "full" {
			checkNoDefaults(t, schema, value)
		}
		got, err := decode(t.Context(), "topic", value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "full" && !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

// checkNoDefaults fails for a field of the schema that still has its default although every
// field of the Go type was set: no one writes it.
func checkNoDefaults(t *testing.T, schema string, value []byte) {
	t.Helper()
	_, text, err := codec(t).JSON(t.Context(), "topic", value)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Fields []struct {
			Name    string
			Default any
		}
	}
	if err := json.Unmarshal([]byte(schema), &parsed); err != nil {
		t.Fatal(err)
	}
	for _, f := range parsed.Fields {
		if f.Default != nil && reflect.DeepEqual(got[f.Name], f.Default) || got[f.Name] == nil {
			t.Errorf("%s is never written", f.Name)
		}
	}
}

func TestEveryRecordComesBackAsItWas(t *testing.T) {
	shown, err := order.NewMasker(order.MaskOptions{Clear: map[string][]string{"topic": order.MaskedFields()}})
	if err != nil {
		t.Fatal(err)
	}
	c := codec(t).WithMasker(shown)
	t.Run("event", func(t *testing.T) { roundTrip(t, schemas.OrderEvent, c.EncodeEvent, c.DecodeEvent) })
	t.Run("result", func(t *testing.T) { roundTrip(t, schemas.CallResult, c.EncodeResult, c.DecodeResult) })
	t.Run("snapshot", func(t *testing.T) { roundTrip(t, schemas.TradeSnapshot, c.EncodeSnapshot, c.DecodeSnapshot) })
	t.Run("observation", func(t *testing.T) {
		roundTrip(t, schemas.TradeObservation, c.EncodeObservation, c.DecodeObservation)
	})
	t.Run("journal", func(t *testing.T) { roundTrip(t, schemas.JournalEntry, c.EncodeJournal, c.DecodeJournal) })
}

// writerOf encodes a record with a producer's own schema and gives back how we read it.
func writerOf(t *testing.T, schema string, record map[string]any) (order.Event, error) {
	t.Helper()
	registry, err := avro.NewFolder(folderWith(schema), 0)
	if err != nil {
		t.Fatal(err)
	}
	value, err := oracle.MustParse(schema).AppendEncode(avro.AppendFrame(nil, 77), record)
	if err != nil {
		t.Fatal(err)
	}
	return order.NewCodec(registry).DecodeEvent(t.Context(), "order-events", value)
}

// folderWith is a schema folder of one file.
func folderWith(schema string) fs.FS {
	return fstest.MapFS{
		"ids.json": {Data: []byte(`{"producer.avsc":77}`)}, "producer.avsc": {Data: []byte(schema)}}
}

// A producer has its own namespace, fewer fields, another order, and plain longs for times.
func TestProducersOwnSchema(t *testing.T) {
	got, err := writerOf(t, `{"type":"record","name":"OrderEvent","namespace":"com.shop.orders","fields":[
	 {"name":"order_no","type":"string"},{"name":"shop_internal","type":"double"},{"name":"event_id","type":"string"},
	 {"name":"event_type","type":{"type":"enum","name":"Kind","symbols":["CREATED","TELEPORTED"]}},
	 {"name":"occurred_at","type":"long"},
	 {"name":"total","type":{"type":"record","name":"Amount","fields":[{"name":"currency","type":"string"},{"name":"minor","type":"int"}]}},
	 {"name":"items","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"goods_id","type":"string"}]}}},
	 {"name":"buyer_user_id","type":["null","string"]}]}`,
		map[string]any{"order_no": "o", "shop_internal": 1.5, "event_id": "e", "event_type": "CREATED", "occurred_at": occurred.UnixMilli(),
			"total": map[string]any{"currency": "CNY", "minor": int64(5)}, "buyer_user_id": "b",
			"items": []any{map[string]any{"goods_id": "g"}}})
	want := order.Event{ID: "e", Type: order.TypeCreated, OccurredAt: occurred, OrderNo: "o", Channel: order.ChannelAccount,
		Total: cny(5), BuyerUserID: "b", Items: []order.Item{{GoodsID: "g", Quantity: 1}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

// An older bridge sees a newer symbol as UNKNOWN, which is never a call.
func TestNewerSymbolReadsAsUnknown(t *testing.T) {
	got, err := writerOf(t, `{"type":"record","name":"OrderEvent","fields":[
	 {"name":"event_id","type":"string"},{"name":"order_no","type":"string"},{"name":"occurred_at","type":"long"},
	 {"name":"event_type","type":{"type":"enum","name":"EventType","symbols":["TELEPORTED"]}},
	 {"name":"channel","type":{"type":"enum","name":"Channel","symbols":["MOON"]}}]}`,
		map[string]any{"event_id": "e", "order_no": "o", "occurred_at": int64(5), "event_type": "TELEPORTED", "channel": "MOON"})
	if err != nil || got.Type != order.TypeUnknown || got.Channel != order.ChannelUnknown {
		t.Errorf("type %s, channel %s, %v", got.Type, got.Channel, err)
	}
}

func TestWrongTypesAreUndecodable(t *testing.T) {
	for name, tt := range map[string]struct {
		field string // in the place of ours
		value any
	}{
		"money as a float": {`{"name":"total","type":"double"}`, 0.5},
		"a number as text": {`{"name":"order_version","type":"string"}`, "1"},
		"text as a number": {`{"name":"order_no","type":"long"}`, int64(1)},
		"minor as a float": {`{"name":"total","type":{"type":"record","name":"Money","fields":[{"name":"minor","type":"double"},{"name":"currency","type":"string"}]}}`,
			map[string]any{"minor": 0.5, "currency": "CNY"}},
		"time as text":         {`{"name":"occurred_at","type":"string"}`, "2026-01-01"},
		"items as text":        {`{"name":"items","type":"string"}`, "x"},
		"a receiver as a list": {`{"name":"receiver","type":{"type":"array","items":"string"}}`, []any{"x"}},
		"no event id":          {`{"name":"event_id","type":["null","string"]}`, nil},
	} {
		var field struct{ Name string }
		if err := json.Unmarshal([]byte(tt.field), &field); err != nil {
			t.Fatal(err)
		}
		fields := []string{tt.field}
		record := map[string]any{field.Name: tt.value}
		for required, value := range map[string]any{"event_id": "e", "event_type": "PAID", "order_no": "o", "occurred_at": int64(5)} {
			if required == field.Name {
				continue
			}
			typ := map[string]string{"event_type": `{"type":"enum","name":"T","symbols":["PAID"]}`, "occurred_at": `"long"`}[required]
			fields = append(fields, `{"name":"`+required+`","type":`+cmp.Or(typ, `"string"`)+`}`)
			record[required] = value
		}
		_, err := writerOf(t, `{"type":"record","name":"OrderEvent","fields":[`+strings.Join(fields, ",")+`]}`, record)
		if reason, final := order.IsUndecodable(err); !final || reason != avro.ReasonUndecodable || !strings.Contains(err.Error(), field.Name) {
			t.Errorf("%s: got %v, want undecodable, and %s named", name, err, field.Name)
		}
	}
}

func TestAnotherRecordTypeIsUndecodable(t *testing.T) {
	c := codec(t)
	value, err := c.EncodeResult(t.Context(), "order-events", order.Result{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.DecodeEvent(t.Context(), "order-events", value)
	if _, final := order.IsUndecodable(err); !final {
		t.Errorf("got %v, want undecodable", err)
	}
	if _, final := order.IsUndecodable(context.Canceled); final {
		t.Error("any error counts as final")
	}
}

func TestEventFromJSON(t *testing.T) {
	c := codec(t)
	got, err := c.EventFromJSON([]byte(`{"event_id":"e","event_type":"PAID","occurred_at":"2023-11-14T22:13:20.123Z","order_no":"o",
	 "channel":"HK","total":{"minor":10800,"currency":"HKD"}}`))
	want := order.Event{ID: "e", Type: order.TypePaid, OccurredAt: occurred, OrderNo: "o", Channel: order.ChannelHK, Total: hkd(10800)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := c.EventFromJSON([]byte(`{"event_id":"e","total":{"minor":0.5}}`)); err == nil {
		t.Error("half a fen was taken")
	}
	value, err := c.EncodeEvent(t.Context(), "order-events", want)
	if err != nil {
		t.Fatal(err)
	}
	name, text, err := c.JSON(t.Context(), "order-events", value)
	if err != nil || name != "OrderEvent" || !strings.HasPrefix(string(text), `{"event_id":"e","event_type":"PAID","occurred_at":"2023-11-14T22:13:20.123Z"`) {
		t.Errorf("%s %s, %v", name, text, err)
	}
}
