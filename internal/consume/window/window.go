// Package window knows what is finished of a partition, and writes it into the metadata of an
// offset commit.
package window

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

// Span is a run of offsets: from, and up to but without to.
type Span struct{ From, To int64 }

// Position is what a commit says about a partition: every offset below next is finished,
// and so are the spans ahead of it. Spans are ascending, apart, and begin above next.
type Position struct {
	Next  int64
	Ahead []Span
}

func (p Position) Covers(offset int64) bool {
	if offset < p.Next {
		return true
	}
	_, found := slices.BinarySearchFunc(p.Ahead, offset, func(s Span, o int64) int {
		switch {
		case s.To <= o:
			return -1
		case s.From > o:
			return 1
		}
		return 0
	})
	return found
}

// From is the position without what lies below an offset.
func (p Position) From(low int64) Position {
	out := Position{Next: max(p.Next, low)}
	for _, s := range p.Ahead {
		switch {
		case s.To <= out.Next:
		case s.From <= out.Next:
			out.Next = s.To
		default:
			out.Ahead = append(out.Ahead, s)
		}
	}
	return out
}

// Window knows, for one assignment of a partition, which offsets were admitted and are not
// settled yet. An offset that never came (a transaction marker, a compacted record) is
// finished as soon as a later one was admitted. Engine.mu guards it.
type Window struct {
	high  int64   // every offset below was admitted, skipped or is a gap
	open  []int64 // admitted and not settled, ascending
	ahead []Span  // finished by a previous owner, at high or above
}

func New(p Position) *Window {
	return &Window{high: p.Next, ahead: slices.Clone(p.Ahead)}
}

// Unsettled is how many offsets were admitted and are not settled.
func (w *Window) Unsettled() int { return len(w.open) }

// High is the lowest offset that was not admitted yet.
func (w *Window) High() int64 { return w.high }

// Next is the lowest offset that is not settled.
func (w *Window) Next() int64 { return w.Position(nil).Next }

// Head is the lowest offset that was admitted and is not settled, or the next to be admitted.
func (w *Window) Head() int64 {
	if len(w.open) > 0 {
		return w.open[0]
	}
	return w.high
}

// Used is the share of the window that is used: at 1, an offset is not admitted any more.
func (w *Window) Used() float64 {
	distance := float64(w.high - w.Head())
	return min(1, distance/bitsetSpan, float64(len(w.open))/fewOpen)
}

// Admits reports whether the window text stays below its size limit with this offset.
func (w *Window) Admits(offset int64) bool {
	if len(w.open) == 0 {
		return true
	}
	distance := offset - w.open[0]
	return distance < bitsetSpan || len(w.open) < fewOpen && distance < runSpan
}

// Admit adds the next record's offset. It reports false when the record is to be skipped: a
// previous owner finished it, or it was admitted before.
func (w *Window) Admit(offset int64) bool {
	if offset < w.high {
		return false
	}
	done := Position{Next: w.high, Ahead: w.ahead}.Covers(offset)
	w.high = offset + 1
	for len(w.ahead) > 0 && w.ahead[0].To <= w.high {
		w.ahead = w.ahead[1:]
	}
	if len(w.ahead) > 0 && w.ahead[0].From < w.high {
		w.ahead[0].From = w.high
	}
	if done {
		return false
	}
	w.open = append(w.open, offset)
	return true
}

// Position is the partition's position once the given open offsets are settled too.
// finished is ascending.
func (w *Window) Position(finished []int64) Position {
	var p Position
	p.Next = -1
	prev := int64(-1) // the previous unfinished offset
	for _, o := range w.open {
		if len(finished) > 0 && finished[0] == o {
			finished = finished[1:]
			continue
		}
		if prev < 0 {
			p.Next = o
		} else {
			p.Ahead = appendSpan(p.Ahead, Span{prev + 1, o})
		}
		prev = o
	}
	if prev < 0 {
		return w.beyond()
	}
	p.Ahead = appendSpan(p.Ahead, Span{prev + 1, w.high})
	for _, s := range w.ahead {
		p.Ahead = appendSpan(p.Ahead, s)
	}
	return p
}

// beyond is the position of a window without unfinished offsets.
func (w *Window) beyond() Position {
	p := Position{Next: w.high, Ahead: w.ahead}
	for len(p.Ahead) > 0 && p.Ahead[0].From <= p.Next {
		p.Next = p.Ahead[0].To
		p.Ahead = p.Ahead[1:]
	}
	p.Ahead = slices.Clone(p.Ahead)
	return p
}

// Settle forgets open offsets that are committed. finished is ascending.
func (w *Window) Settle(finished []int64) {
	w.open = slices.DeleteFunc(w.open, func(o int64) bool {
		if len(finished) > 0 && finished[0] == o {
			finished = finished[1:]
			return true
		}
		return false
	})
}

// appendSpan adds s at the end, joined to the last span if they touch; empty ones not at all.
func appendSpan(spans []Span, s Span) []Span {
	if s.From >= s.To {
		return spans
	}
	if n := len(spans); n > 0 && spans[n-1].To >= s.From {
		spans[n-1].To = max(spans[n-1].To, s.To)
		return spans
	}
	return append(spans, s)
}
