package explain

import (
	"slices"
	"testing"
)

// A vertical line in a cell, as the pages that are generated write it.
func TestCells(t *testing.T) {
	if got, want := cells(`| a \| b | | c |`), []string{"a | b", "", "c"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
