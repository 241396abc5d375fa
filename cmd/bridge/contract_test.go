package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/explain"
	"alipay-kafka-bridge/internal/inspect"
	"alipay-kafka-bridge/internal/tail"
	"alipay-kafka-bridge/internal/timeline"
)

// contracts are what commands print as JSON, by the names of their schemas in docs/reference/cli.
var contracts = map[string]struct {
	title string
	value any
}{
	"accept":           {"bridge accept -o json", timeline.Decided{}},
	"erase":            {"bridge erase -o json", timeline.Decided{}},
	"order":            {"bridge order -o json", []timeline.Order{}},
	"audit":            {"bridge audit -o json", []auditAnswer{}},
	"check":            {"bridge check -o json", check.Report{}},
	"check-acls":       {"bridge check --acls -o json", []printedACL{}},
	"error":            {"an error of any command with -o json, on standard error", command.Failure{}},
	"explain":          {"bridge explain WORD -o json", []explain.Entry{}},
	"explain-kinds":    {"bridge explain -o json", []kindOf{}},
	"health":           {"bridge health -o json", probed{}},
	"inspect":          {"bridge inspect response, hk-response and notification with -o json", gateway.Explanation{}},
	"inspect-request":  {"bridge inspect request -o json", inspect.Planned{}},
	"schemas-check":    {"bridge schemas check -o json", check.SchemaReport{}},
	"schemas-list":     {"bridge schemas list -o json", []listed{}},
	"schemas-register": {"bridge schemas register -o json", []registered{}},
	"status":           {"bridge status -o json", []admin.Status{}},
	"stuck":            {"bridge stuck -o json", []stuckRow{}},
	"tail":             {"each line of bridge tail -o json", tail.Record{}},
	"version":          {"bridge version -o json", program{}},
	"topics-create":    {"bridge topics create -o json", []topicState{}},
}

// addedFields are what a method adds to the JSON of a type.
var addedFields = map[string]map[string]any{
	"Explanation": {"class": object{"type": "string", "description": "class of the answer, as results have it"}},
}

type object = map[string]any

// contract makes a JSON schema from a Go type. A strict one allows no other fields.
type contract struct {
	strict bool
	defs   object
	about  map[string]map[string]string // comments of fields, by type
}

func contractOf(t *testing.T, name string, strict bool) object {
	t.Helper()
	c := contract{strict, object{}, map[string]map[string]string{}}
	s := c.of(t, reflect.TypeOf(contracts[name].value), false)
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", contracts[name].title
	if len(c.defs) > 0 {
		s["$defs"] = c.defs
	}
	return s
}

func (c *contract) of(t *testing.T, v reflect.Type, required bool) object {
	t.Helper()
	orNull := func(kind string) any {
		if required {
			return []string{kind, "null"} // a nil slice or map
		}
		return kind
	}
	switch {
	case v == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case v == reflect.TypeFor[json.RawMessage]():
		return object{}
	case v == reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	}
	switch v.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": orNull("array"), "items": c.of(t, v.Elem(), false)}
	case reflect.Map:
		return object{"type": orNull("object"), "additionalProperties": c.of(t, v.Elem(), false)}
	case reflect.Struct:
		if _, ok := c.defs[v.Name()]; !ok {
			c.defs[v.Name()] = nil // it may be a part of itself
			c.defs[v.Name()] = c.fields(t, v)
		}
		return object{"$ref": "#/$defs/" + v.Name()}
	}
	t.Fatalf("%s: no schema for this kind", v)
	return nil
}

