package avro

import (
	"fmt"
	"slices"
)

// Readable says whether whoever knows only the reader's schema can read all records that
// are written with the writer's (Avro specification, "Schema Resolution"). It is stricter
// than reading itself: here every branch of the writer's unions counts, also one that no
// record uses. Both schemas must be safe as for [NewCodec].
func Readable(reader, writer string) error {
	r, err := parseSchema(reader)
	if err != nil {
		return fmt.Errorf("reader's %w", err)
	}
	w, err := parseSchema(writer)
	if err != nil {
		return fmt.Errorf("writer's %w", err)
	}
	return readable(r, w, r.short())
}

// promotions lists the writer's kinds that another kind of reader takes.
var promotions = map[kind][]kind{
	kindLong:   {kindInt},
	kindFloat:  {kindInt, kindLong},
	kindDouble: {kindInt, kindLong, kindFloat},
	kindString: {kindBytes},
	kindBytes:  {kindString},
}

func readable(r, w *node, path string) error {
	if w.kind == kindUnion {
		for _, b := range w.branches {
			if err := readable(r, b, path); err != nil {
				return err
			}
		}
		return nil
	}
	if r.kind == kindUnion {
		for _, b := range r.branches {
			if sameType(b, w) {
				return readable(b, w, path)
			}
		}
		for _, b := range r.branches {
			if slices.Contains(promotions[b.kind], w.kind) {
				return nil
			}
		}
		return fmt.Errorf("%s: no branch of the reader takes %s", path, w.branchName())
	}
	if slices.Contains(promotions[r.kind], w.kind) {
		return nil
	}
	if !sameType(r, w) {
		return fmt.Errorf("%s: written as %s, read as %s", path, w.branchName(), r.branchName())
	}
	return readableInside(r, w, path)
}

// sameType compares kinds and, of named types, the names without namespace.
func sameType(r, w *node) bool {
	if r.kind != w.kind || r.kind == kindFixed && r.size != w.size {
		return false
	}
	return r.name == "" || r.short() == w.short() || slices.Contains(r.aliases, w.short())
}

func readableInside(r, w *node, path string) error {
	switch r.kind {
	case kindArray, kindMap:
		return readable(r.items, w.items, path+"[]")
	case kindEnum:
		for _, s := range w.symbols {
			if r.enumOther == "" && !r.hasSymbol(s) {
				return fmt.Errorf("%s: the reader has neither %q nor a default symbol", path, s)
			}
		}
	case kindRecord:
		return readableFields(r, w, path)
	}
	if r.logical == "decimal" && w.logical == "decimal" && (r.precision != w.precision || r.scale != w.scale) {
		return fmt.Errorf("%s: decimals of different precision or scale", path)
	}
	return nil
}

func readableFields(r, w *node, path string) error {
	for _, f := range r.fields {
		written := w.fieldFor(f)
		if written == nil && !f.hasDefault {
			return fmt.Errorf("%s.%s: not written, and the reader has no default", path, f.name)
		}
		if written == nil {
			continue
		}
		if err := readable(f.typ, written.typ, path+"."+f.name); err != nil {
			return err
		}
	}
	return nil
}

// fieldFor returns the writer's field that the reader's field takes: by name, else by alias.
func (n *node) fieldFor(f field) *field {
	for _, name := range append([]string{f.name}, f.aliases...) {
		for i := range n.fields {
			if n.fields[i].name == name {
				return &n.fields[i]
			}
		}
	}
	return nil
}

// Compatible says whether each of the two schemas can read the other's records, which
// FULL compatibility asks for (DESIGN.md, "Records").
func Compatible(a, b string) error {
	if err := Readable(a, b); err != nil {
		return err
	}
	return Readable(b, a)
}
