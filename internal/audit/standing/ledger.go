package standing

import (
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/order"
)

// maxSpans is how many runs of offsets the ledger remembers, in all partitions together: 16 bytes each.
const maxSpans = 200_000

// Totals count what is proved of events whose offsets are committed.
type Totals struct {
	Results, Skips, DeadLetters int64 // events by how they ended; each counts once
	Unaccounted                 int64 // events that the group passed, of which no outcome is published
	Repeated                    int64 // results of an event that had one, although the group was not set back
	LettersMissing              int64 // results that say that there is a dead letter, where there is none
	Unaudited                   int64 // offsets that were left out, because too much was finished out of order
}

// Events are the audited events.
func (t Totals) Events() int64 { return t.Results + t.Skips + t.DeadLetters + t.Unaccounted }

// evidence is a kind of record that proves an outcome.
type evidence int

const (
	evidenceResult evidence = iota
	evidenceSkip
	evidenceLetter
	evidenceDue    // a result that says that there is a dead letter
	evidenceBefore // finished before the ledger began
	evidences
)

// account is what is known of one partition.
type account struct {
	committed int64 // when it was asked for last

	next  int64 // what lies below is audited
	floor int64 // results of offsets below are not judged: they may be repeats of what was never seen
	sets  [evidences]set
}

// ledger compares outcomes with committed offsets. It reads nothing itself.
type ledger struct {
	parts  map[offsets.TopicPartition]*account
	totals Totals
	spans  int                     // in all partitions, about
	again  func(topic string) bool // it was created again: results of the one that had the name before look like repeats

	found []finding // to be logged; at most maxFound
}

// finding is evidence of what must not be.
type finding struct {
	what string // repeated or letter_missing
	tp   offsets.TopicPartition
	at   window.Span
}

// maxFound is how many findings of a round are logged.
const maxFound = 20

func (l *ledger) find(what string, tp offsets.TopicPartition, at window.Span) {
	if len(l.found) < maxFound {
		l.found = append(l.found, finding{what, tp, at})
	}
}

// unjudged is the floor of an account of which no result is called a repeat.
const unjudged = 1 << 62

func newLedger() *ledger {
	return &ledger{parts: map[offsets.TopicPartition]*account{}, again: func(string) bool { return false }}
}

// follow takes note of a committed position. It opens the account of a partition, or opens it again after the
// group was set back; what the position says is finished is then believed.
func (l *ledger) follow(tp offsets.TopicPartition, at window.Position) {
	if a := l.parts[tp]; a != nil && at.Next >= a.committed {
		a.committed = at.Next
		return
	}
	a := &account{committed: at.Next, next: at.Next, floor: at.Next}
	if l.again(tp.Topic) {
		a.floor = unjudged
	}
	for _, s := range at.Ahead {
		a.sets[evidenceBefore].add(s.From, s.To)
	}
	l.parts[tp] = a
	l.count()
}

// audited is a partition of one topic, not of another that has its name later.
type audited struct {
	tp    offsets.TopicPartition
	topic [16]byte
}

// skip counts what lies between the end of earlier books and the begin of these: it is not audited.
func (l *ledger) skip(earlier map[audited]int64, facts offsets.Facts) {
	for tp, a := range l.parts {
		if next, known := earlier[audited{tp, facts.TopicIDs[tp.Topic]}]; known && a.next > next {
			l.totals.Unaudited += a.next - next
		}
	}
}

// mark notes evidence about a span of offsets. Partitions without an account belong to other groups.
func (l *ledger) mark(e evidence, tp offsets.TopicPartition, from, to int64, rewound bool) {
	a := l.parts[tp]
	if a == nil {
		return
	}
	if e == evidenceResult && !rewound && from >= a.floor && from < a.next {
		l.totals.Repeated++ // it was audited before
		l.find("repeated", tp, window.Span{From: from, To: to})
	}
	from = max(from, a.next)
	before := len(a.sets[e])
	if a.sets[e].add(from, to) > 0 && e == evidenceResult && !rewound && from >= a.floor {
		l.totals.Repeated++
		l.find("repeated", tp, window.Span{From: from, To: to})
	}
	if l.spans += len(a.sets[e]) - before; l.spans > maxSpans {
		l.shed()
	}
}

// result notes a result.
func (l *ledger) result(r *order.Result) {
	tp, at := offsets.TopicPartition{Topic: r.Origin.Topic, Partition: r.Origin.Partition}, r.Origin.Offset
	if r.Outcome == order.OutcomeSkipped {
		return // the journal has it, whether or not there is a result too
	}
	l.mark(evidenceResult, tp, at, at+1, r.Rewound)
	if r.Outcome == order.OutcomeInvalid || r.Outcome == order.OutcomeExhausted {
		l.mark(evidenceDue, tp, at, at+1, r.Rewound)
	}
}

// gaps are the offsets below next of which there is no evidence: events without an outcome, or places
// without a record, such as markers of transactions.
func (l *ledger) gaps(tp offsets.TopicPartition, next int64) set {
	a := l.parts[tp]
	if a == nil || next <= a.next {
		return nil
	}
	return set{{From: a.next, To: next}}.without(a.sets[evidenceResult], a.sets[evidenceSkip], a.sets[evidenceLetter], a.sets[evidenceBefore])
}

// advance closes the account up to next; lost of the gaps were events.
func (l *ledger) advance(tp offsets.TopicPartition, next int64, lost int64) {
	a := l.parts[tp]
	if a == nil || next <= a.next {
		return
	}
	var below [evidences]set
	for e := range a.sets {
		below[e] = a.sets[e].in(a.next, next)
		a.sets[e] = a.sets[e].in(next, 1<<62)
	}
	l.totals.DeadLetters += below[evidenceLetter].size()
	l.totals.Skips += below[evidenceSkip].without(below[evidenceLetter]).size()
	l.totals.Results += below[evidenceResult].without(below[evidenceLetter], below[evidenceSkip]).size()
	for _, s := range below[evidenceDue].without(below[evidenceLetter]) {
		l.totals.LettersMissing += s.To - s.From
		l.find("letter_missing", tp, s)
	}
	l.totals.Unaccounted += lost
	a.next = next
	l.count()
}

// count counts the spans.
func (l *ledger) count() {
	l.spans = 0
	for _, a := range l.parts {
		l.spans += a.spans()
	}
}

func (a *account) spans() (n int) {
	for _, s := range a.sets {
		n += len(s)
	}
	return n
}

// shed gives up the partition with the most spans, as far as anything of it is finished.
func (l *ledger) shed() {
	var worst *account
	for _, a := range l.parts {
		if worst == nil || a.spans() > worst.spans() {
			worst = a
		}
	}
	end := worst.next
	for _, s := range worst.sets {
		if len(s) > 0 {
			end = max(end, s[len(s)-1].To)
		}
	}
	l.totals.Unaudited += end - worst.next
	*worst = account{committed: worst.committed, next: end, floor: max(end, worst.floor)}
	l.count()
}
