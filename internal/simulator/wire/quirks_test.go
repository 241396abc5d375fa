package wire

import (
	"slices"
	"testing"
)

func TestQuirksByName(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []Quirk
	}{
		{"none", []Quirk{}},
		{"", []Quirk{}},
		{"sign_first,white_space", []Quirk{SignFirst, WhiteSpace}},
		{"white_space, -white_space", []Quirk{}},
	} {
		if got, err := ParseQuirks(tt.text); err != nil || got == nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q = %v, %v, want %v", tt.text, got, err, tt.want)
		}
	}
	for text, want := range map[string]int{"all": 10, "default": 9, "-white_space": 8, "all,-sign_first": 9} {
		if got, err := ParseQuirks(text); err != nil || len(got) != want {
			t.Errorf("%q = %v, %v, want %d quirks", text, got, err, want)
		}
	}
	if _, err := ParseQuirks("earthquake"); err == nil {
		t.Error("an unknown quirk was taken")
	}
}
