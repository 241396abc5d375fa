package jsonscan

import (
	"bytes"
	"unicode/utf8"
)

// nameSet holds the names that an object has had: a small table while they are few, then a map,
// so that an untrusted object with very many members does not cost quadratic time.
type nameSet struct {
	n     int
	names [48][]byte
	slots [64]uint8 // index of a name plus one, by its mark and the next free ones
	long  map[string]bool
}

// add reports whether the name is new. With fold, names are compared by FoldName.
func (t *nameSet) add(name []byte, fold bool) bool {
	if fold {
		name = FoldBytes(name)
	}
	if t.n >= len(t.names) {
		return t.addLong(name)
	}
	i := mark(name)
	for ; t.slots[i] != 0; i = (i + 1) % len(t.slots) {
		if bytes.Equal(t.names[t.slots[i]-1], name) {
			return false
		}
	}
	t.names[t.n] = name
	t.n++
	t.slots[i] = uint8(t.n)
	return true
}

// mark spreads names over the slots. Names that share a slot are compared, so hostile
// names cost at most 48 comparisons each.
func mark(name []byte) int {
	n := len(name)
	if n == 0 {
		return 0
	}
	return (n*7 + int(name[0])*31 + int(name[n/2])*17 + int(name[n-1])*5 + int(name[n/3])*13) % 64
}

func (t *nameSet) addLong(name []byte) bool {
	if t.long == nil {
		t.long = make(map[string]bool, 2*len(t.names))
		for _, have := range t.names {
			t.long[string(have)] = true
		}
	}
	if t.long[string(name)] {
		return false
	}
	t.long[string(name)] = true
	t.n++
	return true
}

// FoldName returns the form in which names of JSON members are compared: lower case, without
// _ and -. A receiver may read totalAmount or TOTAL_AMOUNT as total_amount, as
// fastjson did by default (alibaba/fastjson #1459, #2026).
func FoldName(name string) string { return string(FoldBytes([]byte(name))) }

// FoldBytes is FoldName for bytes. A name that is folded already is returned as it is.
func FoldBytes(name []byte) []byte {
	for i, c := range name {
		if c == '_' || c == '-' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			return foldFrom(name, i)
		}
	}
	return name
}

// foldFrom copies a name whose first n bytes need no change.
func foldFrom(name []byte, n int) []byte {
	out := append(make([]byte, 0, len(name)), name[:n]...)
	wide := false
	for _, c := range name[n:] {
		switch {
		case c == '_' || c == '-':
			continue
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c >= utf8.RuneSelf:
			wide = true // some non-ASCII letters have ASCII lower-case forms
		}
		out = append(out, c)
	}
	if wide {
		return bytes.ToLower(out)
	}
	return out
}

// EqualFolded reports whether FoldName(name) equals folded.
func EqualFolded(name string, folded []byte) bool {
	n := 0
	for i := range len(name) {
		c := name[i]
		if c == '_' || c == '-' {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if n == len(folded) || folded[n] != c {
			return false
		}
		n++
	}
	return n == len(folded)
}
