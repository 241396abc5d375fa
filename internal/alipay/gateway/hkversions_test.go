package gateway

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Versions of keys are tried from the newest on: numbers by their value, and before all others.
func TestNewerVersionsComeFirst(t *testing.T) {
	want := []string{"12", "10", "9", "2", "1", "0", "-1", "v2", "v10", "b", "a", ""}
	for range 50 {
		got := slices.Clone(want)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		if slices.SortFunc(got, newerFirst); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}
