package avro

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one reason why a reader cannot read a writer's records.
type Problem struct {
	Field string // path below the record, e.g. items[].price.minor; empty: the record itself
	Why   string // for people; holds names of the schemas, never a record's values
}

func (p Problem) String() string {
	if p.Field == "" {
		return p.Why
	}
	return p.Field + ": " + p.Why
}

// Problems returns why a reader that knows only its own schema cannot read all records that
// are written with the writer's (Avro specification, "Schema Resolution"); none: it can. It
// is stricter than reading itself: here everything matters that a record could hold. Both
// schemas must be safe as for [NewCodec]; the error says which is not.
func Problems(reader, writer string) ([]Problem, error) {
	r, err := parseSchema(reader)
	if err != nil {
		return nil, fmt.Errorf("reader's %w", err)
	}
	w, err := parseSchema(writer)
	if err != nil {
		return nil, fmt.Errorf("writer's %w", err)
	}
	return newMatcher(true).match(r, w).problems, nil
}

// Readable returns the first of [Problems] as an error, nil when there are none.
func Readable(reader, writer string) error {
	problems, err := Problems(reader, writer)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%s (%d in all)", problems[0], len(problems))
	}
	return err
}

// Compatible returns why one of the two schemas cannot read the other's records. FULL
// compatibility demands both directions (DESIGN.md, "Records").
func Compatible(a, b string) error {
	if err := Readable(a, b); err != nil {
		return err
	}
	return Readable(b, a)
}

// maxProblems bounds what is reported for one pair of types: a named type may be used often.
const maxProblems = 100

// matcher is the walk over a reader's and a writer's schema (Avro specification, "Schema
// Resolution"). Strict, it judges whether all readers can read all records. Else it judges
// for reading alone, where what no record uses does no harm, and more is understood:
//   - a branch or a symbol that the reader does not have fails only when a record uses it;
//   - null, where the reader has a default and no null, is an absent field;
//   - records, enums and fixeds are matched by their place, not by their names;
//   - an instant is read in its writer's unit;
//   - text is read as a symbol of an enum: ksqlDB, Connect and others write no enums.
type matcher struct {
	strict     bool
	ignoreCase bool // names of fields may have other letter case
	eachBranch bool // a branch that cannot be read is a problem, though only records that use it have it; null is none
	done       map[pair]match
}

type pair struct{ reader, writer *node }

// match is the result for a pair of types: how to get from one to the other, or why not.
type match struct {
	to       step
	problems []Problem
}

func newMatcher(strict bool) *matcher {
	return &matcher{strict: strict, done: map[pair]match{}}
}

// match judges a pair once: named types may be used in many places, and judging each use
// again would take exponential time.
func (m *matcher) match(r, w *node) match {
	key := pair{r, w}
	known, ok := m.done[key]
	if !ok {
		known = m.compare(r, w)
		known.problems = known.problems[:min(len(known.problems), maxProblems)]
		m.done[key] = known
	}
	return known
}

func (m *matcher) compare(r, w *node) match {
	switch {
	case w.kind == kindUnion:
		return m.fromUnion(r, w)
	case r.kind == kindUnion:
		return m.intoUnion(r, w)
	case !m.strict && textForEnum(r, w):
		return match{to: textAsSymbol(r)}
	case r.kind != w.kind:
		return promote(r, w)
	case m.strict && !sameType(r, w), r.kind == kindFixed && r.size != w.size:
		return typeMismatch(r, w)
	}
	switch r.kind {
	case kindRecord:
		return m.record(r, w)
	case kindEnum:
		return m.enum(r, w)
	case kindArray, kindMap:
		return m.items(r, w)
	case kindLong:
		return m.long(r, w)
	}
	if r.logical == "decimal" && w.logical == "decimal" && (r.precision != w.precision || r.scale != w.scale) {
		return noMatch("decimals of different precision or scale")
	}
	return match{to: asWritten(r)}
}

func noMatch(format string, args ...any) match {
	return match{problems: []Problem{{Why: fmt.Sprintf(format, args...)}}}
}

func typeMismatch(r, w *node) match {
	return noMatch("written as %s, read as %s", w.typeName(), r.typeName())
}

// prefixProblems puts the problems of a part under its name.
func prefixProblems(name string, problems []Problem) []Problem {
	out := make([]Problem, len(problems))
	for i, p := range problems {
		switch {
		case p.Field == "":
			p.Field = name
		case p.Field[0] == '[':
			p.Field = name + p.Field
		default:
			p.Field = name + "." + p.Field
		}
		out[i] = p
	}
	return out
}

// fromUnion matches each branch of the writer. For reading, one that the reader cannot
// accept fails only for the records that use it, unless there is no other.
func (m *matcher) fromUnion(r, w *node) match {
	branches := make([]step, len(w.branches))
	var problems []Problem
	readable, reported := 0, false
	for i, b := range w.branches {
		got := m.match(r, b)
		if len(got.problems) > 0 {
			problems = append(problems, got.problems...)
			reported = reported || m.eachBranch && b.kind != kindNull
			got.to = refuse(got.problems[0])
		} else {
			readable++
		}
		branches[i] = got.to
	}
	if len(problems) > 0 && (m.strict || reported || readable == 0) {
		return match{problems: problems}
	}
	return match{to: readBranch(branches)}
}

func (m *matcher) intoUnion(r, w *node) match {
	b := m.branchFor(r, w)
	if b == nil {
		return noMatch("the reader has no branch for %s", w.typeName())
	}
	return m.match(b, w)
}

// textForEnum reports whether the writer has text where the reader has an enum.
func textForEnum(r, w *node) bool { return r.kind == kindEnum && w.kind == kindString }

