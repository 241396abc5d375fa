// Package writers says which producers' records an input topic accepts, and recognises formats that are
// not read.
package writers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Subject strategies: under which subject writers list the schemas of a topic's values. Anything else is
// the name of a subject.
const (
	SubjectTopic       = "topic"        // TopicNameStrategy: <topic>-value
	SubjectRecord      = "record"       // RecordNameStrategy: the full name of the record
	SubjectTopicRecord = "topic-record" // TopicRecordNameStrategy: <topic>-<full name>
)

// AnyRecord, as the only name of [Rules.Records], accepts every record whose fields fit.
const AnyRecord = "any"

// Rules say which schemas of others are accepted on a topic. The zero Rules accept records with
// the reader's name, under <topic>-value, with fields in the reader's letter case.
type Rules struct {
	Subject    string   // one of the Subject constants, or the name of a subject; empty: SubjectTopic
	Records    []string // names of records, with or without namespace, or AnyRecord; empty: the reader's
	IgnoreCase bool     // field names may have other letter case
}

// Check returns an error unless a record of this full name is read as the reader's.
func (r Rules) Check(reader, writer string) error {
	wanted := r.Records
	if len(wanted) == 0 {
		wanted = []string{short(reader)}
	}
	if wanted[0] == AnyRecord || slices.Contains(wanted, writer) || slices.Contains(wanted, short(writer)) {
		return nil
	}
	return fmt.Errorf("a record of type %.80q, want %s; see records of the topic in the settings", writer, strings.Join(wanted, " or "))
}

// short is a name without its namespace.
func short(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// SubjectOf returns the subject under which the topic's writers list a schema. The record matters for two
// strategies only.
func (r Rules) SubjectOf(topic, schema string) string {
	switch r.Subject {
	case "", SubjectTopic:
		return topic + "-value"
	case SubjectRecord:
		return recordName(schema)
	case SubjectTopicRecord:
		return topic + "-" + recordName(schema)
	}
	return r.Subject
}

// recordName returns the full name of a schema's record; empty if it has none.
func recordName(schema string) string {
	var s map[string]any // unlike a structure, it does not take "Name" for "name"
	if json.Unmarshal([]byte(schema), &s) != nil {
		return ""
	}
	name, _ := s["name"].(string)
	namespace, _ := s["namespace"].(string)
	if namespace != "" && !strings.Contains(name, ".") {
		name = namespace + "." + name
	}
	return strings.TrimPrefix(name, ".")
}

// Subjects returns where the topic's schemas are looked for, without knowing one.
func (r Rules) Subjects(topic string) ([]string, error) {
	if r.Subject != SubjectRecord && r.Subject != SubjectTopicRecord {
		return []string{r.SubjectOf(topic, "")}, nil
	}
	var subjects []string
	for _, name := range r.Records {
		if name != AnyRecord {
			subjects = append(subjects, r.SubjectOf(topic, fmt.Sprintf(`{"name":%q}`, name)))
		}
	}
	if len(subjects) == 0 {
		return nil, fmt.Errorf("topic %s: its subjects are named after its records; list their full names under records in the settings", topic)
	}
	return subjects, nil
}

// Describe names the format of a value that has no frame, so that its producer finds the setting.
func Describe(value []byte) string {
	switch text := bytes.TrimSpace(bytes.TrimPrefix(value, []byte("\ufeff"))); {
	case len(value) >= 9 && value[0] == 0:
		return "; are the ids of 8 bytes (Apicurio's default)? Write ids of 4 bytes (apicurio.registry.id-handler Legacy4ByteIdHandler)"
	case len(value) == 0:
		return "; the value is empty"
	case bytes.HasPrefix(value, []byte{0xC3, 0x01}):
		return "; this is Avro's single-object encoding (C3 01), which has no id of a registry"
	case bytes.HasPrefix(value, []byte{3, 0}) || bytes.HasPrefix(value, []byte{3, 5}):
		return "; this looks like the header of AWS Glue, whose ids are UUIDs; use a serializer of a registry with Confluent's API"
	case bytes.HasPrefix(value, []byte("Obj\x01")):
		return "; this is a file of Avro, with its schema in front"
	case value[0] == 1:
		return "; magic byte 1 is another version of the frame"
	case len(text) > 0 && (text[0] == '{' || text[0] == '['):
		return "; this looks like plain JSON: use Avro with a schema registry (bridge send reads JSON lines)"
	case len(text) > 1 && text[0] == '"':
		return "; this looks like a JSON text: use Avro with a schema registry"
	}
	return "; the value begins with " + fmt.Sprintf("%x", value[:min(len(value), 5)])
}
