package avro

import "fmt"

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
