package avro

import (
	"encoding/json"
	"slices"
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
	kind      kind
	name      string   // full name of record, enum, fixed
	aliases   []string // unqualified
	logical   string   // logicalType, e.g. timestamp-millis; empty also when it does not fit the type
	precision int      // of a decimal
	scale     int      // of a decimal
	fields    []field
	items     *node   // of an array; values of a map
	branches  []*node // of a union
	symbols   []string
	enumOther string // enum's default symbol; empty: none
	size      int    // of a fixed
	hasBytes  bool   // every value has at least one byte
}

type field struct {
	name       string
	inside     string // the begin of the path of what is in its record, or in its list of records
	aliases    []string
	typ        *node
	hasDefault bool
	byDefault  json.RawMessage
}

// short returns the name without its namespace: producers have their own namespaces
// (DESIGN.md, "Records"), so only that part says what a record is.
func (n *node) short() string { return n.name[strings.LastIndexByte(n.name, '.')+1:] }

// typeName is what a schema calls a type: its full name, or the word for an unnamed one.
func (n *node) typeName() string {
	if n.name != "" {
		return n.name
	}
	return n.kind.String()
}

// symbol returns the place of a symbol of an enum, negative if it has none of this name.
func (n *node) symbol(s string) int { return slices.Index(n.symbols, s) }
