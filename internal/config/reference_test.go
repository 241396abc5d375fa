package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
)

// referenceFile is generated from the types of the settings: comments say what a key means, and
// testdata/good.yaml has an example.
const referenceFile = "../../docs/settings.md"

const referenceHead = `# Settings

The bridge has one settings file, in YAML. It refuses keys that are not listed here and keys that are given twice, and it reports all faults at once, each with its line.

- ` + "`bridge simulate --out DIR --no-serve`" + ` writes a complete file to start from; ` + "`bridge check`" + ` says what is wrong with a file; ` + "`bridge check --print`" + ` prints all settings with their defaults.
- ` + "`${NAME}`" + ` in a value is replaced by that environment variable.
- Names of files are relative to the folder of the settings file. A secret file must be readable by its owner only.
- A duration is written like 100ms, 15s, 2m or 1h; a size like 16MiB, or as a number of bytes; a time like 2026-01-31T08:00:00+08:00.
- In the headings, NAME is a name that you choose, and brackets mean that the list may have several entries.

This page is generated from the types in internal/config. To change it, change their comments and run ` + "`go test ./internal/config -run TestReference -update`" + `.
`

// reference writes docs/settings.md.
type reference struct {
	t        *testing.T
	comments map[string]string // by "Type.Field"
	minimal  *yaml.Node        // what it says is no default
	examples *yaml.Node
	required map[string]bool // by path
	out      bytes.Buffer
	later    []section
}

// section is a structure of settings. at is where it stands in the file; value has its defaults.
type section struct {
	at    string
	value reflect.Value
}

// TestReference: docs/settings.md is up to date, and every setting has a comment.
func TestReference(t *testing.T) {
	dir := folder(t)
	c, err := config.Load(settings(t, dir, file(t, "minimal.yaml")), environment(dir))
	if err != nil {
		t.Fatal(err)
	}
	defaults := config.Default()
	defaults.Apps, defaults.Accounts = c.Apps, c.Accounts
	r := &reference{t: t, comments: commentsOfTypes(t), required: requiredSettings(t)}
	r.minimal, r.examples = tree(t, "minimal.yaml"), tree(t, "good.yaml")
	r.out.WriteString(referenceHead)
	r.later = []section{{value: reflect.ValueOf(defaults)}}
	for len(r.later) > 0 {
		next := r.later[0]
		r.later = r.later[1:]
		r.write(next)
	}
	if *update {
		if err := os.WriteFile(referenceFile, r.out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, r.out.Bytes()) {
		t.Error("docs/settings.md is not what the types say: look, then go test ./internal/config -run TestReference -update")
	}
}

func tree(t *testing.T, name string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(file(t, name)), &n); err != nil {
		t.Fatal(err)
	}
	return n.Content[0]
}

// write writes one table; the structures in it follow later.
func (r *reference) write(s section) {
	title := s.at
	if title == "" {
		title = "Top level"
	}
	fmt.Fprintf(&r.out, "\n## %s\n", title)
	r.out.WriteString("\n| key | type | default | example | meaning |\n|---|---|---|---|---|\n")
	var inner []section
	typ := s.value.Type()
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		path := strings.TrimPrefix(s.at+"."+key, ".")
		doc := r.doc(typ, f, key)
		kind, at, value := r.kind(s.value.Field(i), path)
		if value.IsValid() && doc == "" {
			doc = r.typeDoc(value.Type())
		}
		if text, _ := splitDefault(doc); text == "" {
			r.t.Errorf("%s has no comment at %s.%s: what is it, in which unit, whose, and what happens without it?", path, typ.Name(), f.Name)
		}
		doc, usual := splitDefault(doc)
		if value.IsValid() {
			inner = append(inner, section{at, value})
			key = fmt.Sprintf("[%s](#%s)", key, anchor(at))
		} else {
			if usual == "" && find(r.minimal, strings.Split(path, ".")) == nil {
				usual = shown(s.value.Field(i))
			}
			key = "`" + key + "`"
		}
		if r.required[path] {
			usual = "required"
		}
		fmt.Fprintf(&r.out, "| %s | %s | %s | %s | %s |\n", key, kind, cell(usual), r.example(path, value.IsValid()), cell(sentence(doc)))
	}
	r.later = append(inner, r.later...)
}

