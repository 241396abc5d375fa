package window_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"alipay-kafka-bridge/internal/consume/window"
)

var here = window.Place{Cluster: "cluster", TopicID: [16]byte{1}, Group: "group", Partition: 3, Count: 8}

// A position says exactly what is finished: everything settled or skipped, nothing else.
func TestPositionCoversWhatIsFinished(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Int64Range(0, 1000).Draw(t, "start")
		w := window.New(window.Position{Next: start})
		open := map[int64]bool{}
		at := start
		for range rapid.IntRange(0, 200).Draw(t, "records") {
			at += rapid.Int64Range(0, 3).Draw(t, "gap")
			if !w.Admit(at) {
				t.Fatalf("offset %d refused", at)
			}
			open[at] = true
			at++
			if rapid.Bool().Draw(t, "settle") {
				done := drawSome(t, open)
				w.Settle(done)
			}
		}
		batch := drawSome(t, open)
		p := w.Position(batch)
		for o := start; o < at; o++ {
			if got, want := p.Covers(o), !open[o]; got != want {
				t.Fatalf("covers(%d) = %v, want %v", o, got, want)
			}
		}
		for o := at; o < at+5; o++ {
			if p.Covers(o) {
				t.Fatalf("covers %d, which never came", o)
			}
		}
		if open[p.Next] == false && p.Next != at {
			t.Fatalf("next = %d is finished", p.Next)
		}
		rewound := rapid.Int64Range(0, at).Draw(t, "rewound below")
		text, err := here.Text(p, rewound)
		if err != nil {
			t.Fatal(err)
		}
		back, err := here.Read(p.Next, text)
		if err != nil {
			t.Fatal(err)
		}
		if back.Partitions != here.Count || rewound > p.Next && back.RewoundBelow != rewound || rewound <= p.Next && back.RewoundBelow != 0 {
			t.Fatalf("read back: %d partitions, rewound below %d, want %d; next is %d", back.Partitions, back.RewoundBelow, rewound, p.Next)
		}
		for o := start; o < at+5; o++ {
			if back.Covers(o) != p.Covers(o) {
				t.Fatalf("read back: covers(%d) = %v", o, back.Covers(o))
			}
		}
	})
}

// drawSome removes random open offsets and returns them, ascending.
func drawSome(t *rapid.T, open map[int64]bool) []int64 {
	var done []int64
	for o := range open {
		done = append(done, o)
	}
	slices.Sort(done)
	done = slices.DeleteFunc(done, func(int64) bool { return rapid.Bool().Draw(t, "keep") })
	for _, o := range done {
		delete(open, o)
	}
	return done
}

// A new owner skips what the text says is finished, and calls the rest.
func TestRestoredWindowSkipsFinished(t *testing.T) {
	w := window.New(window.Position{Next: 10, Ahead: []window.Span{{From: 12, To: 14}, {From: 20, To: 21}}})
	var got []int64
	for o := int64(10); o < 24; o++ {
		if w.Admit(o) {
			got = append(got, o)
		}
	}
	if want := []int64{10, 11, 14, 15, 16, 17, 18, 19, 21, 22, 23}; !slices.Equal(got, want) {
		t.Errorf("admitted %v, want %v", got, want)
	}
	w.Settle(got)
	if p := w.Position(nil); p.Next != 24 {
		t.Errorf("next = %d, want 24", p.Next)
	}
}

// What a previous owner finished survives the commits of a new one that has not read it yet.
func TestUnreadSpansStayInTheText(t *testing.T) {
	w := window.New(window.Position{Next: 10, Ahead: []window.Span{{From: 15, To: 18}}})
	w.Admit(10)
	w.Admit(11)
	p := w.Position([]int64{10})
	if p.Next != 11 || !p.Covers(16) || p.Covers(14) {
		t.Errorf("position = %+v", p)
	}
	if p = w.Position([]int64{10, 11}); p.Next != 12 || !p.Covers(16) || p.Covers(14) {
		t.Errorf("position = %+v", p)
	}
}

