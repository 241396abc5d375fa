package avro_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	oracle "github.com/twmb/avro"

	"alipay-kafka-bridge/internal/avro"
)

// model is a schema as JSON values, which a test can change anywhere.
type model = map[string]any

// evolver writes random schemas, changes them as producers do, and writes records for them.
type evolver struct {
	*rand.Rand
	names int
}

func (e *evolver) name() string {
	e.names++
	return fmt.Sprintf("N%d", e.names)
}

func (e *evolver) record(depth int) model {
	m := model{"type": "record", "name": e.name(), "namespace": "shop"}
	var fields []any
	for i := range 1 + e.IntN(4) {
		fields = append(fields, model{"name": fmt.Sprintf("f%d", i), "type": e.typ(depth - 1)})
	}
	m["fields"] = fields
	return m
}

func (e *evolver) typ(depth int) any {
	simple := []string{"boolean", "int", "long", "float", "double", "bytes", "string"}
	choice := e.IntN(15)
	if depth <= 0 {
		choice = e.IntN(9)
	}
	switch choice {
	case 0, 1, 2, 3, 4, 5, 6:
		return simple[choice]
	case 7:
		return model{"type": "long", "logicalType": "timestamp-millis"}
	case 8:
		return model{"type": "enum", "name": e.name(), "symbols": []any{"U", "A", "B"}, "default": "U"}
	case 9:
		return model{"type": "fixed", "name": e.name(), "size": 1 + e.IntN(3)}
	case 10:
		return model{"type": "array", "items": e.typ(depth - 1)}
	case 11:
		return model{"type": "map", "values": e.typ(depth - 1)}
	case 12, 13:
		return []any{"null", []any{"string", "int", "long", e.record(depth - 1)}[e.IntN(4)]}
	}
	return e.record(depth - 1)
}

// value returns a random value of a type, in the form that [avro.Codec.Encode] takes.
func (e *evolver) value(typ any) any {
	switch t := typ.(type) {
	case []any:
		return e.value(t[e.IntN(len(t))])
	case model:
		return e.complex(t)
	}
	switch typ {
	case "boolean":
		return e.IntN(2) == 0
	case "int":
		return []int64{0, -1, math.MaxInt32, int64(e.IntN(1000))}[e.IntN(4)]
	case "long":
		return []int64{0, -1, math.MaxInt64, 1<<53 + 1, int64(e.IntN(1 << 40))}[e.IntN(5)]
	case "float":
		return float64(float32(e.NormFloat64()))
	case "double":
		return e.NormFloat64()
	case "bytes":
		return [][]byte{{}, []byte("text"), {0xff}}[e.IntN(3)]
	case "string":
		return []string{"", "text", "\u4e2d"}[e.IntN(3)]
	}
	return nil
}

func (e *evolver) complex(t model) any {
	switch t["type"] {
	case "record":
		v := map[string]any{}
		for _, f := range t["fields"].([]any) {
			v[f.(model)["name"].(string)] = e.value(f.(model)["type"])
		}
		return v
	case "enum":
		symbols := t["symbols"].([]any)
		return symbols[e.IntN(len(symbols))]
	case "fixed":
		return make([]byte, t["size"].(int))
	case "array":
		v := []any{}
		for range e.IntN(3) {
			v = append(v, e.value(t["items"]))
		}
		return v
	case "map":
		v := map[string]any{}
		for i := range e.IntN(3) {
			v[fmt.Sprintf("k%d", i)] = e.value(t["values"])
		}
		return v
	}
	return time.UnixMilli(int64(e.IntN(1 << 40))).UTC() // timestamp-millis
}

// evolve returns another version of a type: each part changes with a small chance.
func (e *evolver) evolve(typ any) any {
	if e.IntN(12) == 0 {
		return []any{"null", withoutNull(typ)}
	}
	switch t := typ.(type) {
	case []any:
		switch e.IntN(6) {
		case 0:
			return e.evolve(t[1])
		case 1:
			return []any{"null", model{"type": "enum", "name": e.name(), "symbols": []any{"U"}}, withoutNull(e.evolve(t[1]))}
		}
		return []any{"null", withoutNull(e.evolve(t[1]))}
	case model:
		return e.evolveComplex(t)
	}
	wider := map[any][]any{"int": {"long", "float", "double", model{"type": "long", "logicalType": "timestamp-millis"}}, "long": {"float", "double",
		model{"type": "long", "logicalType": "timestamp-millis"}, "int"}, "float": {"double"}, "string": {"bytes"}, "bytes": {"string"}}
	if choices := wider[typ]; choices != nil && e.IntN(5) == 0 {
		return choices[e.IntN(len(choices))]
	}
	return typ
}

// withoutNull is what a union may have as well as null.
func withoutNull(typ any) any {
	if union, ok := typ.([]any); ok {
		return union[len(union)-1]
	}
	return typ
}

func (e *evolver) evolveComplex(t model) any {
	next := model{}
	for k, v := range t {
		next[k] = v
	}
	if _, named := t["name"]; named && e.IntN(20) == 0 {
		next["name"] = "M" + t["name"].(string)
		if e.IntN(2) == 0 {
			next["aliases"] = []any{t["name"]}
		}
	}
	switch t["type"] {
	case "record":
		next["namespace"] = "bridge"
		next["fields"] = e.evolveFields(t["fields"].([]any))
	case "enum":
		if e.IntN(4) == 0 {
			next["symbols"] = []any{"U", "A", "C"}
			if e.IntN(2) == 0 {
				delete(next, "default")
			}
		}
	case "fixed":
		next["size"] = t["size"].(int) + e.IntN(20)/19
	case "array":
		next["items"] = e.evolve(t["items"])
	case "map":
		next["values"] = e.evolve(t["values"])
	case "long":
		if e.IntN(6) == 0 {
			return "long"
		}
	}
	return next
}

