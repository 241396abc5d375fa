package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Limits of a foreign schema (security K5). With none, a schema of 2 kB makes a decoder
// allocate gigabytes or overflow the stack, which no recover can catch.
const (
	maxSchemaText = 256 << 10 // bytes
	maxNesting    = 32        // records, arrays, maps and unions inside one another
	maxFields     = 2000      // of all records together
)

type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindFixed
	kindEnum
	kindArray
	kindMap
	kindUnion
	kindRecord
)

var primitives = map[string]kind{
	"null": kindNull, "boolean": kindBoolean, "int": kindInt, "long": kindLong, "float": kindFloat,
	"double": kindDouble, "bytes": kindBytes, "string": kindString,
}

func (k kind) String() string {
	return [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string",
		"fixed", "enum", "array", "map", "union", "record"}[k]
}

// node is one type of a parsed schema. A named type that is used twice is one node, and no
// node contains itself, so walks end.
type node struct {
	kind       kind
	name       string   // full name of record, enum, fixed
	aliases    []string // unqualified
	logical    string   // logicalType, e.g. timestamp-millis
	precision  int      // of a decimal
	scale      int      // of a decimal
	fields     []field
	items      *node   // of an array; values of a map
	branches   []*node // of a union
	symbols    []string
	enumOther  string // enum's default symbol; empty: none
	size       int    // of a fixed
	takesBytes bool   // every value takes at least one byte
}

type field struct {
	name       string
	aliases    []string
	typ        *node
	hasDefault bool
	byDefault  json.RawMessage
}

// short returns the name without its namespace: producers have their own namespaces
// (DESIGN.md, "Records"), so only that part says what a record is.
func (n *node) short() string { return n.name[strings.LastIndexByte(n.name, '.')+1:] }

// parser builds nodes and keeps count of what would be unsafe.
type parser struct {
	named  map[string]*node
	open   map[string]bool // definitions that are not finished yet
	fields int
}

// parseSchema reads a schema text and refuses what is not safe to decode with (security K5).
func parseSchema(text string) (*node, error) {
	if len(text) > maxSchemaText {
		return nil, fmt.Errorf("schema has %d bytes of text, more than %d", len(text), maxSchemaText)
	}
	p := parser{named: map[string]*node{}, open: map[string]bool{}}
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
	return nil, fmt.Errorf("schema: %.20q is no type", raw)
}

