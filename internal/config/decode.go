package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/config/fault"
)

// maxSettings is the size limit of a settings file.
const maxSettings = 1 << 20

// decoder fills structures from YAML by their yaml tags. Unlike the decoder of yaml.v3, it notes all
// faults instead of stopping at the first one.
type decoder struct {
	*fault.Findings
	dir   string // of the settings file
	env   func(string) (string, bool)
	reads reads
	read  reader

	files   map[string]string // the files that were read, by setting
	keyless bool              // keys and tokens at Alipay are not needed
}

// defaulter is a structure with defaults; they are set before the file is read.
type defaulter interface{ defaults() }

// document parses the text as one YAML document and returns its top mapping.
func (d *decoder) document(text []byte) *yaml.Node {
	if len(text) > maxSettings {
		d.Add("", "the file is larger than 1 MiB; settings are smaller")
		return nil
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		d.syntax(err)
		return nil
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		d.AddAt(max(second.Line, 1), "", "a second YAML document begins; keep one")
		return nil
	}
	return doc.Content[0]
}

// yamlLine is the place in an error of yaml.v3, which has no field for it.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)`)

func (d *decoder) syntax(err error) {
	if errors.Is(err, io.EOF) {
		d.Add("", "the file is empty; bridge simulate --out DIR --no-serve writes a complete one to begin with")
		return
	}
	line, msg := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = m[2]
	}
	d.AddAt(line, "", "not valid YAML: %s; check indents, colons and quotes up to this line", msg)
}

// decode fills v, which must be settable and hold its defaults.
func (d *decoder) decode(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		d.AddUnreadable(path, "is an alias; write the value itself")
		return
	}
	if n.Tag == "!!null" {
		d.AddUnreadable(path, "has no value; set one, or remove the key")
		return
	}
	switch {
	case isScalar(v):
		d.scalar(n, path, v)
	case v.Kind() == reflect.Struct:
		d.structure(n, path, v)
	case v.Kind() == reflect.Map:
		d.entries(n, path, v)
	case v.Kind() == reflect.Slice:
		d.list(n, path, v)
	default:
		panic("config: a setting of type " + v.Type().String())
	}
}

// pairs calls each for the keys of a mapping. Keys that are given twice are faults.
func (d *decoder) pairs(n *yaml.Node, path string, each func(key string, path string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.AddUnreadable(path, "is %s; use keys with values", kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, at := n.Content[i].Value, n.Content[i].Line
		p := join(path, key)
		if first := seen[key]; first > 0 {
			d.AddRepeated(p, at, first)
			continue
		}
		seen[key] = at
		d.SetLine(p, at)
		each(key, p, n.Content[i+1])
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value) {
	fields := fieldsOf(v)
	d.pairs(n, path, func(key, p string, value *yaml.Node) {
		if f, ok := fields[key]; ok {
			d.decode(value, p, f)
			return
		}
		d.unknown(key, p, fields)
	})
}

// fieldsOf returns the settings of a structure by their keys.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		if key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); key != "" {
			fields[key] = v.Field(i)
		}
	}
	return fields
}

// unknown reports a key that is not a setting. A key for a secret gets words of its own. Values are
// never shown.
func (d *decoder) unknown(key, path string, fields map[string]reflect.Value) {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	slices.Sort(known)
	if file := key + "_file"; slices.Contains(known, file) {
		d.Add(path, "must not be in the settings; put it into a file and set %s to its name", file)
		d.Excuse(join(fault.Parent(path), file)) // it is not missing
		return
	}
	hint := fault.DidYouMean(key, known)
	if hint == "" {
		hint = "; use one of " + strings.Join(known, ", ")
		if right := placesOf(key, "", reflect.TypeFor[Config]()); len(right) > 0 {
			hint = "; did you mean " + strings.Join(right[:min(len(right), 3)], " or ") + "?"
		}
	}
	d.Add(path, "is not a setting%s", hint)
}

// placesOf lists the settings with this key: it may only stand in the wrong place.
func placesOf(key, path string, t reflect.Type) []string {
	v := reflect.New(t).Elem()
	switch {
	case isScalar(v):
	case t.Kind() == reflect.Map:
		return placesOf(key, path+".NAME", t.Elem())
	case t.Kind() == reflect.Slice:
		return placesOf(key, path+"[]", t.Elem())
	case t.Kind() == reflect.Struct:
		var all []string
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if name == "" {
				continue
			}
			if name == key {
				all = append(all, join(path, name))
			}
			all = append(all, placesOf(key, join(path, name), t.Field(i).Type)...)
		}
		return all
	}
	return nil
}

// entries fills a map with names as keys.
func (d *decoder) entries(n *yaml.Node, path string, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, path, func(key, p string, value *yaml.Node) {
		item := withDefaults(v.Type().Elem())
		d.decode(value, p, item)
		v.SetMapIndex(reflect.ValueOf(key), item)
	})
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.AddUnreadable(path, "is %s; use a list", kindName(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(n.Content)))
	for i, value := range n.Content {
		p := fmt.Sprintf("%s[%d]", path, i)
		d.SetLine(p, value.Line)
		item := withDefaults(v.Type().Elem())
		d.decode(value, p, item)
		v.Set(reflect.Append(v, item))
	}
}

