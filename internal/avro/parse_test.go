package avro_test

import (
	"testing"

	"alipay-kafka-bridge/internal/avro"
)

// TestLogicalTypesThatDoNotFit: the specification says to ignore them, not the schema.
func TestLogicalTypesThatDoNotFit(t *testing.T) {
	for name, typ := range map[string]string{
		"decimal of text precision":   `{"type":"bytes","logicalType":"decimal","precision":"10","scale":"2"}`,
		"decimal without precision":   `{"type":"bytes","logicalType":"decimal"}`,
		"decimal with too much scale": `{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}`,
		"decimal of a string":         `{"type":"string","logicalType":"decimal","precision":9,"scale":2}`,
		"fixed too small for it":      `{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":9}`,
		"timestamp of a string":       `{"type":"string","logicalType":"timestamp-millis"}`,
		"date of a long":              `{"type":"long","logicalType":"date"}`,
		"a number for its name":       `{"type":"long","logicalType":7}`,
		"unknown":                     `{"type":"long","logicalType":"fortnight"}`,
	} {
		t.Run(name, func(t *testing.T) {
			record := func(typ string) string {
				return `{"type":"record","name":"R","fields":[{"name":"f","type":` + typ + `}]}`
			}
			if _, err := avro.NewCodec(record(typ)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A date that is written as a long has no meaning as a date, so it is read as a plain number.
func TestIgnoredLogicalTypeIsAPlainNumber(t *testing.T) {
	writer := avro.MustCodec(`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"long","logicalType":"date"}}]}`)
	reader := avro.MustCodec(`{"type":"record","name":"R","fields":[{"name":"f","type":"long"}]}`)
	got, err := writer.DecodeAs(reader, []byte{14})
	if err != nil || got["f"] != int64(7) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"a symbol twice":                `{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"enum","name":"E","symbols":["A","A"]}}]}`,
		"a default that is no symbol":   `{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"enum","name":"E","symbols":["A"],"default":"B"}}]}`,
		"a name with a dash":            `{"type":"record","name":"my-record","fields":[]}`,
		"a primitive's name":            `{"type":"record","name":"string","fields":[]}`,
		"one name for two types":        `{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"enum","name":"R","symbols":["A"]}}]}`,
		"a type used inside itself":     `{"type":"record","name":"record","fields":[{"name":"f","type":["null","record"]}]}`,
		"a field named like its sister": `{"type":"record","name":"R","fields":[{"name":"f","type":"int"},{"name":"f","type":"int"}]}`,
		"only Type, not type":           `{"Type":"record","name":"R","fields":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := avro.NewCodec(text); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestTextForAnEnum: ksqlDB, Connect and others write text where the reader has an enum.
func TestTextForAnEnum(t *testing.T) {
	record := func(typ string) string {
		return `{"type":"record","name":"R","fields":[{"name":"f","type":` + typ + `}]}`
	}
	const enum, withDefault = `{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["A","OTHER"],"default":"OTHER"}`
	for _, tt := range []struct {
		name, writer, reader, bytes, want string
	}{
		{"a symbol", `"string"`, enum, "\x02B", "B"},
		{"in a union", `["null","string"]`, `["null",` + enum + `]`, "\x02\x02B", "B"},
		{"no symbol, with a default", `"string"`, withDefault, "\x02X", "OTHER"},
		{"no symbol", `"string"`, enum, "\x02X", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := avro.MustCodec(record(tt.writer)).DecodeAs(avro.MustCodec(record(tt.reader)), []byte(tt.bytes))
			if tt.want == "" {
				if err == nil {
					t.Errorf("got %v, want an error", got)
				}
				return
			}
			if err != nil || got["f"] != tt.want {
				t.Errorf("got %v, %v, want %s", got["f"], err, tt.want)
			}
		})
	}
	if avro.Readable(record(enum), record(`"string"`)) == nil {
		t.Error("a strict reader cannot read text as an enum")
	}
}