// sentence begins a text with a capital letter and ends it with a full stop, unless it begins with
// a word that must stay as it is.
func sentence(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if !strings.ContainsAny(first, "_.:") && strings.ToLower(first) == first {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return strings.TrimSuffix(text, ".") + "."
}

// lists are words that comments point to.
var lists = map[string][]string{
	"EventTypes": config.EventTypes(), "Conditions": config.Conditions(), "PayeeFields": config.PayeeFields(), "MaskedFields": config.MaskedFields(),
	"Calls": slices.Sorted(maps.Keys(config.Calls())),
}

var seeList = regexp.MustCompile(`(, see|\. See) (\w+)\.?`)

var goName = regexp.MustCompile(`\b[A-Z][a-z]+[A-Z]\w+\b`)

// doc is a field's comment, with the names of settings in place of Go's.
func (r *reference) doc(typ reflect.Type, f reflect.StructField, key string) string {
	text := r.comments[typ.Name()+"."+f.Name]
	if rest, ok := strings.CutPrefix(text, f.Name+" "); ok {
		text = "`" + key + "` " + rest
	}
	text = seeList.ReplaceAllStringFunc(text, func(see string) string {
		if words := lists[seeList.FindStringSubmatch(see)[2]]; words != nil {
			return ": " + strings.Join(words, ", ")
		}
		return see
	})
	return goName.ReplaceAllStringFunc(text, func(name string) string {
		if other, ok := typ.FieldByName(name); ok {
			key, _, _ := strings.Cut(other.Tag.Get("yaml"), ",")
			return "`" + key + "`"
		}
		return name
	})
}

// typeDoc is the comment of a structure, without the type's name.
func (r *reference) typeDoc(typ reflect.Type) string {
	text := strings.TrimPrefix(strings.TrimPrefix(r.comments[typ.Name()], typ.Name()+" "), "are ")
	return strings.TrimPrefix(text, "is ")
}

// kind names a setting's type with its unit; for a structure it also returns where it stands
// and a value with its defaults.
func (r *reference) kind(v reflect.Value, path string) (kind, at string, inner reflect.Value) {
	switch v.Interface().(type) {
	case time.Duration:
		return "duration", "", inner
	case config.Bytes:
		return "size", "", inner
	case config.File:
		return "file", "", inner
	case config.SecretFile:
		return "secret file", "", inner
	}
	switch v.Kind() {
	case reflect.Struct:
		return "keys", path, v
	case reflect.Map:
		kind, _, _ := r.kind(reflect.Zero(v.Type().Elem()), path)
		if v.Type().Elem().Kind() == reflect.Struct && kind == "keys" {
			return "keys by name", path + ".NAME", firstOf(v)
		}
		return kind + " by name", "", inner
	case reflect.Slice:
		kind, _, _ := r.kind(reflect.Zero(v.Type().Elem()), path)
		if v.Type().Elem().Kind() == reflect.Struct && kind == "keys" {
			return "list", path + "[]", firstOf(v)
		}
		return "list of " + kind, "", inner
	case reflect.Bool:
		return "true or false", "", inner
	case reflect.String:
		return "text", "", inner
	}
	return "number", "", inner
}

// firstOf returns an entry that has its defaults, or an empty one.
func firstOf(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Slice && v.Len() > 0 {
		return v.Index(0)
	}
	for _, name := range []string{"main", "shop"} { // of minimal.yaml
		if v.Kind() == reflect.Map {
			if e := v.MapIndex(reflect.ValueOf(name)); e.IsValid() {
				return e
			}
		}
	}
	return reflect.New(v.Type().Elem()).Elem()
}

var usualIn = regexp.MustCompile(`^(.*?)\s*\[([^\]]+)\]$`)

// splitDefault takes the default in brackets from the end of a comment.
func splitDefault(doc string) (text, usual string) {
	if m := usualIn.FindStringSubmatch(doc); m != nil {
		return m[1], m[2]
	}
	return doc, ""
}

// shown writes a default as the file would.
func shown(v reflect.Value) string {
	if v.IsZero() {
		return map[reflect.Kind]string{reflect.Bool: "false", reflect.Int: "0", reflect.Float64: "0"}[v.Kind()]
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return regexp.MustCompile(`([hm])0[ms]$`).ReplaceAllString(x.String(), "$1")
	case config.File, config.SecretFile:
		return ""
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return ""
	}
	return fmt.Sprint(v.Interface())
}

var angled = regexp.MustCompile(`<\w+>\S*`)

// cell keeps Markdown from reading a text as something else.
func cell(text string) string {
	return angled.ReplaceAllString(strings.ReplaceAll(strings.TrimSpace(text), "|", `\|`), "`$0`")
}

func anchor(title string) string {
	return strings.ToLower(regexp.MustCompile(`[^A-Za-z0-9_-]`).ReplaceAllString(title, ""))
}

// example is what good.yaml gives a key, in one line.
func (r *reference) example(path string, nested bool) string {
	n := find(r.examples, strings.Split(path, "."))
	if nested || n == nil {
		return ""
	}
	flow := *n
	setFlow(&flow)
	b, err := yaml.Marshal(&flow)
	text := strings.TrimSpace(string(b))
	if err != nil || strings.Contains(text, "\n") || len(text) > 60 {
		return ""
	}
	return "`" + text + "`"
}

func setFlow(n *yaml.Node) {
	n.Style |= yaml.FlowStyle
	n.LineComment, n.HeadComment, n.FootComment = "", "", ""
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode {
			setFlow(c)
		}
		c.LineComment, c.HeadComment, c.FootComment = "", "", ""
	}
}