// withDefaults returns a new value with its defaults.
func withDefaults(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	setDefaults(v)
	return v
}

// setDefaults fills a structure and the structures in it, the inner ones first.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || isScalar(v) {
		return
	}
	for _, f := range fieldsOf(v) {
		setDefaults(f)
	}
	if d, ok := v.Addr().Interface().(defaulter); ok {
		d.defaults()
	}
}

// isScalar reports whether a setting is written as one value.
func isScalar(v reflect.Value) bool {
	switch v.Interface().(type) {
	case File, SecretFile, Bytes, time.Duration:
		return true
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Float64:
		return true
	}
	return false
}

// scalar fills v from one value. ${NAME} is replaced in texts; durations, sizes and file names
// are texts too.
func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.Add(path, "is %s; use one value", kindName(n))
		return
	}
	d.SetText(path, n.Value)
	switch v.Kind() {
	case reflect.Bool:
		d.put(n, path, v, "true or false", "!!bool")
		return
	case reflect.Int:
		d.put(n, path, v, "a whole number", "!!int")
		return
	case reflect.Float64:
		d.put(n, path, v, "a number", "!!int", "!!float")
		return
	}
	if !slices.Contains([]string{"!!str", "!!int", "!!timestamp"}, n.Tag) {
		d.Add(path, "%s is not a text; put it in quotes", d.Quoted(path))
		return
	}
	text, err := substitute(n.Value, d.env)
	if err != nil {
		d.Add(path, "%v", err)
		return
	}
	d.setText(path, text, v)
}

// put fills numbers and booleans, as YAML understands them.
func (d *decoder) put(n *yaml.Node, path string, v reflect.Value, want string, tags ...string) {
	if !slices.Contains(tags, n.Tag) || n.Decode(v.Addr().Interface()) != nil {
		d.Add(path, "is %s; use %s", d.Quoted(path), want)
	}
}

func (d *decoder) setText(path, text string, v reflect.Value) {
	switch to := v.Addr().Interface().(type) {
	case *time.Duration:
		parsed, err := time.ParseDuration(text)
		if err != nil {
			d.Add(path, "is %s; use a duration with its unit, such as 250ms, 15s or 5m", d.Quoted(path))
		}
		*to = parsed
	case *Bytes:
		parsed, err := parseBytes(text)
		if err != nil {
			d.Add(path, "is %s; %v", d.Quoted(path), err)
		}
		*to = parsed
	case *SecretFile:
		held := ""
		to.Path, held = d.file(path, text, true)
		to.Text = NewSecret(held)
	case *File:
		to.Path, to.Text = d.file(path, text, false)
	default:
		v.SetString(text)
	}
}

// maxName is the longest file name; a longer text is probably the secret itself.
const maxName = 255

// file reads the file that a setting names, if this load reads it at all. A key in place of a name
// is refused without being shown.
func (d *decoder) file(path, name string, secret bool) (found, text string) {
	if name == "" {
		d.Add(path, "is empty; set it to the name of a file")
		return "", ""
	}
	if len(name) > maxName || strings.ContainsAny(name, "\r\n") || strings.Contains(name, pemBegin) {
		d.Add(path, "has the secret or key itself; put it into a file and use the name of the file")
		return "", ""
	}
	found = resolve(d.dir, name)
	if !d.reads(path, secret) {
		return found, ""
	}
	d.files[path] = found
	text, err := d.read(path, found, secret)
	if err != nil {
		d.Add(path, "%s", strings.ReplaceAll(err.Error(), "FILE", d.shown(path, secret && errors.Is(err, errNoFile))))
	}
	return found, text
}

// writableText says that every user can change a file.
const writableText = "%s can be changed by every user (mode %04o of it or of its folder); run chmod o-w"

// checkWriters refuses files that every user of the machine can change: who changes a key of Alipay's,
// a root certificate or a setting can forge that something was paid.
func (d *decoder) checkWriters(settings string) {
	if mode, writable := writableByAll(settings); writable {
		d.Add("", writableText, "the settings file", mode)
	}
	for path, name := range d.files {
		if mode, writable := writableByAll(name); writable && !d.HasFault(path) {
			d.Add(path, writableText, d.shown(path, false), mode)
		}
	}
}

// shown is the name of a file as messages show it: without values of the environment, and not at
// all if it may be a secret.
func (d *decoder) shown(path string, doubtful bool) string {
	raw := d.Text(path)
	if doubtful && !strings.HasPrefix(raw, "/") && !strings.ContainsAny(raw, ".$") {
		return "the file named here"
	}
	return resolve(d.dir, raw)
}

// kindName names the kind of a node.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a set of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	return "a single value"
}
