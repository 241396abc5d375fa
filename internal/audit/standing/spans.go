package standing

import (
	"cmp"
	"slices"

	"alipay-kafka-bridge/internal/consume/window"
)

// set is a set of offsets: spans in ascending order that do not touch.
type set []window.Span

// add adds a span and reports how many of its offsets were in the set before.
func (s *set) add(from, to int64) (before int64) {
	if from >= to {
		return 0
	}
	all := *s
	// The spans that touch the new one are [i, j).
	i, _ := slices.BinarySearchFunc(all, from, func(x window.Span, o int64) int { return cmp.Compare(x.To, o) })
	j := i
	whole := window.Span{From: from, To: to}
	for ; j < len(all) && all[j].From <= to; j++ {
		before += max(0, min(all[j].To, to)-max(all[j].From, from))
		whole = window.Span{From: min(whole.From, all[j].From), To: max(whole.To, all[j].To)}
	}
	*s = slices.Replace(all, i, j, whole)
	return before
}

// in returns the part of the set in [from, to).
func (s set) in(from, to int64) set {
	var out set
	for _, x := range s {
		if x = (window.Span{From: max(x.From, from), To: min(x.To, to)}); x.From < x.To {
			out = append(out, x)
		}
	}
	return out
}

// without returns the offsets that are in none of the others.
func (s set) without(others ...set) set {
	for _, o := range others {
		s = s.minus(o)
	}
	return s
}

// minus walks over both sets once.
func (s set) minus(o set) set {
	var out set
	k := 0
	for _, x := range s {
		from := x.From
		for k < len(o) && o[k].To <= from {
			k++
		}
		for i := k; i < len(o) && o[i].From < x.To; i++ {
			if from < o[i].From {
				out = append(out, window.Span{From: from, To: o[i].From})
			}
			from = o[i].To
		}
		if from < x.To {
			out = append(out, window.Span{From: from, To: x.To})
		}
	}
	return out
}

// size is how many offsets the set has.
func (s set) size() (n int64) {
	for _, x := range s {
		n += x.To - x.From
	}
	return n
}
