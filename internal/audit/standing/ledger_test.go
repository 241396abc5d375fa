package standing

import (
	"testing"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/order"
)

var in0 = offsets.TopicPartition{Topic: "in"}

func result(offset int64, outcome order.CallOutcome) *order.Result {
	return &order.Result{Origin: order.Origin{Topic: "in", Offset: offset}, Outcome: outcome}
}

func at(next int64, ahead ...window.Span) window.Position {
	return window.Position{Next: next, Ahead: ahead}
}

// Each way to end counts once, whatever evidence there is of it, and only once it is committed.
func TestWhatLedgerCounts(t *testing.T) {
	for name, tt := range map[string]struct {
		note func(l *ledger)
		next int64
		lost int64
		want Totals
	}{
		"a result":             {func(l *ledger) { l.result(result(10, order.OutcomeApplied)) }, 11, 0, Totals{Results: 1}},
		"not committed":        {func(l *ledger) { l.result(result(10, order.OutcomeApplied)) }, 10, 0, Totals{}},
		"a skip":               {func(l *ledger) { l.mark(evidenceSkip, in0, 10, 14, false) }, 14, 0, Totals{Skips: 4}},
		"a skip with a result": {func(l *ledger) { l.mark(evidenceSkip, in0, 10, 11, false); l.result(result(10, order.OutcomeSkipped)) }, 11, 0, Totals{Skips: 1}},
		"a letter alone":       {func(l *ledger) { l.mark(evidenceLetter, in0, 10, 11, false) }, 11, 0, Totals{DeadLetters: 1}},
		"a letter with its result": {func(l *ledger) {
			l.result(result(10, order.OutcomeInvalid))
			l.mark(evidenceLetter, in0, 10, 11, false)
		}, 11, 0, Totals{DeadLetters: 1}},
		"a letter of a true result": {func(l *ledger) {
			l.result(result(10, order.OutcomeApplied))
			l.mark(evidenceLetter, in0, 10, 11, false)
		}, 11, 0, Totals{DeadLetters: 1}},
		"invalid without a letter": {func(l *ledger) { l.result(result(10, order.OutcomeInvalid)) }, 11, 0, Totals{Results: 1, LettersMissing: 1}},
		"exhausted without one":    {func(l *ledger) { l.result(result(10, order.OutcomeExhausted)) }, 11, 0, Totals{Results: 1, LettersMissing: 1}},
		"twice": {func(l *ledger) {
			l.result(result(10, order.OutcomeApplied))
			l.result(result(10, order.OutcomeApplied))
		}, 11, 0, Totals{Results: 1, Repeated: 1}},
		"twice, after the group was set back": {func(l *ledger) {
			l.result(result(10, order.OutcomeApplied))
			again := result(10, order.OutcomeApplied)
			again.Rewound = true
			l.result(again)
		}, 11, 0, Totals{Results: 1}},
		"before the ledger began":   {func(l *ledger) { l.result(result(9, order.OutcomeApplied)) }, 10, 0, Totals{}},
		"another group's partition": {func(l *ledger) { r := result(10, order.OutcomeApplied); r.Origin.Partition = 7; l.result(r) }, 10, 0, Totals{}},
		"a skip and another result": {func(l *ledger) { l.mark(evidenceSkip, in0, 10, 11, false); l.result(result(10, order.OutcomeApplied)) }, 11, 0, Totals{Skips: 1}},
		"lost":                      {func(*ledger) {}, 13, 2, Totals{Unaccounted: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			l.follow(in0, at(10))
			tt.note(l)
			l.advance(in0, tt.next, tt.lost)
			if l.totals != tt.want {
				t.Errorf("%+v, want %+v", l.totals, tt.want)
			}
		})
	}
}

// A gap is what no evidence covers: neither what was seen nor what was finished before the ledger began.
func TestGaps(t *testing.T) {
	l := newLedger()
	l.follow(in0, at(10, window.Span{From: 12, To: 14}))
	l.result(result(10, order.OutcomeApplied))
	l.mark(evidenceSkip, in0, 15, 17, false)
	l.mark(evidenceLetter, in0, 18, 19, false)
	got := l.gaps(in0, 20)
	want := set{{From: 11, To: 12}, {From: 14, To: 15}, {From: 17, To: 18}, {From: 19, To: 20}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
		}
	}
	l.advance(in0, 20, 0)
	if want := (Totals{Results: 1, Skips: 2, DeadLetters: 1}); l.totals != want || len(l.gaps(in0, 20)) > 0 {
		t.Errorf("%+v, want %+v; what was finished before does not count", l.totals, want)
	}
}

// A result of an event that was audited already is a repeat; one of an event that nobody has audited is not.
func TestRepeatAfterTheAudit(t *testing.T) {
	l := newLedger()
	l.follow(in0, at(10))
	l.result(result(10, order.OutcomeApplied))
	l.advance(in0, 11, 0)
	l.result(result(10, order.OutcomeApplied))
	l.result(result(10, order.OutcomeApplied))
	l.result(result(3, order.OutcomeApplied))
	if l.totals.Repeated != 2 {
		t.Errorf("%d repeats, want 2", l.totals.Repeated)
	}
}

// A group that was set back is followed from its new position. What is repeated says so itself.
func TestGroupThatWasSetBack(t *testing.T) {
	l := newLedger()
	l.follow(in0, at(10))
	l.result(result(10, order.OutcomeApplied))
	l.follow(in0, at(11))
	l.advance(in0, 11, 0)
	l.follow(in0, at(5))
	l.result(result(7, order.OutcomeApplied))
	if got := l.gaps(in0, 8); got.size() != 2 {
		t.Errorf("gaps %v, want 5 and 6", got)
	}
}

// The ledger is bounded: the partition with the most spans is given up as far as it is finished, and the
// others are still audited.
func TestLedgerIsBounded(t *testing.T) {
	l := newLedger()
	other := offsets.TopicPartition{Topic: "in", Partition: 1}
	l.follow(in0, at(0))
	l.follow(other, at(0))
	l.mark(evidenceResult, other, 0, 1, false)
	for i := range int64(maxSpans) {
		l.mark(evidenceResult, in0, 2*i+1, 2*i+2, false)
	}
	if l.totals.Unaudited != 2*maxSpans || l.spans > 1 {
		t.Errorf("%d offsets left out, %d spans kept; want %d, 1", l.totals.Unaudited, l.spans, 2*maxSpans)
	}
	l.follow(in0, at(100)) // the group is still there: not set back
	l.mark(evidenceResult, in0, 50, 51, false)
	l.mark(evidenceResult, in0, 2*maxSpans, 2*maxSpans+1, false)
	l.advance(in0, 100, 0)
	l.advance(in0, 2*maxSpans+1, 0)
	l.advance(other, 1, 0)
	if l.totals.Results != 2 || l.totals.Repeated != 0 {
		t.Errorf("%+v, want two results", l.totals)
	}
}

// Results of a deleted topic have offsets of its successor: they are not judged as repeats, also after much of it was
// given up.
func TestTopicOfTheSameName(t *testing.T) {
	for again, want := range map[bool]int64{false: 2, true: 0} {
		l := newLedger()
		l.again = func(string) bool { return again }
		l.follow(in0, at(10))
		l.result(result(10, order.OutcomeApplied))
		l.result(result(10, order.OutcomeApplied))
		l.shed()
		l.result(result(20, order.OutcomeApplied))
		l.result(result(20, order.OutcomeApplied))
		if l.totals.Repeated != want {
			t.Errorf("created again %t: %d repeats, want %d", again, l.totals.Repeated, want)
		}
	}
}
