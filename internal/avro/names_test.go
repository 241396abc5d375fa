package avro_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	oracle "github.com/twmb/avro"

	"alipay-kafka-bridge/internal/avro"
)

// nameMaker writes random schemas whose names are as awkward as the specification allows: types
// named like Avro's own, namespaces that are given, inherited, dotted, empty or repeated, uses of
// types defined before, properties of the writer's own, and logical types that do not fit.
type nameMaker struct {
	*rand.Rand
	taken   map[string]bool
	defined []string // full names
}

func (m *nameMaker) pick(from ...string) string { return from[m.IntN(len(from))] }

// header writes name and namespace of a type that is not defined yet, and returns its namespace.
func (m *nameMaker) header(enclosing string) (text, namespace string) {
	for {
		name := m.pick("record", "enum", "array", "map", "fixed", "union", "error", "request", "string", "int", "long", "bytes", "null", "Money", "A", "B", "C", "D")
		full := name
		switch m.IntN(4) {
		case 0: // inherited
			namespace, text = enclosing, fmt.Sprintf(`"name":%q`, name)
		case 1:
			namespace = m.pick("com.acme", "int", "a.b.c", "record")
			text = fmt.Sprintf(`"name":%q,"namespace":%q`, name, namespace)
		case 2:
			namespace, text = "", fmt.Sprintf(`"name":%q,"namespace":""`, name)
		case 3:
			namespace = m.pick("com.acme", "long", "x.y")
			text = fmt.Sprintf(`"namespace":"ignored","name":%q`, namespace+"."+name)
		}
		if namespace != "" {
			full = namespace + "." + name
		}
		if reserved := strings.Contains(" null boolean int long float double bytes string ", " "+full+" "); reserved || m.taken[full] {
			continue
		}
		m.taken[full] = true
		m.defined = append(m.defined, full)
		return text, namespace
	}
}

func (m *nameMaker) property() string {
	return m.pick("", "", "", `,"Type":"varchar"`, `,"Size":"40"`, `,"doc":"d"`, `,"TYPE":{"a":1}`, `,"Symbols":["Z"]`, `,"Fields":[]`, `,"Name":"Other"`, `,"order":"ignore"`, `,"Namespace":"other"`)
}

func (m *nameMaker) record(depth int, enclosing string) string {
	text, namespace := m.header(enclosing)
	full := m.defined[len(m.defined)-1]
	m.defined = m.defined[:len(m.defined)-1] // not to be used inside itself
	var fields []string
	for i := range 1 + m.IntN(3) {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":%s%s}`, i, m.typ(depth-1, namespace), m.property()))
	}
	m.defined = append(m.defined, full)
	return fmt.Sprintf(`{"type":"record",%s%s,"fields":[%s]}`, text, m.property(), strings.Join(fields, ","))
}

func (m *nameMaker) typ(depth int, namespace string) string {
	simple := []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
	choice := m.IntN(8)
	if depth <= 0 {
		choice = m.IntN(4)
	}
	switch choice {
	case 0:
		return fmt.Sprintf("%q", m.pick(simple...))
	case 1:
		return fmt.Sprintf(`{"type":%q%s}`, m.pick(simple...), m.property())
	case 2:
		text, _ := m.header(namespace)
		return fmt.Sprintf(`{"type":"enum",%s,"symbols":["A","B"]%s}`, text, m.property())
	case 3:
		if n := len(m.defined); n > 0 {
			if full := m.defined[m.IntN(n)]; !m.hidden(full, namespace) {
				return fmt.Sprintf("%q", m.reference(full, namespace))
			}
		}
		return `"long"`
	case 4:
		return `{"type":"map","values":` + m.typ(depth-1, namespace) + m.property() + `}`
	case 5:
		return `["null",` + m.record(depth-1, namespace) + `]`
	case 6:
		return fmt.Sprintf(`{"type":%q,"logicalType":%q,"precision":%s,"scale":%s}`, m.pick("string", "int", "long"), m.pick("decimal", "nonsense"), m.pick("5", `4`, "0", "-1"), m.pick("2", "9", "-1"))
	}
	return m.record(depth-1, namespace)
}

// reference is a way to name a defined type here: its full name, or the short one in its namespace.
func (m *nameMaker) reference(full, namespace string) string {
	if rest, ok := strings.CutPrefix(full, namespace+"."); ok && !strings.Contains(rest, ".") && m.IntN(2) == 0 && !isPrimitive(rest) {
		return rest
	}
	return full
}

// hidden says whether a type without a namespace cannot be named here, because this namespace has
// a type of the same name. The other decoder finds it all the same, against the specification
// ("Names": a name without a dot belongs to the enclosing namespace) and against Avro for Java.
func (m *nameMaker) hidden(full, namespace string) bool {
	return !strings.Contains(full, ".") && namespace != "" && m.taken[namespace+"."+full]
}

func isPrimitive(name string) bool {
	return strings.Contains(" null boolean int long float double bytes string ", " "+name+" ")
}

// TestNamesAgreeWithAnotherDecoder: with any names of a schema's types, the same bytes are the
// same values for an independent decoder.
func TestNamesAgreeWithAnotherDecoder(t *testing.T) {
	m := &nameMaker{Rand: rand.New(rand.NewPCG(5, 6))}
	f := &schemaMaker{Rand: m.Rand}
	const schemas = 50_000
	read := 0
	for range schemas {
		m.taken, m.defined = map[string]bool{}, nil
		schema := m.record(4, "")
		c, err := avro.NewCodec(schema)
		if err != nil {
			t.Fatalf("%s\nwe refuse it: %v", schema, err)
		}
		theirs, err := oracle.Parse(schema)
		if err != nil {
			t.Fatalf("%s\nthey refuse it: %v", schema, err)
		}
		b := f.fill()
		for len(b) > 0 && !compare(t, schema, c, theirs, b) {
			b = b[:len(b)-1]
		}
		if len(b) > 0 {
			read++
		}
	}
	if read < schemas/20 {
		t.Errorf("only %d of the records fitted: the test sees too little", read)
	}
}
