package check

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/avro/writers"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/schemas"
)

// fullTransitive is the compatibility that the contract requires for each subject (DESIGN.md,
// "Records").
const fullTransitive = "FULL_TRANSITIVE"

// Which side cannot read the records of the other.
const (
	bridgeReads = "the bridge cannot read it"
	othersRead  = "its readers cannot read the bridge's schema"
)

// SchemaFinding is a field, or a whole schema, that breaks the contract.
type SchemaFinding struct {
	Where  string   `json:"where"` // file, or topic and version
	Record string   `json:"record,omitempty"`
	Field  string   `json:"field,omitempty"` // path, e.g. items[].price; empty: the whole schema
	What   string   `json:"what"`
	Why    string   `json:"why"`
	Calls  []string `json:"calls,omitempty"` // the Alipay calls that lose the value, and where
}

// String is one line for people.
func (f SchemaFinding) String() string {
	s := f.Where + ": " + f.What + ": "
	if f.Field != "" {
		s += f.Field + ": "
	}
	s += f.Why
	if len(f.Calls) > 0 {
		s += "; breaks " + strings.Join(f.Calls, ", ")
	}
	return s
}

// schemaNote is a field that a producer does not write. This is not a fault, but a value stays empty.
type schemaNote struct {
	Where string   `json:"where"`
	Field string   `json:"field"`
	Calls []string `json:"calls"`
}

// SchemaReport has what breaks the contract, and the fields that a producer does not write.
type SchemaReport struct {
	Findings   []SchemaFinding `json:"findings"`
	NotWritten []schemaNote    `json:"not_written,omitempty"`
	Notes      []string        `json:"notes,omitempty"` // what does not stop the bridge from reading an input
}

// Count is how many findings there are.
func (f SchemaReport) Count() int { return len(f.Findings) }

// Text has one line for each note and each finding.
func (f SchemaReport) Text() string {
	var notes, findings []string
	byPlace := map[string][]schemaNote{}
	for _, n := range f.NotWritten {
		byPlace[n.Where] = append(byPlace[n.Where], n)
	}
	for _, where := range slices.Sorted(maps.Keys(byPlace)) {
		notes = append(notes, notWrittenText(where, byPlace[where]))
	}
	notes = append(notes, f.Notes...)
	for _, found := range f.Findings {
		findings = append(findings, found.String())
	}
	return lines(notes, findings)
}

// maxNamed is how many fields that are not written have a name in a line for people.
const maxNamed = 5

// notWrittenText is one line for a schema, however many fields it lacks: most are optional.
func notWrittenText(where string, notes []schemaNote) string {
	if len(notes) == 1 {
		return fmt.Sprintf("%s: %s is not written; these stay empty: %s", where, notes[0].Field, strings.Join(notes[0].Calls, ", "))
	}
	var fields []string
	for _, n := range notes[:min(len(notes), maxNamed)] {
		fields = append(fields, n.Field)
	}
	more := ""
	if len(notes) > maxNamed {
		more = ", ..."
	}
	return fmt.Sprintf("%s: %d fields are not written and stay empty in calls: %s%s (-o json lists them with their calls)", where, len(notes), strings.Join(fields, ", "), more)
}

// judge compares a schema of others with ours, in both directions if both sides may write.
func (f *SchemaReport) judge(where string, ours schemas.Schema, theirs string, bothWays bool) error {
	fields, err := schemas.Fields(ours.Text)
	if err != nil {
		return err
	}
	if isInput(ours) {
		problems, err := avro.Unreadable(writers.Rules{}, ours.Text, theirs)
		if err != nil {
			return err
		}
		f.judgeInput(where, fields, problems, theirs)
		return nil
	}
	directions := []struct{ what, reader, writer string }{{othersRead, theirs, ours.Text}}
	if bothWays {
		directions = append(directions, struct{ what, reader, writer string }{bridgeReads, ours.Text, theirs})
	}
	for _, d := range directions {
		problems, err := avro.Problems(d.reader, d.writer)
		if err != nil {
			return err
		}
		for _, p := range problems {
			f.Findings = append(f.Findings, SchemaFinding{Where: where, Record: ours.Name, Field: p.Field, What: d.what, Why: p.Why})
		}
	}
	return nil
}

// isInput reports whether others write the records and the bridge reads them.
func isInput(s schemas.Schema) bool { return s.Name == "OrderEvent" }

// judgeInput reports why the bridge cannot read a producer's records: problems are those of run.
// Whether others can read the bridge's schema is only noted, since the bridge does not write there.
func (f *SchemaReport) judgeInput(where string, fields map[string]schemas.Field, problems []avro.Problem, theirs string) {
	for _, p := range problems {
		f.Findings = append(f.Findings, SchemaFinding{Where: where, Record: "OrderEvent", Field: p.Field, What: bridgeReads, Why: p.Why, Calls: callsOf(fields, p.Field)})
	}
	others, err := avro.Problems(theirs, schemas.OrderEvent)
	for i, p := range others {
		if i == maxNotes {
			f.Notes = append(f.Notes, fmt.Sprintf("%s: %s: %d more", where, othersRead, len(others)-i))
			break
		}
		f.Notes = append(f.Notes, SchemaFinding{Where: where, Field: p.Field, What: othersRead, Why: p.Why}.String())
	}
	if err == nil {
		f.notWritten(where, fields, theirs)
	}
}

