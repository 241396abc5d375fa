package offsets_test

import (
	"cmp"
	"testing"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
)

func id(n byte) [16]byte { return [16]byte{n} }

// unread is a topic of which no record was read.
const unread = 99

func namesOf(ids ...byte) *offsets.Names {
	n := &offsets.Names{}
	for _, i := range ids {
		n.See(offsets.Facts{TopicIDs: map[string][16]byte{"in": id(i)}})
		if i != unread {
			n.Read("in", id(i))
		}
	}
	return n
}

// A position is of an earlier topic only if its text says so and records of that topic were read: one of the same topic, of
// a broker without ids, or that someone else wrote, is not.
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
		again bool // it is not the topic that had the name last
		stale bool
	}{
		"the same topic":                {[]byte{1}, 1, text(1), false, false},
		"created again":                 {[]byte{1}, 2, text(1), true, true},
		"created again and seen":        {[]byte{1, 2}, 2, text(1), false, true},
		"created again twice":           {[]byte{1, 2}, 3, text(1), true, true},
		"committed for the new one":     {[]byte{1, 2}, 2, text(2), false, false},
		"back to the one before":        {[]byte{1, 2, 1}, 1, text(2), false, true},
		"of a topic that was not read":  {[]byte{unread}, 2, text(unread), true, false},
		"an answer without ids between": {[]byte{1, 0}, 2, text(1), true, true},
		"someone else's":                {[]byte{1, 2}, 2, "", false, false},
		"never seen":                    {nil, 2, text(1), false, false},
		"a broker without ids before":   {[]byte{0}, 2, text(0), false, false},
		"a broker without ids now":      {[]byte{1}, 0, text(1), false, false},
		"without ids before and after":  {[]byte{0}, 0, text(0), false, false},
		"more topics than are recalled": {[]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, 18, text(1), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := namesOf(tt.seen...)
			if got := n.CreatedAgain("in", id(tt.now)); got != tt.again {
				t.Errorf("created again: %t, want %t", got, tt.again)
			}
			tp := offsets.TopicPartition{Topic: "in"}
			was := offsets.Committed{Offset: 5, Text: tt.text}
			found := map[offsets.TopicPartition]offsets.Committed{tp: was}
			q := n.Question("g", offsets.Start{}, offsets.Facts{TopicIDs: map[string][16]byte{"in": id(tt.now)}}, found)
			if got := found[tp].Offset < 0; got != tt.stale || (q.Stale[tp] == was) != tt.stale {
				t.Errorf("stale: %t, %v; want %t", got, q.Stale, tt.stale)
			}
			if q.CreatedAgain("in") != (tt.again || tt.stale) {
				t.Errorf("the question says created again: %t", q.CreatedAgain("in"))
			}
			want := byte(0)
			for _, i := range tt.seen {
				want = cmp.Or(i, want)
			}
			if last, known := n.Last("in"); known != (len(tt.seen) > 0) || last != id(want) {
				t.Errorf("last %v, %t; want %d", last, known, want)
			}
		})
	}
}