// find looks a path up; NAME and [] are the first entry that has the rest.
func find(n *yaml.Node, path []string) *yaml.Node {
	if len(path) == 0 || n == nil {
		return n
	}
	name, list := strings.CutSuffix(path[0], "[]")
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if n.Content[i].Value != name && name != "NAME" {
			continue
		}
		entries := []*yaml.Node{n.Content[i+1]}
		if list {
			entries = n.Content[i+1].Content
		}
		for _, e := range entries {
			if found := find(e, path[1:]); found != nil {
				return found
			}
		}
	}
	return nil
}

// commentsOfTypes reads the comments of all fields in this package.
func commentsOfTypes(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if g, ok := n.(*ast.GenDecl); ok && len(g.Specs) == 1 {
				if spec, ok := g.Specs[0].(*ast.TypeSpec); ok {
					out[spec.Name.Name] = strings.Join(strings.Fields(g.Doc.Text()), " ")
				}
			}
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, id := range field.Names {
						out[spec.Name.Name+"."+id.Name] = strings.Join(strings.Fields(field.Doc.Text()+" "+field.Comment.Text()), " ")
					}
				}
			}
			return true
		})
	}
	return out
}

// requiredSettings are those of minimal.yaml without which it is refused.
func requiredSettings(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for path, generic := range map[string]string{
		"kafka.brokers": "", "registry.url": "", "topics.inputs": "", "topics.inputs[0].accounts": "topics.inputs[].accounts", "apps": "", "accounts": "",
		"apps.main.kind": "apps.NAME.kind", "apps.main.environment": "apps.NAME.environment", "apps.main.url": "apps.NAME.url", "apps.main.app_id": "",
		"apps.main.private_key_file": "apps.NAME.private_key_file", "accounts.shop.app": "accounts.NAME.app", "accounts.shop.channel": "",
	} {
		n := tree(t, "minimal.yaml")
		remove(n, strings.Split(strings.ReplaceAll(path, "[0]", ".0"), "."))
		text, err := yaml.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		dir := folder(t)
		_, err = config.Load(settings(t, dir, string(text)), environment(dir))
		var faults fault.Faults
		if !errors.As(err, &faults) {
			t.Errorf("without %s the settings are taken: %v", path, err)
		}
		if generic != "" {
			out[generic] = true
		} else if !strings.Contains(path, ".main.") && !strings.Contains(path, ".shop.") && path != "registry.url" {
			out[path] = true
		}
	}
	return out
}

func remove(n *yaml.Node, path []string) {
	for i := 0; i < len(n.Content); i++ {
		switch {
		case n.Kind == yaml.SequenceNode && path[0] == fmt.Sprint(i):
			remove(n.Content[i], path[1:])
		case n.Kind == yaml.MappingNode && i%2 == 0 && n.Content[i].Value == path[0]:
			if len(path) == 1 {
				n.Content = append(n.Content[:i], n.Content[i+2:]...)
				return
			}
			remove(n.Content[i+1], path[1:])
		}
	}
}
