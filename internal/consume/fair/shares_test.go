package fair_test

import (
	"math"
	"testing"

	"alipay-kafka-bridge/internal/consume/fair"
)

func TestShares(t *testing.T) {
	s := fair.Shares[string]{MaxN: 20, MaxBytes: 1000}
	want := func(when string, large, small bool) {
		t.Helper()
		if l, sm := s.Choked("large"), s.Choked("small"); l != large || sm != small {
			t.Errorf("%s: large is choked: %t, small: %t; want %t, %t", when, l, sm, large, small)
		}
	}
	freed := func(want bool) {
		t.Helper()
		if got := s.Freed(); got != want {
			t.Errorf("freed: %t, want %t", got, want)
		}
	}
	s.Add("large", 9, 800)
	s.Add("small", 1, 100)
	want("below both bounds", false, false)
	s.Add("large", 1, 100)
	want("too many bytes", true, false)
	freed(false)
	s.Add("small", 1, 300)
	want("small has its share too", true, true)
	s.Add("large", -10, -900) // a choked one stays in the table until it is free
	freed(true)
	want("the sum is small again", false, false)
	s.Add("small", 17, 0)
	s.Add("large", 1, 0)
	want("too many", false, true)
	s.Add("small", -3, 0)
	freed(false) // a little less than too many is not room
	want("still", false, true)
	s.Forget(func(k string) bool { return k == "small" })
	if want("forgotten", false, false); s.Bytes() != 0 || s.Full() {
		t.Errorf("%d bytes after one is forgotten, want none", s.Bytes())
	}
}

// Who comes late has a share left, however much the others hold, and the sum has a bound.
func TestSharesOfThoseThatComeLate(t *testing.T) {
	const bound = 10_000
	s := fair.Shares[int]{MaxN: math.MaxInt, MaxBytes: bound}
	most := 0.
	for k := range 50 {
		before := s.Bytes()
		for !s.Choked(k) {
			s.Add(k, 1, 1)
		}
		if s.Bytes() == before {
			t.Errorf("number %d has nothing", k)
		}
		most += float64(bound) / float64(k+1)
	}
	if n := s.Bytes(); n < bound || float64(n) > most {
		t.Errorf("all hold %d, want at most %.0f", n, most)
	}
}