// The text of any window fits the broker's limit.
func TestAdmittedWindowAlwaysFits(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := window.New(window.Position{Next: 0})
		var open []int64
		at := int64(0)
		for range 60_000 {
			if seed%3 == 0 {
				at += int64(r.IntN(2))
			} else if r.IntN(50) == 0 {
				at += int64(r.IntN(1 << (seed % 27)))
			}
			if !w.Admits(at) {
				break
			}
			w.Admit(at)
			open = append(open, at)
			at++
			if r.IntN(3) > 0 && len(open) > 1 { // the head stays open: the worst case
				i := 1 + r.IntN(len(open)-1)
				w.Settle(open[i : i+1])
				open = slices.Delete(open, i, i+1)
			}
		}
		text, err := here.Text(w.Position(nil), 0)
		if err != nil || len(text) > window.MaxText {
			t.Errorf("seed %d: text of %d bytes, %v", seed, len(text), err)
		}
	}
}

// One slow record holds back at most so many others, wherever the partition is.
func TestWindowIsBounded(t *testing.T) {
	for _, begin := range []int64{0, 1_000_000_000} {
		w := window.New(window.Position{Next: begin})
		o := begin
		for ; w.Admits(o); o++ {
			w.Admit(o)
		}
		if o-begin != 24_000 {
			t.Errorf("admitted %d offsets behind one unfinished, want 24000", o-begin)
		}
	}
}

// A few unfinished records hold nothing back that is far away, within a bound.
func TestFewUnfinishedHoldBackLess(t *testing.T) {
	const begin, near, far = 1_000_000_000, 24_000, 1 << 28
	for open, want := range map[int]map[int64]bool{
		1:   {near: true, far - 1: true, far: false},
		699: {near: true, far - 1: true, far: false},
		700: {near - 1: true, near: false, far - 1: false},
	} {
		w := window.New(window.Position{Next: begin})
		for o := range int64(open) {
			w.Admit(begin + o)
		}
		for distance, admits := range want {
			if w.Admits(begin+distance) != admits {
				t.Errorf("%d unfinished: an offset %d away is admitted: %t, want %t", open, distance, !admits, admits)
			}
		}
	}
}

// spans are so many, with a gap of that length before each.
func spans(next int64, gap int64, n int) (out []window.Span) {
	for range n {
		next += gap
		out = append(out, window.Span{From: next, To: next + 1})
		next++
	}
	return out
}

// A text may be as long as the broker allows, and no longer.
func TestTextsAtTheirLimit(t *testing.T) {
	const next = 1_000_000
	full := spans(next, 128, 1016) // three bytes each, as runs
	last := full[len(full)-1].To
	for name, tt := range map[string]struct {
		ahead []window.Span
		fits  bool
	}{
		"4096 bytes":                  {append(full[:1016:1016], spans(last, 1, 1)...), true},
		"one more run":                {append(full[:1016:1016], spans(last, 1, 2)...), false},
		"every second of 24000":       {spans(next, 1, 12_000), true},
		"every second of 24000 and 2": {spans(next, 1, 12_001), false},
	} {
		p := window.Position{Next: next, Ahead: tt.ahead}
		text, err := here.Text(p, 0)
		if fits := err == nil; fits != tt.fits || len(text) > window.MaxText {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		if err != nil {
			continue
		}
		if back, err := here.Read(next, text); err != nil || !slices.Equal(back.Ahead, tt.ahead) {
			t.Errorf("%s: reads back as another position, %v", name, err)
		}
	}
}

// A text that is ours by its hash and makes no sense all the same is foreign.
func TestTextsThatMakeNoSense(t *testing.T) {
	const bits, runs, far = 0, 1, 1 << 28
	varints := func(n ...uint64) (b []byte) {
		for _, v := range n {
			b = binary.AppendUvarint(b, v)
		}
		return b
	}
	for name, tt := range map[string]struct {
		kind    byte
		payload []byte
		want    []window.Span // nil: foreign
	}{
		"bits":                  {bits, []byte{0b110}, []window.Span{{From: 11, To: 13}}},
		"runs":                  {runs, varints(1, 2, 3, 4), []window.Span{{From: 11, To: 13}, {From: 16, To: 20}}},
		"a third kind":          {2, []byte{1}, nil},
		"half a number":         {runs, []byte{0x80}, nil},
		"one number of two":     {runs, varints(1), nil},
		"one and a half":        {runs, []byte{1, 0x80}, nil},
		"a number of 11 bytes":  {runs, append(slices.Repeat([]byte{0xff}, 10), 1, 1), nil},
		"a second one of those": {runs, append([]byte{1}, append(slices.Repeat([]byte{0xff}, 10), 1)...), nil},
		"a gap at its limit":    {runs, varints(far, 1), []window.Span{{From: 10 + far, To: 11 + far}}},
		"a gap beyond it":       {runs, varints(far+1, 1), nil},
		"a run at its limit":    {runs, varints(1, 1<<62), []window.Span{{From: 11, To: 11 + 1<<62}}},
		"a run beyond it":       {runs, varints(1, 1<<62+1), nil},
	} {
		got, err := here.Read(10, window.Forge(here, 10, tt.kind, tt.payload))
		if !slices.Equal(got.Ahead, tt.want) || errors.Is(err, window.ErrForeignText) != (tt.want == nil) {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, tt.want)
		}
	}
}

