package consume

import "slices"

const (
	// bitsetSpan is how far beyond next an offset may lie in any case: 24,000 bits are
	// 3,000 bytes, which with header and base64 stay under the broker's 4,096.
	bitsetSpan = 24_000
	// fewOpen offsets may be unfinished at any distance: 700 gaps and 700 runs between
	// them need less than 3,000 bytes as run lengths, within runSpan.
	fewOpen = 700
	// runSpan bounds the distance of such an offset, so that a run needs three bytes or,
	// for at most 128 of them, four.
	runSpan = 1 << 28
)

// span is a run of offsets: from, and up to but without to.
type span struct{ from, to int64 }

// position is what a commit says about a partition: every offset below next is finished,
// and so are the spans ahead of it. Spans are ascending, apart, and begin above next.
type position struct {
	next  int64
	ahead []span
}

func (p position) covers(offset int64) bool {
	if offset < p.next {
		return true
	}
	i, found := slices.BinarySearchFunc(p.ahead, offset, func(s span, o int64) int {
		switch {
		case s.to <= o:
			return -1
		case s.from > o:
			return 1
		}
		return 0
	})
	return found && i < len(p.ahead)
}

// window knows, for one assignment of a partition, which offsets were admitted and are not
// settled yet. An offset that never came (a transaction marker, a compacted record) is
// finished as soon as a later one was admitted. Engine.mu guards it.
type window struct {
	high  int64   // every offset below was admitted, skipped or is a gap
	open  []int64 // admitted and not settled, ascending
	ahead []span  // finished by a previous owner, at high or above
}

func newWindow(p position) *window {
	return &window{high: p.next, ahead: slices.Clone(p.ahead)}
}

// next is the lowest offset that is not settled.
func (w *window) next() int64 { return w.position(nil).next }

// admits reports whether the window text stays below its size limit with this offset.
func (w *window) admits(offset int64) bool {
	if len(w.open) == 0 {
		return true
	}
	distance := offset - w.open[0]
	return distance < bitsetSpan || len(w.open) < fewOpen && distance < runSpan
}

// admit adds the next record's offset. It reports false when the record is to be skipped: a
// previous owner finished it, or it was admitted before.
func (w *window) admit(offset int64) bool {
	if offset < w.high {
		return false
	}
	done := position{next: w.high, ahead: w.ahead}.covers(offset)
	w.high = offset + 1
	for len(w.ahead) > 0 && w.ahead[0].to <= w.high {
		w.ahead = w.ahead[1:]
	}
	if len(w.ahead) > 0 && w.ahead[0].from < w.high {
		w.ahead[0].from = w.high
	}
	if done {
		return false
	}
	w.open = append(w.open, offset)
	return true
}

// position is the partition's position once the given open offsets are settled too.
// finished is ascending.
func (w *window) position(finished []int64) position {
	var p position
	p.next = -1
	prev := int64(-1) // the previous unfinished offset
	for _, o := range w.open {
		if len(finished) > 0 && finished[0] == o {
			finished = finished[1:]
			continue
		}
		if prev < 0 {
			p.next = o
		} else {
			p.ahead = appendSpan(p.ahead, span{prev + 1, o})
		}
		prev = o
	}
	if prev < 0 {
		return w.beyond()
	}
	p.ahead = appendSpan(p.ahead, span{prev + 1, w.high})
	for _, s := range w.ahead {
		p.ahead = appendSpan(p.ahead, s)
	}
	return p
}

// beyond is the position of a window without unfinished offsets.
func (w *window) beyond() position {
	p := position{next: w.high, ahead: w.ahead}
	for len(p.ahead) > 0 && p.ahead[0].from <= p.next {
		p.next = p.ahead[0].to
		p.ahead = p.ahead[1:]
	}
	p.ahead = slices.Clone(p.ahead)
	return p
}

// settle forgets open offsets that are committed. finished is ascending.
func (w *window) settle(finished []int64) {
	w.open = slices.DeleteFunc(w.open, func(o int64) bool {
		if len(finished) > 0 && finished[0] == o {
			finished = finished[1:]
			return true
		}
		return false
	})
}

// appendSpan adds s at the end, joined to the last span if they touch; empty ones not at all.
func appendSpan(spans []span, s span) []span {
	if s.from >= s.to {
		return spans
	}
	if n := len(spans); n > 0 && spans[n-1].to >= s.from {
		spans[n-1].to = max(spans[n-1].to, s.to)
		return spans
	}
	return append(spans, s)
}
