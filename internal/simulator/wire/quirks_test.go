package wire

import (
	"slices"
	"testing"
)

func TestQuirksByName(t *testing.T) {
	less := func(quirks []Quirk, q Quirk) []Quirk {
		return slices.DeleteFunc(quirks, func(x Quirk) bool { return x == q })
	}
	for _, tt := range []struct {
		name, text string
		want       []Quirk
	}{
		{"none", "none", []Quirk{}},
		{"nothing", "", []Quirk{}},
		{"names", "sign_first,white_space", []Quirk{SignFirst, WhiteSpace}},
		{"a name and the same with a minus", "white_space, -white_space", []Quirk{}},
		{"all", "all", AllQuirks()},
		{"default", "default", DefaultQuirks()},
		{"only a name with a minus", "-white_space", less(DefaultQuirks(), WhiteSpace)},
		{"all but one", "all,-sign_first", less(AllQuirks(), SignFirst)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slices.Sort(tt.want)
			if got, err := ParseQuirks(tt.text); err != nil || got == nil || !slices.Equal(got, tt.want) {
				t.Errorf("%q = %v, %v, want %v", tt.text, got, err, tt.want)
			}
		})
	}
	if _, err := ParseQuirks("earthquake"); err == nil {
		t.Error("an unknown quirk was accepted")
	}
}
