package order

import (
	"encoding/json"
	"strconv"
	"strings"
)

// jsonRewriter copies a valid JSON text and may replace its literals. It leaves
// everything else as it is: white space, order, spelling of numbers.
type jsonRewriter struct {
	in   string
	i    int
	out  []byte
	path []byte // of names from the root on, joined by points; lists add nothing
	leaf func(path []byte, literal string) (instead string, replace bool)
}

func (r *jsonRewriter) value() {
	r.space()
	switch r.in[r.i] {
	case '{':
		r.object()
	case '[':
		r.copy(1)
		for r.space(); r.in[r.i] != ']'; r.space() {
			r.value()
			r.comma()
		}
		r.copy(1)
	default:
		r.literal()
	}
	r.space()
}

func (r *jsonRewriter) object() {
	r.copy(1)
	for r.space(); r.in[r.i] != '}'; r.space() {
		before := len(r.path)
		raw := r.in[r.i : r.i+r.stringLen()]
		r.copy(len(raw))
		r.push(raw)
		r.space()
		r.copy(1) // the colon
		r.value()
		r.path = r.path[:before]
		r.comma()
	}
	r.copy(1)
}

// push adds a name to the path. A point in a name would make it another path: no document has
// such names.
func (r *jsonRewriter) push(raw string) {
	name := raw[1 : len(raw)-1]
	if strings.Contains(name, `\`) && json.Unmarshal([]byte(raw), &name) != nil || strings.Contains(name, ".") {
		name = "?"
	}
	if len(r.path) > 0 {
		r.path = append(r.path, '.')
	}
	r.path = append(r.path, name...)
}

func (r *jsonRewriter) literal() {
	n := r.stringLen()
	for n == 0 || r.in[r.i] != '"' && r.i+n < len(r.in) && strings.IndexByte(",]} \t\r\n", r.in[r.i+n]) < 0 {
		n++
	}
	instead, replace := r.leaf(r.path, r.in[r.i:r.i+n])
	if !replace {
		r.copy(n)
		return
	}
	r.out = strconv.AppendQuote(r.out, instead) // ASCII: the same in JSON
	r.i += n
}

// stringLen is the length of the string that begins here, 0 for anything else.
func (r *jsonRewriter) stringLen() int {
	if r.in[r.i] != '"' {
		return 0
	}
	n := 1
	for ; r.in[r.i+n] != '"'; n++ {
		if r.in[r.i+n] == '\\' {
			n++
		}
	}
	return n + 1
}

func (r *jsonRewriter) comma() {
	if r.space(); r.in[r.i] == ',' {
		r.copy(1)
	}
}

func (r *jsonRewriter) space() {
	for r.i < len(r.in) && (r.in[r.i] == ' ' || r.in[r.i] == '\t' || r.in[r.i] == '\r' || r.in[r.i] == '\n') {
		r.copy(1)
	}
}

func (r *jsonRewriter) copy(n int) {
	r.out = append(r.out, r.in[r.i:r.i+n]...)
	r.i += n
}