func (c *contract) fields(t *testing.T, v reflect.Type) object {
	t.Helper()
	properties, required := object{}, []string{}
	maps.Copy(properties, addedFields[v.Name()])
	for name := range addedFields[v.Name()] {
		required = append(required, name)
	}
	for _, f := range reflect.VisibleFields(v) {
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		optional := tagged && (strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero"))
		p := c.of(t, f.Type, !optional)
		owner := v
		for _, i := range f.Index[:len(f.Index)-1] { // of an embedded type
			owner = owner.Field(i).Type
		}
		about := cmp.Or(meanings[v.Name()+"."+name], c.comment(t, owner, f.Name), meanings[name])
		if about == "" {
			t.Errorf("no one says what %s.%s means; -o help shows the comment of its field", v.Name(), name)
		}
		p["description"] = about
		properties[name] = p
		if !optional {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	out := object{"type": "object", "properties": properties, "required": required}
	if c.strict {
		out["additionalProperties"] = false
	}
	return out
}

// comment is what the source says about a field.
func (c *contract) comment(t *testing.T, v reflect.Type, field string) string {
	t.Helper()
	key := v.PkgPath() + "." + v.Name()
	if c.about[key] == nil {
		c.about[key] = map[string]string{}
		dir, _ := strings.CutPrefix(v.PkgPath(), "alipay-kafka-bridge/")
		if v.PkgPath() == "main" {
			dir = "cmd/bridge"
		}
		files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no source in %s: %v", key, dir, err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok || spec.Name.Name != v.Name() {
					return true
				}
				if s, ok := spec.Type.(*ast.StructType); ok {
					for _, f := range s.Fields.List {
						for _, name := range f.Names {
							c.about[key][name.Name] = strings.Join(strings.Fields(f.Doc.Text()+f.Comment.Text()), " ")
						}
					}
				}
				return false
			})
		}
	}
	return c.about[key][field]
}

// What commands print as JSON is a contract: programs rely on it. A field may be added, but none goes
// away or becomes something else, not even with -update.
func TestContracts(t *testing.T) {
	files, err := filepath.Glob("../../docs/reference/cli/*.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".schema.json"); contracts[name].value == nil {
			t.Errorf("%s: no command prints it", file)
		}
	}
	for name := range contracts {
		file := filepath.Join("../../docs/reference/cli", name+".schema.json")
		var made bytes.Buffer
		e := json.NewEncoder(&made)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(contractOf(t, name, false)); err != nil {
			t.Fatal(err)
		}
		old, err := os.ReadFile(file)
		if err == nil {
			for _, broken := range brokenPromises(t, old, made.Bytes()) {
				t.Errorf("%s: %s; the contract only grows", file, broken)
			}
		}
		if *update && !t.Failed() {
			if err := os.WriteFile(file, made.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			old = made.Bytes()
		}
		if !bytes.Equal(old, made.Bytes()) {
			t.Errorf("%s differs from the Go type; look, then go test ./cmd/bridge -run TestContracts -update", file)
		}
	}
}

// brokenPromises are the fields of an old schema that a new one does not have, or not in the same form.
func brokenPromises(t *testing.T, old, made []byte) []string {
	t.Helper()
	var before, after object
	for text, to := range map[*[]byte]*object{&old: &before, &made: &after} {
		if err := json.Unmarshal(*text, to); err != nil {
			t.Fatal(err)
		}
	}
	return lost("", before, after)
}

// lost are the parts of a schema that another one does not have.
func lost(path string, before, after object) []string {
	var out []string
	for key, was := range before {
		is, there := after[key]
		switch key {
		case "title", "description", "$schema":
		case "required":
			for _, name := range was.([]any) {
				if list, ok := is.([]any); !ok || !slices.Contains(list, name) {
					out = append(out, fmt.Sprintf("%s.%v is not always there any more", path, name))
				}
			}
		default:
			inner, isObject := was.(object)
			now, stays := is.(object)
			switch {
			case isObject && stays:
				out = append(out, lost(path+"."+key, inner, now)...)
			case !there:
				out = append(out, path+"."+key+" is gone")
			case !reflect.DeepEqual(was, is):
				out = append(out, fmt.Sprintf("%s.%s was %v, is %v", path, key, was, is))
			}
		}
	}
	return out
}

func TestTheContractOnlyGrows(t *testing.T) {
	const old = `{"title":"x","type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a"]}`
	for made, want := range map[string]int{
		old: 0,
		`{"title":"y","type":"object","properties":{"a":{"type":"string","description":"d"},"b":{"type":"integer"},"c":{"type":"string"}},"required":["a","c"]}`: 0,
		`{"title":"x","type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`:                                                                    1,
		`{"title":"x","type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a"]}`:                                            1,
		`{"title":"x","type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":[]}`:                                                1,
	} {
		if got := brokenPromises(t, []byte(old), []byte(made)); len(got) != want {
			t.Errorf("%s: %q, want %d", made, got, want)
		}
	}
}

// obeys checks JSON against the schema of a command: every field is in it, too.
func obeys(t *testing.T, name, text string) {
	t.Helper()
	made, err := json.Marshal(contractOf(t, name, true))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v: %q", name, err, text)
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
	}
}