// branchFor returns the reader's branch for a type: of its full name, of its name, one that
// it can be promoted to; and, for reading, one of its kind.
func (m *matcher) branchFor(r, w *node) *node {
	for _, fits := range []func(b *node) bool{
		func(b *node) bool { return b == w },
		func(b *node) bool { return sameType(b, w) && b.name == w.name },
		func(b *node) bool { return sameType(b, w) },
		func(b *node) bool { return slices.Contains(promotions[b.kind], w.kind) },
		func(b *node) bool { return !m.strict && b.kind == w.kind && b.size == w.size },
		func(b *node) bool { return !m.strict && textForEnum(b, w) },
	} {
		if i := slices.IndexFunc(r.branches, fits); i >= 0 {
			return r.branches[i]
		}
	}
	return nil
}

// sameType compares kinds and, of named types, the names without namespace.
func sameType(r, w *node) bool {
	if r.kind != w.kind || r.kind == kindFixed && r.size != w.size {
		return false
	}
	return r.name == "" || r.short() == w.short() || slices.Contains(r.aliases, w.short())
}

func (m *matcher) record(r, w *node) match {
	plan := &recordPlan{written: make([]writtenField, len(w.fields)), size: len(r.fields)}
	for i, f := range w.fields {
		plan.written[i].typ = f.typ
	}
	var problems []Problem
	for _, f := range r.fields {
		step, from, why := m.field(r, w, f)
		problems = append(problems, prefixProblems(f.name, why)...)
		if from == nil {
			plan.absent = append(plan.absent, step)
			continue
		}
		written := &plan.written[slices.IndexFunc(w.fields, func(f field) bool { return f.name == from.name })]
		written.as = append(written.as, step)
	}
	if len(problems) > 0 {
		return match{problems: problems}
	}
	return match{to: plan.read}
}

// field returns how one field of the reader's is read, and the writer's field that it is read from; nil: none.
func (m *matcher) field(r, w *node, f field) (fieldPlan, *field, []Problem) {
	s := fieldPlan{name: f.name}
	if f.hasDefault && r != w {
		v, err := completeDefault(f.typ, f.byDefault, f.name)
		if err != nil {
			return s, nil, []Problem{{Why: "the reader's default does not fit its type"}}
		}
		s.byDefault, s.nullIsAbsent = v, !m.strict && !takesNull(f.typ)
	}
	written := w.fieldFor(r, f)
	if like := w.fieldsLike(r, f); written == nil && m.ignoreCase && len(like) > 0 {
		if written = like[0]; len(like) > 1 {
			return s, nil, []Problem{{Why: fmt.Sprintf("written as %.80q and as %.80q, which differ in letter case only", like[0].name, like[1].name)}}
		}
	}
	if written == nil && !f.hasDefault {
		return s, nil, []Problem{{Why: "not written, and the reader has no default"}}
	}
	if written == nil {
		return s, nil, nil
	}
	got := m.match(f.typ, written.typ)
	s.to = got.to
	return s, written, got.problems
}

func takesNull(n *node) bool {
	return n.kind == kindNull || slices.ContainsFunc(n.branches, takesNull)
}

// fieldFor returns the writer's field to read: by name, else by an alias that names no other field.
func (n *node) fieldFor(reader *node, f field) *field {
	for i, name := range append([]string{f.name}, f.aliases...) {
		if i > 0 && reader.hasField(name) {
			continue
		}
		for j := range n.fields {
			if n.fields[j].name == name {
				return &n.fields[j]
			}
		}
	}
	return nil
}

// fieldsLike returns the writer's fields whose names differ from the reader's in letter case only.
func (n *node) fieldsLike(reader *node, f field) (found []*field) {
	for i := range n.fields {
		if name := n.fields[i].name; strings.EqualFold(name, f.name) && !reader.hasField(name) {
			found = append(found, &n.fields[i])
		}
	}
	return found
}

func (n *node) hasField(name string) bool {
	return slices.ContainsFunc(n.fields, func(f field) bool { return f.name == name })
}

func (m *matcher) enum(r, w *node) match {
	if r == w {
		return match{to: asWritten(w)}
	}
	unknown := map[string]bool{}
	for _, s := range w.symbols {
		if r.symbol(s) >= 0 {
			continue
		}
		if unknown[s] = true; r.enumOther == "" && m.strict {
			return noMatch("the reader has neither the symbol %.80q nor a default symbol", s)
		}
	}
	if len(unknown) == 0 {
		return match{to: asWritten(w)}
	}
	return match{to: knownSymbol(w, unknown, r.enumOther)}
}

func (m *matcher) items(r, w *node) match {
	got := m.match(r.items, w.items)
	switch {
	case len(got.problems) > 0:
		return match{problems: prefixProblems("[]", got.problems)}
	case r.kind == kindArray:
		return match{to: readItems(got.to)}
	}
	return match{to: readValues(got.to)}
}

// otherTimes are whole numbers that are not an instant in milli- or microseconds: read as one
// they would be wrong by days or by a factor.
var otherTimes = []string{
	"date", "time-millis", "time-micros", "timestamp-nanos",
	"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos",
}

// long matches whole numbers. A plain one is read in the unit of the reader's timestamp
// (DESIGN.md, "Records").
func (m *matcher) long(r, w *node) match {
	if r.logical != timestampMillis && r.logical != timestampMicros {
		return match{to: asWritten(r)}
	}
	if slices.Contains(otherTimes, w.logical) {
		return noMatch("written as %s, read as %s", w.logical, r.logical)
	}
	if w.logical != timestampMillis && w.logical != timestampMicros {
		return match{to: asWritten(r)}
	}
	if m.strict && r.logical != w.logical {
		return noMatch("written as %s, read as %s", w.logical, r.logical)
	}
	return match{to: asWritten(w)}
}