// maxNotes is how many notes of one kind are printed for a schema.
const maxNotes = 5

// callsOf names the calls that lose the value of a field: its own calls, or those of the field that
// contains it. A field that is not sent itself decides about all calls.
func callsOf(fields map[string]schemas.Field, path string) []string {
	for ; path != ""; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		if found := fields[path].Places; len(found) > 0 {
			return placeNames(found)
		}
	}
	return []string{"every call"}
}

func placeNames(places []schemas.Place) []string {
	out := make([]string, len(places))
	for i, p := range places {
		out[i] = p.String()
	}
	return out
}

// notWritten notes fields of calls that the schema of a producer does not have.
func (f *SchemaReport) notWritten(where string, ours map[string]schemas.Field, theirs string) {
	written, err := schemas.Fields(theirs)
	if err != nil {
		return // reported already: the schema was refused
	}
	for _, path := range slices.Sorted(maps.Keys(ours)) {
		_, has := written[path]
		parent := path[:max(strings.LastIndexByte(path, '.'), 0)]
		_, hasParent := written[strings.TrimSuffix(parent, "[]")]
		if !has && len(ours[path].Places) > 0 && (parent == "" || hasParent) {
			f.NotWritten = append(f.NotWritten, schemaNote{where, path, placeNames(ours[path].Places)})
		}
	}
}

// SchemaFolder judges the files of a producer or reader, without the network.
func SchemaFolder(dir string) (SchemaReport, error) {
	f := SchemaReport{Findings: []SchemaFinding{}}
	judged := 0
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".avsc" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		ours, err := ownSchema(string(text))
		if err != nil {
			judged++
			f.Findings = append(f.Findings, SchemaFinding{Where: path, What: "the bridge refuses it", Why: err.Error()})
		}
		if err != nil || ours.Name == "" {
			return nil
		}
		judged++
		return f.judge(path, ours, string(text), false)
	})
	if err == nil && judged == 0 {
		err = fmt.Errorf("%s: no .avsc file has a record of the bridge; bridge schemas list shows its records", dir)
	}
	return f, err
}

// ownSchema returns our schema with the same unqualified name, or none for records that are not ours.
func ownSchema(text string) (schemas.Schema, error) {
	codec, err := avro.NewCodec(text)
	if err != nil {
		return schemas.Schema{}, err
	}
	for _, s := range schemas.All() {
		if s.Name == codec.Name() {
			return s, nil
		}
	}
	return schemas.Schema{}, nil
}

// SchemaOf returns the contract's schema with this text.
func SchemaOf(text string) schemas.Schema {
	all := schemas.All()
	return all[slices.IndexFunc(all, func(s schemas.Schema) bool { return s.Text == text })]
}

// SchemaRegistry judges all versions of the schemas of all topics.
func SchemaRegistry(ctx context.Context, registry *avro.Registry, topics []kafka.Topic) (SchemaReport, error) {
	f := SchemaReport{Findings: []SchemaFinding{}}
	for _, t := range topics {
		h, err := registry.History(ctx, t.Name)
		if err != nil {
			return f, err
		}
		if len(h.Versions) == 0 {
			f.Findings = append(f.Findings, SchemaFinding{Where: t.Name, What: "no schema is registered", Why: "run bridge schemas register"})
			continue
		}
		if h.Level != fullTransitive && isInput(SchemaOf(t.Schema)) {
			f.Notes = append(f.Notes, fmt.Sprintf("%s: compatibility is %s, so a producer may drop fields; %s is safer", t.Name, cmp.Or(h.Level, "not set"), fullTransitive))
		} else if h.Level != fullTransitive {
			f.Findings = append(f.Findings, SchemaFinding{Where: t.Name, What: "compatibility is " + cmp.Or(h.Level, "not set"),
				Why: "bridge schemas register sets it to " + fullTransitive})
		}
		for _, v := range h.Versions {
			where, ours := fmt.Sprintf("%s version %d", t.Name, v.Number), SchemaOf(t.Schema)
			if !isInput(ours) {
				f.judgeVersion(where, ours, v)
				continue
			}
			problems, err := registry.Unreadable(ctx, t.Name, ours.Text, v.ID)
			if err != nil {
				return f, err
			}
			fields, err := schemas.Fields(ours.Text)
			if err != nil {
				return f, err
			}
			f.judgeInput(where, fields, problems, v.Schema)
		}
	}
	return f, nil
}

func (f *SchemaReport) judgeVersion(where string, ours schemas.Schema, v avro.Version) {
	theirs, err := ownSchema(v.Schema)
	if err == nil && theirs.Name != ours.Name {
		err = fmt.Errorf("it is not a schema of %s", ours.Name)
	}
	if err == nil {
		err = f.judge(where, ours, v.Schema, true)
	}
	if err != nil {
		f.Findings = append(f.Findings, SchemaFinding{Where: where, Record: ours.Name, What: "the bridge refuses it", Why: err.Error()})
	}
}
