package avro_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"alipay-kafka-bridge/internal/avro"
)

// Texts says of a record what Read says, whether both schemas are the same or one version apart.
func TestTexts(t *testing.T) {
	reader := avro.MustCodec(`{"type":"record","name":"R","fields":[{"name":"n","type":"long"},{"name":"a","type":"string","default":""},{"name":"b","aliases":["old"],"type":"string"}]}`)
	dir := fstest.MapFS{
		"ids.json": {Data: []byte(`{"r.avsc":1}`)}, "r.avsc": {Data: nil},
	}
	for name, tt := range map[string]struct {
		schema string
		record map[string]any
	}{
		"same schema": {reader.Schema(), map[string]any{"n": int64(1), "a": "x", "b": "y"}},
		"older, by its alias": {`{"type":"record","name":"R","namespace":"shop","fields":[{"name":"old","type":"string"},{"name":"n","type":"int"},{"name":"a","type":"string"}]}`,
			map[string]any{"old": "y", "n": int64(1), "a": "x"}},
	} {
		dir["r.avsc"].Data = []byte(tt.schema)
		registry, err := avro.NewFolder(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		value, err := encode(avro.MustCodec(tt.schema), avro.AppendFrame(nil, 1), tt.record)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := registry.Texts(t.Context(), "in", reader, value, "b", "a", "n")
		if err != nil || !slices.Equal(got, []string{"y", "x", ""}) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, _, err := registry.Texts(t.Context(), "in", reader, append(value, 0), "b"); err == nil {
			t.Errorf("%s: a byte too many is taken", name)
		}
	}
}