func (e *evolver) evolveFields(fields []any) []any {
	var next []any
	for _, f := range fields {
		f := model{"name": f.(model)["name"], "type": e.evolve(f.(model)["type"])}
		switch e.IntN(12) {
		case 0:
			continue // the reader does not want it
		case 1:
			f["aliases"] = []any{f["name"]}
			f["name"] = f["name"].(string) + "x"
		}
		next = append(next, f)
	}
	for _, added := range []model{
		{"name": "n1", "type": "long", "default": 7}, {"name": "n2", "type": []any{"null", "string"}, "default": nil},
		{"name": "n3", "type": model{"type": "map", "values": "string"}, "default": model{"k": "v"}}, {"name": "n4", "type": "string"},
		{"name": "n5", "type": "bytes", "default": "\u00ff"}, {"name": "n6", "type": "float", "default": 0.5},
	} {
		if e.IntN(30) == 0 {
			next = append(next, added)
		}
	}
	if next == nil {
		return fields // a record of no fields takes no bytes, which a list of them may not
	}
	e.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
	return next
}

// ours are the differences to the other implementation that we want, by what our error, or
// our strict check, says of them.
var ours = map[string]string{
	// They refuse a pair for what a record may hold, we a record for what it holds.
	"the reader has no branch for": "a branch that the reader does not have",
	"not written":                  "a branch that the reader cannot take, and no record holds",
	"written as ":                  "a branch that the reader cannot take, and no record holds",
	"written as null":              "null is an absent field, or no record holds it",
	"the reader has neither":       "a symbol that the reader does not have",
	"written as shop.":             "nested types of other names",
	"written as N":                 "nested types of other names",
	// They read what is not what was written.
	"a number would lose a digit": "a number would lose a digit",
	"text is not UTF-8":           "bytes that are no text",
}

func explanation(why string) string {
	longest := ""
	for part := range ours {
		if strings.Contains(why, part) && len(part) > len(longest) {
			longest = part
		}
	}
	return ours[longest]
}

// Records of older and newer writers read as another implementation reads them; where not,
// the difference has a name.
func TestProjectionAgreesWithAnotherResolution(t *testing.T) {
	pairs := 20_000
	if testing.Short() {
		pairs = 2_000
	}
	e := &evolver{Rand: rand.New(rand.NewPCG(5, 6))}
	seen := map[string]int{}
	for range pairs {
		e.names = 0
		from := e.record(4)
		to := e.evolve(from)
		if union, ok := to.([]any); ok {
			to = union[1]
		}
		seen[project(t, e, from, to.(model))]++
	}
	t.Logf("of %d pairs: %v", pairs, seen)
	for _, must := range []string{"equal", "both refuse", "a branch that the reader does not have", "a symbol that the reader does not have",
		"null is an absent field, or no record holds it", "nested types of other names", "a number would lose a digit", "bytes that are no text"} {
		if seen[must] == 0 {
			t.Errorf("nothing seen of: %s", must)
		}
	}
	if seen["equal"] < pairs/4 {
		t.Errorf("only %d records were read by both", seen["equal"])
	}
}

// project reads one record both ways and names what came of it.
func project(t *testing.T, e *evolver, from, to model) string {
	t.Helper()
	writerText, readerText := string(mustJSON(from)), string(mustJSON(to))
	writer, reader := avro.MustCodec(writerText), avro.MustCodec(readerText)
	b, err := encode(writer, nil, e.value(from).(map[string]any))
	if err != nil {
		t.Fatalf("%s: %v", writerText, err)
	}
	got, err := writer.DecodeAs(reader, b)
	var want map[string]any
	pair, errTheirs := resolve(writerText, readerText, b, &want)
	problems, errOurs := avro.Problems(readerText, writerText)
	if errOurs != nil || pair != (len(problems) == 0) {
		t.Fatalf("writer %s\nreader %s\nstrictly: %v, %v; they: %v", writerText, readerText, problems, errOurs, errTheirs)
	}
	switch {
	case err == nil && errTheirs == nil:
		if got, want := asJSON(t, got), asJSON(t, want); got != want {
			t.Fatalf("writer %s\nreader %s\n%x\ngot  %s\nwant %s", writerText, readerText, b, got, want)
		}
		if _, err := encode(reader, nil, got); err != nil {
			t.Fatalf("writer %s\nreader %s\n%x: no record of the reader's: %v", writerText, readerText, b, err)
		}
		return "equal"
	case err != nil && errTheirs != nil:
		return "both refuse"
	}
	why := fmt.Sprint(err)
	if err == nil {
		why = fmt.Sprint(problems)
	}
	name := explanation(why)
	if name == "" {
		t.Fatalf("writer %s\nreader %s\n%x\nwe: %v\nthey: %v\nno name for: %s", writerText, readerText, b, err, errTheirs, why)
	}
	return name
}

// resolve reads a record as the other implementation does, and says whether it takes the
// pair of schemas at all.
func resolve(writer, reader string, b []byte, into *map[string]any) (pair bool, err error) {
	s, err := oracle.Resolve(oracle.MustParse(writer), oracle.MustParse(reader))
	if err != nil {
		return false, err
	}
	_, err = s.Decode(b, into)
	return true, err
}
