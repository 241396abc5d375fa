package avro_test

import (
	"errors"
	"testing"
	"time"

	oracle "github.com/twmb/avro"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// FuzzValue feeds a whole Kafka value to the reading of order events: it ends as a record or
// as undecodable, never as anything else.
func FuzzValue(f *testing.F) {
	r, err := avro.NewFolder(schemas.FS, 0)
	if err != nil {
		f.Fatal(err)
	}
	good, err := r.Frame(f.Context(), "order-events", avro.MustCodec(schemas.OrderEvent), nil, func(w *avro.Writer) {
		w.Text("event_id", "e")
		w.Text("event_type", "CREATED")
		w.Time("occurred_at", time.UnixMilli(5))
		w.Text("order_no", "o")
		w.Records("items", 1, func(_ int, item *avro.Writer) { item.Text("goods_id", "g") })
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f})
	theirs := oracle.MustParse(schemas.OrderEvent)
	f.Fuzz(func(t *testing.T, value []byte) {
		var id string
		err := r.Read(t.Context(), "order-events", avro.MustCodec(schemas.OrderEvent), value, func(read avro.Reader) { id = read.Text("event_id") })
		var final *avro.UndecodableError
		if err != nil {
			if !errors.As(err, &final) {
				t.Fatalf("not final: %v", err)
			}
			return
		}
		var v map[string]any
		if _, err := theirs.Decode(value[5:], &v); err != nil {
			t.Fatalf("we read event %q, they say %v", id, err)
		}
	})
}

// FuzzSchema feeds a schema and bytes: what a producer may send, through a registry.
func FuzzSchema(f *testing.F) {
	f.Add(everything, []byte{1, 2, 3})
	f.Add(`{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`, []byte{2, 2, 2})
	f.Add(`{"type":"record","name":"N","fields":[{"name":"a","type":{"type":"array","items":{"type":"map","values":"int"}}}]}`, []byte{2, 2, 2, 'k', 2, 0, 0})
	f.Fuzz(func(t *testing.T, schema string, b []byte) {
		c, err := avro.NewCodec(schema)
		if err != nil {
			return
		}
		record, err := c.Decode(b)
		if err != nil {
			return
		}
		if _, err := c.AppendJSON(nil, record); err != nil && len(b) < 64 {
			t.Logf("no JSON for %v: %v", record, err) // NaN and infinity have none
		}
	})
}

// FuzzProjection reads what a producer of any schema may send as an order event: what comes
// of it is an order event, or undecodable.
func FuzzProjection(f *testing.F) {
	reader := avro.MustCodec(schemas.OrderEvent)
	f.Add(oneVersionApart(f), []byte{2, 2})
	f.Add(`{"type":"record","name":"OrderEvent","fields":[{"name":"event_id","type":["null","bytes"]},{"name":"order_no","type":"string"},
	 {"name":"event_type","type":{"type":"enum","name":"E","symbols":["X"]}},{"name":"occurred_at","type":"int"}]}`, []byte{2, 2, 'a', 0, 0, 2})
	f.Fuzz(func(t *testing.T, schema string, b []byte) {
		writer, err := avro.NewCodec(schema)
		if err != nil {
			return
		}
		record, err := writer.DecodeAs(reader, b)
		var final *avro.UndecodableError
		if err != nil {
			if !errors.As(err, &final) {
				t.Fatalf("not final: %v", err)
			}
			return
		}
		if _, err := encode(reader, nil, record); err != nil {
			t.Errorf("read, but no order event: %v", err)
		}
	})
}
