package avro_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// A producer in Python has its own namespace, fields more and less, another order. Its records
// were written by fastavro (testdata/producer.py).
func TestRecordsOfAPythonProducer(t *testing.T) {
	text, err := os.ReadFile("testdata/fastavro.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Fastavro string
		Records  []struct{ Name, Schema, Hex string }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	differs := map[string]map[string]any{
		"a newer symbol":         {"event_type": "UNKNOWN"},
		"plain longs and an int": {"order_version": int64(7)},
		"null for no text":       {"subject": ""},
	}
	reader := avro.MustCodec(schemas.OrderEvent)
	money := map[string]any{"minor": int64(8888), "currency": "CNY"}
	for _, r := range file.Records {
		t.Run(r.Name, func(t *testing.T) {
			b, err := hex.DecodeString(r.Hex)
			if err != nil {
				t.Fatal(err)
			}
			got, err := avro.MustCodec(r.Schema).DecodeAs(reader, b)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"event_id": "0d1c7f2e-1111-4222-8333-444455556666", "event_type": "CREATED", "order_no": "o_1", "order_version": int64(0),
				"occurred_at": time.UnixMilli(1700000000123).UTC(), "total": money, "subject": "\u8336", "channel": "ACCOUNT", "settle_period_time": ""}
			for name, value := range differs[r.Name] {
				want[name] = value
			}
			for name, value := range want {
				if !reflect.DeepEqual(got[name], value) {
					t.Errorf("%s = %v, want %v", name, got[name], value)
				}
			}
			items, _ := got["items"].([]any)
			if len(items) != 1 || !reflect.DeepEqual(items[0].(map[string]any)["price"], money) || items[0].(map[string]any)["quantity"] != int64(1) {
				t.Errorf("items = %v", got["items"])
			}
			if _, there := got["shop_note"]; there {
				t.Error("a field of the producer's alone came through")
			}
		})
	}
}
