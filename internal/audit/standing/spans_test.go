package standing

import (
	"math/rand/v2"
	"testing"
)

// The set does what a map of offsets would do.
func TestSetAgainstAMap(t *testing.T) {
	const most = 60
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var s, other set
		have, others := map[int64]bool{}, map[int64]bool{}
		for range 20 {
			from := r.Int64N(most)
			to := from + r.Int64N(8)
			before := int64(0)
			for o := from; o < to; o++ {
				if have[o] {
					before++
				}
				have[o] = true
			}
			if got := s.add(from, to); got != before {
				t.Fatalf("seed %d: adding %d-%d found %d before, want %d", seed, from, to, got, before)
			}
			at := r.Int64N(most)
			other.add(at, at+1)
			others[at] = true
		}
		for i := 1; i < len(s); i++ {
			if s[i-1].To >= s[i].From {
				t.Fatalf("seed %d: spans touch: %v", seed, s)
			}
		}
		low, high := r.Int64N(most), r.Int64N(most)
		for name, tt := range map[string]struct {
			got  set
			want func(o int64) bool
		}{
			"in":      {s.in(low, high), func(o int64) bool { return have[o] && o >= low && o < high }},
			"without": {s.without(other, set{{From: low, To: max(low, high)}}), func(o int64) bool { return have[o] && !others[o] && (o < low || o >= high) }},
		} {
			n := int64(0)
			for o := range int64(most + 10) {
				in := len(tt.got.in(o, o+1)) == 1
				if in != tt.want(o) {
					t.Fatalf("seed %d: %s: offset %d is %t in %v", seed, name, o, in, tt.got)
				}
				if in {
					n++
				}
			}
			if tt.got.size() != n {
				t.Fatalf("seed %d: %s: size %d, want %d", seed, name, tt.got.size(), n)
			}
		}
	}
}
