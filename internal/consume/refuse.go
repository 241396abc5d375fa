package consume

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/reread"
)

// How far an outcome has been replaced.
const (
	notReplaced   = iota
	replacedOnce  // by Options.Refuse
	replacedTwice // by Options.RefuseBare
)

// refused looks for the record that no topic accepts, among those that the broker refused
// together: half of them are tried at a time until it is alone. Then a dead letter replaces it.
// The caller holds settling.
func (e *Engine) refused(ctx context.Context, c claim, refused *produce.RecordError) {
	var found []outcome
	for _, o := range c.outcomes() {
		if slices.ContainsFunc(o.Records, func(r *kgo.Record) bool { return slices.Contains(refused.Records, r) }) {
			found = append(found, o)
		}
	}
	e.settler.suspectLimit = 0
	switch {
	case len(found) == 0:
		e.refusedJournal(ctx, c, refused)
	case len(found) > 1:
		e.suspect(c, found)
	default:
		delete(e.settler.suspects, found[0].it)
		e.replaceRefused(ctx, found[0], refused)
	}
}

// suspect notes which outcomes of a claim were refused together, and tries half of them next.
func (e *Engine) suspect(c claim, found []outcome) {
	s := &e.settler
	if s.suspects == nil {
		s.suspects = map[*item]bool{}
	}
	for _, o := range c.outcomes() {
		delete(s.suspects, o.it) // not refused, unless it is found
	}
	for _, o := range found {
		s.suspects[o.it] = true
	}
	s.suspectLimit = len(found) / 2
}

// replaceRefused puts a dead letter in the place of an outcome, then one without the record's
// bytes. When even that is refused, its
// offset and its lane are held back; the others go on.
func (e *Engine) replaceRefused(ctx context.Context, o outcome, refused *produce.RecordError) {
	if o.replaced == replacedTwice {
		e.holdItem(ctx, o.it, refused)
		return
	}
	in := o.it.in
	e.o.Log.WarnContext(ctx, "outcome refused by its topic; a dead letter replaces it", "topic", in.Topic, "partition", in.Partition, "offset", in.Offset, "output", refused.Topic, "error", refused.Err)
	e.replace(o.it, e.refuse(o.it, o.replaced, "unpublishable", refused))
}

// refusedJournal looks for the skip that cannot be journalled by halving the batch.
func (e *Engine) refusedJournal(ctx context.Context, c claim, refused *produce.RecordError) {
	if n := len(c.outcomes()); n > 1 {
		e.settler.skipLimit = n / 2
		return
	}
	e.settler.skipLimit = 0
	e.holdJournal(ctx, refused)
}

// refuse makes the dead letter of a record. It falls back to the bare one where the other is too
// large or cannot be made, and to a journalled skip where not even that can be made.
func (e *Engine) refuse(it *item, replaced int, reason string, err error) outcome {
	in, refuse := it.in, e.o.Refuse
	if it.task.Refuse != nil {
		refuse = it.task.Refuse
	}
	if replaced == notReplaced {
		if out, ok := e.tryRefuse(refuse, in, reason, err); ok {
			return outcome{Outcome: out, replaced: replacedOnce}
		}
	}
	if out, ok := e.tryRefuse(e.o.RefuseBare, in, reason, err); ok {
		return outcome{Outcome: out, replaced: replacedTwice}
	}
	e.o.Log.Error("dead letter of a record cannot be made; its offset is journalled only", "topic", in.Topic, "partition", in.Partition, "offset", in.Offset, "reason", reason)
	return outcome{Outcome: Outcome{Skip: reason}, replaced: replacedTwice}
}

// tryRefuse reports false where the dead letter panicked or is too large.
func (e *Engine) tryRefuse(refuse RefuseFunc, in Input, reason string, err error) (out Outcome, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	out = refuse(in, reason, err)
	return out, e.tooLarge(out) == nil
}

// tooLarge returns an error for an outcome that has a record too large for any topic.
func (e *Engine) tooLarge(out Outcome) error {
	for _, r := range out.Records {
		if n := reread.Size(r); n > e.o.MaxRecord {
			return fmt.Errorf("record of %d bytes for %s, more than %d", n, r.Topic, e.o.MaxRecord)
		}
	}
	return nil
}

// replace puts another outcome in the place of an item's.
func (e *Engine) replace(it *item, by outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	by.it = it
	for i, o := range it.part.done {
		if o.it == it {
			it.part.done[i] = by
			e.countOutcome(o, -1)
			e.countOutcome(by, 1)
			e.charge(it, it.size+by.size())
		}
	}
}
