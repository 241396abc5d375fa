package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// nameForm is what the specification allows as a name of a type, field or symbol ("Names").
var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parser builds nodes and counts what would be unsafe.
type parser struct {
	named  map[string]*node
	open   map[string]bool // definitions that are not finished yet
	fields int
}

// parseSchema reads a schema text by the rules of the Avro specification and refuses what is not
// safe to decode with (security K5). references are read before it: it may use their types.
func parseSchema(text string, references ...string) (*node, error) {
	if n := (writerSchema{text, references}).size(); n > maxSchemaText {
		return nil, fmt.Errorf("schema has %d bytes of text, more than %d", n, maxSchemaText)
	}
	p := parser{named: map[string]*node{}, open: map[string]bool{}}
	for _, ref := range references {
		if _, err := p.text(ref); err != nil {
			return nil, fmt.Errorf("a schema that it refers to: %w", err)
		}
	}
	return p.text(text)
}

// text reads one schema text.
func (p *parser) text(text string) (*node, error) {
	raw := json.RawMessage(strings.TrimSpace(text))
	if !json.Valid(raw) {
		return nil, errors.New("schema is not JSON")
	}
	return p.parse(raw, "", 0)
}

func (p *parser) parse(raw json.RawMessage, namespace string, depth int) (*node, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("schema nests deeper than %d", maxNesting)
	}
	switch raw[0] {
	case '"':
		var name string
		if err := json.Unmarshal(raw, &name); err != nil {
			return nil, err
		}
		return p.byName(name, namespace)
	case '[':
		return p.union(raw, namespace, depth)
	case '{':
		return p.object(raw, namespace, depth)
	}
	return nil, fmt.Errorf("schema: %.20q is not a type", raw)
}