// A text is valid only for the cluster, topic, group, partition and offset it was written for.
func TestForeignTextIsRefused(t *testing.T) {
	p := window.Position{Next: 10, Ahead: []window.Span{{From: 12, To: 14}}}
	text, err := here.Text(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]window.Place{
		"other cluster":   {Cluster: "cluste", TopicID: [16]byte{1}, Group: "rgroup", Partition: 3, Count: 8},
		"other topic":     {Cluster: "cluster", TopicID: [16]byte{2}, Group: "group", Partition: 3, Count: 8},
		"other group":     {Cluster: "cluster", TopicID: [16]byte{1}, Group: "groupe", Partition: 3, Count: 8},
		"other partition": {Cluster: "cluster", TopicID: [16]byte{1}, Group: "group", Partition: 4, Count: 8},
	} {
		if _, err := at.Read(10, text); !errors.Is(err, window.ErrForeignText) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := here.Read(11, text); !errors.Is(err, window.ErrForeignText) {
		t.Errorf("other offset: %v", err)
	}
	for _, s := range []string{"", "x", "metadata", text[:len(text)-2], text + "AA"} {
		if _, err := here.Read(10, s); !errors.Is(err, window.ErrForeignText) {
			t.Errorf("text %q: %v", s, err)
		}
	}
	if _, err := here.Read(10, text); err != nil {
		t.Errorf("own text: %v", err)
	}
}

// What lies below the log start is cut off; what was finished beyond it stays finished.
func TestPositionFromALowerBound(t *testing.T) {
	p := window.Position{Next: 10, Ahead: []window.Span{{From: 12, To: 14}, {From: 20, To: 25}}}
	for low, want := range map[int64]window.Position{
		5:  p,
		11: {Next: 11, Ahead: p.Ahead},
		12: {Next: 14, Ahead: p.Ahead[1:]},
		13: {Next: 14, Ahead: p.Ahead[1:]},
		19: {Next: 19, Ahead: p.Ahead[1:]},
		22: {Next: 25},
		30: {Next: 30},
	} {
		if got := p.From(low); got.Next != want.Next || !slices.Equal(got.Ahead, want.Ahead) {
			t.Errorf("from %d: %+v, want %+v", low, got, want)
		}
	}
}

// A text that was cut anywhere is foreign, never an error of ours.
func TestCutTextsAreForeign(t *testing.T) {
	for _, rewound := range []int64{0, 50} {
		text, err := here.Text(window.Position{Next: 10, Ahead: []window.Span{{From: 12, To: 14}}}, rewound)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(raw) {
			if _, err := here.Read(10, base64.RawStdEncoding.EncodeToString(raw[:n])); !errors.Is(err, window.ErrForeignText) {
				t.Errorf("%d of %d bytes: %v", n, len(raw), err)
			}
		}
	}
}

// A bitset has one bit for each offset, wherever the partition is.
func TestBitsetsAreShort(t *testing.T) {
	p := window.Position{Next: 1_000_000_000}
	for i := range int64(400) {
		p.Ahead = append(p.Ahead, window.Span{From: p.Next + 2*i + 1, To: p.Next + 2*i + 2})
	}
	text, err := here.Text(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	const head, bits = 22, 100
	if n := base64.RawStdEncoding.DecodedLen(len(text)); n != head+bits {
		t.Errorf("%d bytes, want %d", n, head+bits)
	}
}
