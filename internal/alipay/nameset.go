package alipay

import "bytes"

// nameSet knows which names an object has had: a small table while they are few, then a map,
// so that a foreign object with very many members does not cost their square.
type nameSet struct {
	n     int
	names [48][]byte
	slots [64]uint8 // index of a name plus one, by its mark and the next free ones
	long  map[string]bool
}

// add says whether the name is new. With fold, names are compared by FoldName.
func (t *nameSet) add(name []byte, fold bool) bool {
	if fold {
		name = foldBytes(name)
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

// mark spreads names over the slots. Names that share one are compared as a whole, so nobody
// gains more by choosing them than 48 comparisons a name.
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