// byName finds a type by its name: a primitive one, else one of the enclosing namespace, else one
// without a namespace.
func (p *parser) byName(name, namespace string) (*node, error) {
	if k, ok := primitives[name]; ok {
		return &node{kind: k, hasBytes: k != kindNull}, nil
	}
	full := fullName(name, namespace)
	for _, candidate := range []string{full, name} {
		if p.open[candidate] {
			return nil, fmt.Errorf("schema: %s is used inside its own definition", candidate)
		}
		if n, ok := p.named[candidate]; ok {
			return n, nil
		}
	}
	return nil, fmt.Errorf("schema: no type is named %.80q", full)
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func (p *parser) union(raw json.RawMessage, namespace string, depth int) (*node, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, err
	}
	n := &node{kind: kindUnion, hasBytes: true} // at least the branch's index
	seen := map[string]bool{}
	for _, part := range parts {
		b, err := p.parse(part, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		if b.kind == kindUnion || seen[b.typeName()] {
			return nil, fmt.Errorf("schema: a union has %s twice, or another union", b.typeName())
		}
		seen[b.typeName()] = true
		n.branches = append(n.branches, b)
	}
	if len(n.branches) == 0 {
		return nil, errors.New("schema: empty union")
	}
	return n, nil
}

// object is a JSON object of a schema text. Its members are found by their exact names: writers
// add properties of their own, also ones that differ from Avro's in letter case alone.
type object map[string]json.RawMessage

// text returns a member that must be a string; absent is empty.
func (o object) text(name string) (string, error) {
	var s string
	return s, o.read(name, &s)
}

// read decodes a member; an absent one leaves v as it is.
func (o object) read(name string, v any) error {
	raw, ok := o[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("schema: %q has the wrong form", name)
	}
	return nil
}

func (p *parser) object(raw json.RawMessage, namespace string, depth int) (*node, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if len(o["type"]) == 0 {
		return nil, errors.New("schema: an object without type")
	}
	var word string
	if json.Unmarshal(o["type"], &word) != nil {
		return p.parse(o["type"], namespace, depth+1) // {"type": {...}}
	}
	switch word {
	case "record", "error":
		return p.record(o, namespace, depth)
	case "enum":
		return p.enum(o, namespace)
	case "fixed":
		return p.fixed(o, namespace)
	case "array":
		return p.array(o, namespace, depth)
	case "map":
		return p.ofItems(kindMap, o["values"], namespace, depth)
	}
	n, err := p.byName(word, namespace)
	if err == nil && n.name == "" {
		n.annotate(o)
	}
	return n, err
}

func (p *parser) ofItems(k kind, items json.RawMessage, namespace string, depth int) (*node, error) {
	if len(items) == 0 {
		return nil, fmt.Errorf("schema: %s without a type for its entries", k)
	}
	of, err := p.parse(items, namespace, depth+1)
	if err != nil {
		return nil, err
	}
	return &node{kind: k, items: of, hasBytes: true}, nil // at least the closing zero
}

func (p *parser) array(o object, namespace string, depth int) (*node, error) {
	n, err := p.ofItems(kindArray, o["items"], namespace, depth)
	if err != nil {
		return nil, err
	}
	if !n.items.hasBytes {
		return nil, errors.New("schema: the items of an array have no bytes, so nothing limits how many a record has")
	}
	return n, nil
}

// define registers a named type and returns it with the namespace of what it encloses.
func (p *parser) define(k kind, o object, enclosing string) (*node, string, error) {
	name, err := o.text("name")
	if err != nil {
		return nil, "", err
	}
	namespace := enclosing
	if _, given := o["namespace"]; given {
		if namespace, err = o.text("namespace"); err != nil {
			return nil, "", err
		}
	}
	full := fullName(name, namespace)
	namespace = full[:max(0, strings.LastIndexByte(full, '.'))]
	_, taken := p.named[full]
	if _, reserved := primitives[full]; taken || reserved {
		return nil, "", fmt.Errorf("schema: %.80q is the name of another type", full)
	}
	n := &node{kind: k, name: full, hasBytes: true}
	if !nameForm.MatchString(n.short()) {
		return nil, "", fmt.Errorf("schema: %.80q cannot be the name of a type", full)
	}
	var aliases []string
	if err := o.read("aliases", &aliases); err != nil {
		return nil, "", err
	}
	for _, a := range aliases {
		n.aliases = append(n.aliases, a[strings.LastIndexByte(a, '.')+1:])
	}
	p.named[full] = n
	return n, namespace, nil
}

func (p *parser) record(o object, enclosing string, depth int) (*node, error) {
	n, namespace, err := p.define(kindRecord, o, enclosing)
	if err != nil {
		return nil, err
	}
	p.open[n.name] = true
	defer delete(p.open, n.name)
	n.hasBytes = false
	var fields []object
	if err := o.read("fields", &fields); err != nil {
		return nil, err
	}
	if p.fields += len(fields); p.fields > maxFields {
		return nil, fmt.Errorf("schema has more than %d fields", maxFields)
	}
	for _, of := range fields {
		f, err := p.field(n, of, namespace, depth)
		if err != nil {
			return nil, err
		}
		n.hasBytes = n.hasBytes || f.typ.hasBytes
		n.fields = append(n.fields, f)
	}
	return n, nil
}

func (p *parser) field(record *node, o object, namespace string, depth int) (field, error) {
	f := field{byDefault: o["default"]}
	_, f.hasDefault = o["default"]
	var err error
	if f.name, err = o.text("name"); err != nil {
		return f, err
	}
	if !nameForm.MatchString(f.name) || record.hasField(f.name) || len(o["type"]) == 0 {
		return f, fmt.Errorf("schema: %s.%.80s has no type, a name twice, or a name that Avro does not allow", record.name, f.name)
	}
	if err := o.read("aliases", &f.aliases); err != nil {
		return f, err
	}
	if f.typ, err = p.parse(o["type"], namespace, depth+1); err != nil {
		return f, err
	}
	if f.inside = f.name + "."; f.typ.holding(kindArray) != nil {
		f.inside = f.name + "[]."
	}
	return f, nil
}

func (p *parser) fixed(o object, enclosing string) (*node, error) {
	n, _, err := p.define(kindFixed, o, enclosing)
	if err != nil {
		return nil, err
	}
	if err := o.read("size", &n.size); err != nil || n.size < 1 {
		return nil, fmt.Errorf("schema: %s has no size", n.name)
	}
	n.annotate(o)
	return n, nil
}

func (p *parser) enum(o object, enclosing string) (*node, error) {
	n, _, err := p.define(kindEnum, o, enclosing)
	if err != nil {
		return nil, err
	}
	if err := o.read("symbols", &n.symbols); err != nil || len(n.symbols) == 0 {
		return nil, fmt.Errorf("schema: %s has no symbols", n.name)
	}
	seen := map[string]bool{}
	for _, s := range n.symbols {
		if !nameForm.MatchString(s) || seen[s] {
			return nil, fmt.Errorf("schema: %s has the symbol %.80q twice, or Avro does not allow it", n.name, s)
		}
		seen[s] = true
	}
	if err := o.read("default", &n.enumOther); err != nil {
		return nil, err
	}
	if n.enumOther != "" && !seen[n.enumOther] {
		return nil, fmt.Errorf("schema: the default of %s is not one of its symbols", n.name)
	}
	return n, nil
}

// logicalTypes are those that the specification defines, by the kinds that they annotate.
var logicalTypes = map[string][]kind{
	"decimal": {kindBytes, kindFixed}, "uuid": {kindString, kindFixed}, "date": {kindInt}, "time-millis": {kindInt},
	"time-micros": {kindLong}, "timestamp-millis": {kindLong}, "timestamp-micros": {kindLong}, "timestamp-nanos": {kindLong},
	"local-timestamp-millis": {kindLong}, "local-timestamp-micros": {kindLong}, "local-timestamp-nanos": {kindLong}, "duration": {kindFixed},
}

// annotate reads the logical type of a type. One that is unknown or does not fit the type is
// ignored, as the specification says: the value is read as the type below it.
func (n *node) annotate(o object) {
	logical, err := o.text("logicalType")
	if err != nil || !slices.Contains(logicalTypes[logical], n.kind) {
		return
	}
	precision, scale := 0, 0
	if o.read("precision", &precision) != nil || o.read("scale", &scale) != nil {
		return
	}
	switch {
	case logical == "decimal" && (precision < 1 || scale < 0 || scale > precision || n.kind == kindFixed && precision > digits(n.size)):
	case logical == "uuid" && n.kind == kindFixed && n.size != 16:
	case logical == "duration" && n.size != 12:
	default:
		n.logical, n.precision, n.scale = logical, precision, scale
	}
}

// digits is how many decimal digits a signed number of so many bytes can always hold.
func digits(size int) int {
	return int(math.Floor(float64(8*size-1) * math.Log10(2)))
}
