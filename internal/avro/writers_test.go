package avro_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/schemas"
)

// TestForeignWriters reads records whose schemas the Avro specification allows and that other
// tools write: types named like Avro's own, types without a namespace inside one that has it,
// further properties, logical types that do not fit, and no enums. Each is one event.
func TestForeignWriters(t *testing.T) {
	text, err := os.ReadFile("testdata/writers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			ID     string
			Schema json.RawMessage `json:"writer_schema"`
			Record string          `json:"record_hex"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	reader := avro.MustCodec(orderEventSchema(t))
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			writer, err := avro.NewCodec(string(c.Schema))
			if err != nil {
				t.Fatal(err)
			}
			b, err := hex.DecodeString(c.Record)
			if err != nil {
				t.Fatal(err)
			}
			got, err := writer.DecodeAs(reader, b)
			if err != nil {
				t.Fatal(err)
			}
			total, _ := got["total"].(map[string]any)
			if got["order_no"] != "R_1" || got["event_type"] != "CREATED" || total["minor"] != int64(8800) || total["currency"] != "CNY" {
				t.Errorf("got %v, %v, %v; want R_1, CREATED, 8800 CNY", got["order_no"], got["event_type"], total)
			}
		})
	}
}

func orderEventSchema(t *testing.T) string {
	t.Helper()
	b, err := schemas.FS.ReadFile("order_event.avsc")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
