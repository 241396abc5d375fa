package avro

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

var errInexact = errors.New("a number would lose a digit")

// refuse is the step of a branch that the reader does not have.
func refuse(p Problem) step {
	return func(*walker) (any, error) { return nil, errors.New(p.String()) }
}

// knownSymbol reads a symbol of the writer's, some of which the reader does not know.
func knownSymbol(written *node, unknown map[string]bool, other string) step {
	return func(w *walker) (any, error) {
		symbol, err := w.symbol(written)
		switch {
		case err != nil || !unknown[symbol]:
			return symbol, err
		case other == "":
			return nil, errors.New("a symbol that the reader does not have, nor a default symbol")
		}
		return other, nil
	}
}

// textAsSymbol reads text as a symbol of the reader's enum.
func textAsSymbol(enum *node) step {
	return func(w *walker) (any, error) {
		err := w.text(kindString)
		switch symbol := string(w.last); {
		case err != nil || enum.symbol(symbol) >= 0:
			return symbol, err
		case enum.enumOther != "":
			return enum.enumOther, nil
		}
		return nil, errors.New("text that is not a symbol of the reader, which has no default symbol")
	}
}

// promotions lists the writer's kinds that a reader of another kind can read.
var promotions = map[kind][]kind{
	kindLong:   {kindInt},
	kindFloat:  {kindInt, kindLong},
	kindDouble: {kindInt, kindLong, kindFloat},
	kindString: {kindBytes},
	kindBytes:  {kindString},
}

// promote matches kinds that differ. A number that the reader's kind cannot hold exactly is
// refused when it comes: an amount is never rounded.
func promote(r, w *node) match {
	if !slices.Contains(promotions[r.kind], w.kind) {
		return typeMismatch(r, w)
	}
	switch {
	case r.kind == kindLong && slices.Contains(otherTimes, w.logical) && r.logical != "":
		return noMatch("written as %s, read as %s", w.logical, r.logical)
	case r.kind == kindLong:
		return match{to: func(w *walker) (any, error) {
			v, err := w.number(kindInt)
			return instant(r, v), err
		}}
	case r.kind == kindBytes, r.kind == kindString:
		return match{to: asWritten(r)} // the same bytes
	case w.kind == kindFloat:
		return match{to: asWritten(w)}
	case r.kind == kindFloat:
		return match{to: exact(w.kind, func(n int64) float64 { return float64(float32(n)) })}
	}
	return match{to: exact(w.kind, func(n int64) float64 { return float64(n) })}
}

// exact reads a whole number as a fraction, if the conversion can be undone.
func exact(k kind, convert func(int64) float64) step {
	return func(w *walker) (any, error) {
		n, err := w.number(k)
		if err != nil {
			return nil, err
		}
		f := convert(n)
		if f >= 1<<63 || int64(f) != n {
			return nil, errInexact
		}
		return f, nil
	}
}

// completeDefault returns a field's default with the defaults of what it leaves out.
func completeDefault(n *node, raw json.RawMessage, path string) (any, error) {
	v, err := defaultOf(n, raw, path)
	if err != nil {
		return nil, err
	}
	return complete(n, v, path)
}

// complete fills the fields that a record from JSON left out.
func complete(n *node, v any, path string) (any, error) {
	var err error
	switch given := v.(type) {
	case []any:
		if n = n.holding(kindArray); n == nil {
			return v, nil
		}
		for i := range given {
			if given[i], err = complete(n.items, given[i], path); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		if n = n.holding(kindRecord, kindMap); n == nil {
			return v, nil
		}
		if n.kind == kindMap {
			for k := range maps.Keys(given) {
				if given[k], err = complete(n.items, given[k], path); err != nil {
					return nil, err
				}
			}
			return given, nil
		}
		for _, f := range n.fields {
			if value, ok := given[f.name]; ok {
				given[f.name], err = complete(f.typ, value, path)
			} else {
				given[f.name], err = completeDefault(f.typ, f.byDefault, path)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