func (p *parser) byName(name, namespace string) (*node, error) {
	if k, ok := primitives[name]; ok {
		return &node{kind: k, takesBytes: k != kindNull}, nil
	}
	full := fullName(name, namespace)
	if p.open[full] {
		return nil, fmt.Errorf("schema: %s is used inside its own definition", full)
	}
	if n, ok := p.named[full]; ok {
		return n, nil
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
	n := &node{kind: kindUnion, takesBytes: true} // at least the branch's index
	seen := map[string]bool{}
	for _, part := range parts {
		b, err := p.parse(part, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		if b.kind == kindUnion || seen[b.branchName()] {
			return nil, fmt.Errorf("schema: a union holds %s twice, or another union", b.branchName())
		}
		seen[b.branchName()] = true
		n.branches = append(n.branches, b)
	}
	if len(n.branches) == 0 {
		return nil, errors.New("schema: empty union")
	}
	return n, nil
}

// branchName is the name under which goavro keeps a branch of a union.
func (n *node) branchName() string {
	if n.name != "" {
		return n.name
	}
	return n.kind.String()
}

// typeObject is a type as an object of a schema text.
type typeObject struct {
	Type        json.RawMessage
	Name        string
	Namespace   *string
	Aliases     []string
	LogicalType string
	Precision   int
	Scale       int
	Fields      []fieldObject
	Items       json.RawMessage
	Values      json.RawMessage
	Symbols     []string
	Default     json.RawMessage
	Size        *int
}

type fieldObject struct {
	Name    string
	Aliases []string
	Type    json.RawMessage
	Default json.RawMessage
}

func (p *parser) object(raw json.RawMessage, namespace string, depth int) (*node, error) {
	var o typeObject
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if len(o.Type) == 0 {
		return nil, errors.New("schema: an object without type")
	}
	var word string
	if json.Unmarshal(o.Type, &word) != nil {
		return p.parse(o.Type, namespace, depth+1) // {"type": {...}}
	}
	switch word {
	case "record", "error":
		return p.record(o, namespace, depth)
	case "enum", "fixed":
		return p.enumOrFixed(o, word, namespace)
	case "array":
		return p.array(o, namespace, depth)
	case "map":
		return p.ofItems(kindMap, o.Values, namespace, depth)
	}
	n, err := p.byName(word, namespace)
	if err != nil || n.name != "" {
		return n, err
	}
	n.logical, n.precision, n.scale = o.LogicalType, o.Precision, o.Scale
	return n, nil
}

func (p *parser) ofItems(k kind, items json.RawMessage, namespace string, depth int) (*node, error) {
	if len(items) == 0 {
		return nil, fmt.Errorf("schema: %s of nothing", k)
	}
	of, err := p.parse(items, namespace, depth+1)
	if err != nil {
		return nil, err
	}
	return &node{kind: k, items: of, takesBytes: true}, nil // at least the closing zero
}

func (p *parser) array(o typeObject, namespace string, depth int) (*node, error) {
	n, err := p.ofItems(kindArray, o.Items, namespace, depth)
	if err != nil {
		return nil, err
	}
	if !n.items.takesBytes {
		return nil, errors.New("schema: an array's items take no bytes, so any number of them costs nothing")
	}
	return n, nil
}

// define registers a named type and returns it with the namespace of what it encloses.
func (p *parser) define(k kind, o typeObject, enclosing string) (*node, string, error) {
	namespace := enclosing
	if o.Namespace != nil {
		namespace = *o.Namespace
	}
	full := fullName(o.Name, namespace)
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		namespace = full[:i]
	}
	_, taken := p.named[full]
	if _, reserved := primitives[full]; taken || reserved || o.Name == "" {
		return nil, "", fmt.Errorf("schema: %.80q names no type, or two", full)
	}
	n := &node{kind: k, name: full, takesBytes: true}
	for _, a := range o.Aliases {
		n.aliases = append(n.aliases, a[strings.LastIndexByte(a, '.')+1:])
	}
	p.named[full] = n
	return n, namespace, nil
}

func (p *parser) record(o typeObject, enclosing string, depth int) (*node, error) {
	n, namespace, err := p.define(kindRecord, o, enclosing)
	if err != nil {
		return nil, err
	}
	p.open[n.name] = true
	defer delete(p.open, n.name)
	n.takesBytes = false
	if p.fields += len(o.Fields); p.fields > maxFields {
		return nil, fmt.Errorf("schema has more than %d fields", maxFields)
	}
	seen := map[string]bool{}
	for _, f := range o.Fields {
		if f.Name == "" || seen[f.Name] || len(f.Type) == 0 {
			return nil, fmt.Errorf("schema: %s.%.80s has no type, or its name twice", n.name, f.Name)
		}
		seen[f.Name] = true
		typ, err := p.parse(f.Type, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		n.takesBytes = n.takesBytes || typ.takesBytes
		n.fields = append(n.fields, field{f.Name, f.Aliases, typ, f.Default != nil, f.Default})
	}
	return n, nil
}

func (p *parser) enumOrFixed(o typeObject, word, enclosing string) (*node, error) {
	k := kindEnum
	if word == "fixed" {
		k = kindFixed
	}
	n, _, err := p.define(k, o, enclosing)
	if err != nil {
		return nil, err
	}
	if k == kindFixed {
		if o.Size == nil || *o.Size < 1 {
			return nil, fmt.Errorf("schema: %s has no size", n.name)
		}
		n.size, n.logical, n.precision, n.scale = *o.Size, o.LogicalType, o.Precision, o.Scale
		return n, nil
	}
	if n.symbols = o.Symbols; len(n.symbols) == 0 {
		return nil, fmt.Errorf("schema: %s has no symbols", n.name)
	}
	if len(o.Default) > 0 {
		return n, json.Unmarshal(o.Default, &n.enumOther)
	}
	return n, nil
}
