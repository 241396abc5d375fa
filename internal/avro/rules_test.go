package avro_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/avro/writers"
)

// ksqlRecord is a schema as ksqlDB writes it: its own name, capitals, all nullable, no enums.
const ksqlRecord = `{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[
	{"name":"EVENT_ID","type":["null","string"],"default":null},{"name":"KIND","type":["null","string"],"default":null},
	{"name":"TOTAL","type":["null",{"type":"record","name":"KsqlDataSourceSchema_TOTAL","fields":[{"name":"MINOR","type":["null","long"],"default":null}]}],"default":null}]}`

const ourRecord = `{"type":"record","name":"OrderEvent","namespace":"ours","fields":[{"name":"event_id","type":"string"},
	{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["UNKNOWN","CREATED"],"default":"UNKNOWN"}},
	{"name":"total","type":["null",{"type":"record","name":"Money","fields":[{"name":"minor","type":"long"}]}],"default":null}]}`

// What a topic's settings accept, and what the error says; schemas check says the same as reading.
func TestRulesOfATopic(t *testing.T) {
	ours := avro.MustCodec(ourRecord)
	for _, tt := range []struct {
		name  string
		rules writers.Rules
		text  string // the writer's schema
		want  string // of the error; empty: it is read
	}{
		{"no rules", writers.Rules{}, ksqlRecord, `a record of type "io.confluent.ksql.avro_schemas.KsqlDataSourceSchema", want OrderEvent; see records`},
		{"its name", writers.Rules{Records: []string{"KsqlDataSourceSchema"}, IgnoreCase: true}, ksqlRecord, ""},
		{"its full name", writers.Rules{Records: []string{"Other", "io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"}, IgnoreCase: true}, ksqlRecord, ""},
		{"another full name", writers.Rules{Records: []string{"other.KsqlDataSourceSchema"}, IgnoreCase: true}, ksqlRecord, "want other.KsqlDataSourceSchema"},
		{"any", writers.Rules{Records: []string{"any"}, IgnoreCase: true}, ksqlRecord, ""},
		{"any, but capitals", writers.Rules{Records: []string{"any"}}, ksqlRecord, "event_id: not written"},
		{"any, but the fields do not fit", writers.Rules{Records: []string{"any"}, IgnoreCase: true}, `{"type":"record","name":"User","fields":[{"name":"id","type":"long"}]}`, "event_id: not written"},
		{"two names that differ in case only", writers.Rules{IgnoreCase: true, Records: []string{"any"}},
			strings.Replace(ksqlRecord, `{"name":"KIND"`, `{"name":"Kind","type":"string"},{"name":"KIND"`, 1), "differ in letter case only"},
		{"the exact name wins", writers.Rules{IgnoreCase: true, Records: []string{"any"}},
			strings.Replace(ksqlRecord, `{"name":"KIND"`, `{"name":"kind","type":["null","string"]},{"name":"KIND"`, 1), ""},
		{"our name in their list is not implied", writers.Rules{Records: []string{"Order"}}, ourRecord, "want Order"},
		{"no namespace", writers.Rules{}, strings.Replace(ourRecord, `"namespace":"ours",`, "", 1), ""},
		{"an amount as text", writers.Rules{Records: []string{"any"}, IgnoreCase: true}, strings.Replace(ksqlRecord, `["null","long"]`, `["null","string"]`, 1), "minor: written as "},
		{"a schema that is refused", writers.Rules{}, `{"type":"record","name":"OrderEvent","fields":[{"name":"n","type":["null","OrderEvent"]}]}`, "schema_refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			problems, err := avro.Unreadable(tt.rules, ourRecord, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(problems); (len(problems) == 0) != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("schemas check: %s, want %q", got, tt.want)
			}
			dir := fstest.MapFS{"ids.json": {Data: []byte(`{"w.avsc":7}`)}, "w.avsc": {Data: []byte(tt.text)}}
			registry, err := avro.NewFolder(dir, 0)
			if tt.want == "schema_refused" {
				return // the folder refuses it
			}
			if err != nil {
				t.Fatal(err)
			}
			writer := avro.MustCodec(tt.text)
			record := map[string]any{"EVENT_ID": "e1", "KIND": "CREATED", "TOTAL": map[string]any{"MINOR": int64(5)}, "id": int64(1),
				"event_id": "e1", "kind": "CREATED", "Kind": "x", "total": map[string]any{"minor": int64(5)}}
			if tt.want == "minor: written as " {
				record["TOTAL"] = map[string]any{"MINOR": "5"}
			}
			for name := range record {
				if !strings.Contains(strings.ReplaceAll(tt.text, `"name":"Kind","symbols"`, ""), `"name":"`+name+`"`) {
					delete(record, name)
				}
			}
			b, err := encode(writer, avro.AppendFrame(nil, 7), record)
			if err != nil {
				t.Fatal(err)
			}
			err = registry.WithRules(map[string]writers.Rules{"in": tt.rules}).Read(t.Context(), "in", ours, b, func(got avro.Reader) {
				if total, ok := got.Record("total"); got.Text("event_id") != "e1" || got.Text("kind") != "CREATED" || !ok || total.Long("minor") != 5 {
					t.Errorf("read %v", got)
				}
			})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("reading: %v, want %q", err, tt.want)
			}
		})
	}
}

// Each subject strategy finds its schema and no other's.
func TestSubjectStrategies(t *testing.T) {
	const full = "io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"
	subjects := map[string]string{"topic": "in-value", "record": full, "topic-record": "in-" + full, "orders-of-shops": "orders-of-shops", "": "in-value"}
	ours := avro.MustCodec(ourRecord)
	for strategy := range subjects {
		for listed, subject := range subjects {
			t.Run(strategy+" listed as "+listed, func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *registryServer, r *avro.Registry) {
					s.set("1", schemaAnswer(ksqlRecord))
					s.listUnder(subject)
					r.WithRules(map[string]writers.Rules{"in": {Subject: strategy, Records: []string{"any"}, IgnoreCase: true}})
					value, err := encode(avro.MustCodec(ksqlRecord), avro.AppendFrame(nil, 1), map[string]any{"EVENT_ID": "e1", "KIND": "CREATED"})
					if err != nil {
						t.Fatal(err)
					}
					err = r.Read(t.Context(), "in", ours, value, func(avro.Reader) {})
					if want := subjects[strategy] == subject; (err == nil) != want {
						t.Errorf("err = %v, want read: %v", err, want)
					}
				})
			})
		}
	}
}

// Formats that are not read are named.
func TestOtherFormatsAreNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		value []byte
		want  string
	}{
		"plain JSON":             {[]byte(`{"event_id":"e1"}`), "plain JSON"},
		"JSON after a mark":      {[]byte("\ufeff [1]"), "plain JSON"},
		"single-object encoding": {[]byte{0xC3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 2}, "single-object encoding (C3 01)"},
		"AWS Glue":               {append([]byte{3, 0}, make([]byte, 17)...), "AWS Glue"},
		"AWS Glue, compressed":   {append([]byte{3, 5}, make([]byte, 17)...), "AWS Glue"},
		"ids of 8 bytes":         {append(binary.BigEndian.AppendUint64([]byte{0}, 42), 2), "8 bytes"},
		"a file":                 {[]byte("Obj\x01\x04"), "a file of Avro"},
		"nothing":                {nil, "empty"},
		"something else":         {[]byte{9, 8, 7}, "begins with 090807"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := avro.Unframe(tt.value); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
