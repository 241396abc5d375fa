package seeded_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/simulator/seeded"
)

// The values are fixed: a state file keeps numbers that a later version of the simulator must make again.
func TestValuesAreFixed(t *testing.T) {
	sum := seeded.Hash("a", "b")
	for _, tt := range []struct{ name, got, want string }{
		{"Hash is SHA-256 with a zero byte between the parts", hex.EncodeToString(sum[:]), "59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"},
		{"Fraction", fmt.Sprintf("%.15f", seeded.Fraction(7, "fault", "0")), "0.040919383085200"},
		{"Digits", seeded.Digits(20, "trade", "app", "", "o_1"), "44608714308058332946"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %s, want %s", tt.got, tt.want)
			}
		})
	}
}

func TestPartsAreKeptApart(t *testing.T) {
	for _, tt := range []struct{ name, one, other string }{
		{"Hash", hashOf("ab", "c"), hashOf("a", "bc")},
		{"Hash with an empty part", hashOf("a"), hashOf("a", "")},
		{"Digits", seeded.Digits(10, "x", "ab", "c"), seeded.Digits(10, "x", "a", "bc")},
		{"Digits of another kind", seeded.Digits(10, "trade", "1"), seeded.Digits(10, "notification", "1")},
		{"Fraction", fmt.Sprint(seeded.Fraction(1, "ab", "c")), fmt.Sprint(seeded.Fraction(1, "a", "bc"))},
		{"Fraction of another seed", fmt.Sprint(seeded.Fraction(1, "a")), fmt.Sprint(seeded.Fraction(2, "a"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.one == tt.other {
				t.Errorf("both are %s", tt.one)
			}
		})
	}
}

func hashOf(first string, parts ...string) string {
	sum := seeded.Hash(first, parts...)
	return hex.EncodeToString(sum[:])
}

// A fault with probability p acts on about a share of p of the orders.
func TestFractionsAreSpread(t *testing.T) {
	const n = 10_000
	var tenths [10]int
	for i := range n {
		f := seeded.Fraction(1, "fault", fmt.Sprint(i))
		if f < 0 || f >= 1 {
			t.Fatalf("fraction %d = %g, want it in [0, 1)", i, f)
		}
		tenths[int(f*10)]++
	}
	for i, count := range tenths {
		if count < n/10*8/10 || count > n/10*12/10 {
			t.Errorf("%d of %d fractions begin with 0.%d", count, n, i)
		}
	}
}

func TestDigits(t *testing.T) {
	for _, n := range []int{0, 1, 28, 32, 33, 100} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			got := seeded.Digits(n, "trade", "1")
			if len(got) != n || strings.Trim(got, "0123456789") != "" {
				t.Errorf("got %q, want %d decimal digits", got, n)
			}
			if more := seeded.Digits(n+1, "trade", "1"); !strings.HasPrefix(more, got) {
				t.Errorf("%q does not begin with %q", more, got)
			}
		})
	}
	if long := seeded.Digits(64, "trade", "1"); long[:32] == long[32:] {
		t.Errorf("the digits repeat: %s", long)
	}
}
