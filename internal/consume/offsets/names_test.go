package offsets_test

import (
	"testing"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
)

func id(n byte) [16]byte { return [16]byte{n} }

func namesOf(ids ...byte) offsets.Names {
	n := offsets.Names{}
	for _, i := range ids {
		n.See(offsets.Facts{TopicIDs: map[string][16]byte{"in": id(i)}})
	}
	return n
}

// A position is of an earlier topic only if its text says so: one of the same topic, of a broker without ids, or that
// someone else wrote, is not.
func TestPositionsOfEarlierTopics(t *testing.T) {
	text := func(of byte) string {
		s, err := window.Place{Group: "g", TopicID: id(of), Count: 4}.Text(window.Position{Next: 5}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, tt := range map[string]struct {
		seen  []byte
		now   byte
		text  string
		again bool
		stale bool
	}{
		"the same topic":                {[]byte{1}, 1, text(1), false, false},
		"created again":                 {[]byte{1}, 2, text(1), true, true},
		"created again and seen":        {[]byte{1, 2}, 2, text(1), true, true},
		"created again twice":           {[]byte{1, 2}, 3, text(1), true, true},
		"committed for the new one":     {[]byte{1, 2}, 2, text(2), true, false},
		"someone else's":                {[]byte{1, 2}, 2, "", true, false},
		"never seen":                    {nil, 2, text(1), false, false},
		"a broker without ids before":   {[]byte{0}, 2, text(0), false, false},
		"a broker without ids now":      {[]byte{1}, 0, text(1), false, false},
		"without ids before and after":  {[]byte{0}, 0, text(0), false, false},
		"more topics than are recalled": {[]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, 18, text(1), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := namesOf(tt.seen...)
			if got := n.CreatedAgain("in", id(tt.now)); got != tt.again {
				t.Errorf("created again: %t, want %t", got, tt.again)
			}
			place := window.Place{Group: "g", TopicID: id(tt.now), Count: 4}
			if got := n.Stale(place, "in", offsets.Committed{Offset: 5, Text: tt.text}); got != tt.stale {
				t.Errorf("stale: %t, want %t", got, tt.stale)
			}
			if place.TopicID != id(tt.now) {
				t.Error("the place was changed")
			}
			if last, known := n.Last("in"); known != (len(tt.seen) > 0) || known && last != id(tt.seen[len(tt.seen)-1]) {
				t.Errorf("last %v, %t", last, known)
			}
		})
	}
}
