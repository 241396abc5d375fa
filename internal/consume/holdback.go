package consume

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/produce"
)

// heldBack is what a settle leaves out, because a settle was refused for it: outcomes with a
// record for a topic that cannot be produced to, and partitions whose offset cannot be committed.
// The rest goes on. What is held back is tried again alone, with growing pauses. Engine.settling
// guards it; it holds one entry for each output topic, each held partition and each
// unfinished offset at most.
type heldBack struct {
	topics  map[string]*pause.BackOff
	parts   map[TopicPartition]*pause.BackOff
	items   map[*item]*pause.BackOff // whose shortest dead letter is refused
	journal *pause.BackOff           // nothing can be journalled
}

// pick is which outcomes one claim may have.
type pick struct {
	trial     *pause.BackOff // what is tried again; nil: nothing that is held back
	limit     int
	starts    bool // also partitions without an outcome, whose start is to be committed
	journal   bool // also what needs a journal record
	partition func(*partition) bool
	outcome   func(outcome) bool
}

// picks are the claims to try, in their order: what is due to be tried again, then outcomes among
// which some are refused, then all that is not held back. The first that finds something is made.
func (s *settler) picks() []pick {
	journal := s.held.journal == nil
	var out []pick
	for _, topic := range slices.Sorted(maps.Keys(s.held.topics)) {
		if b := s.held.topics[topic]; b.Due() {
			out = append(out, pick{b, 1, false, journal || s.held.journal.Due(), s.free, func(o outcome) bool { return o.has(topic) && s.mayTry(o) }})
		}
	}
	if s.held.journal.Due() {
		out = append(out, pick{s.held.journal, 1, true, true, s.free, func(o outcome) bool { return o.Skip != "" && s.mayTry(o) }})
	}
	for tp, b := range s.held.parts {
		if b.Due() { // first with an outcome that nothing else holds back, so that the partition's own trouble decides
			own := func(p *partition) bool { return p.TopicPartition == tp }
			out = append(out, pick{b, 1, true, journal, own, s.mayPublish}, pick{b, 1, true, journal, own, s.mayTry})
		}
	}
	for it, b := range s.held.items {
		if b.Due() {
			out = append(out, pick{b, 1, false, journal, s.free, func(o outcome) bool { return o.it == it && s.mayTry(o) }})
		}
	}
	if n := len(s.suspects); n > 0 && !time.Now().Before(s.suspectsNext) {
		out = append(out, pick{nil, cmp.Or(s.suspectLimit, n), false, journal, s.free, func(o outcome) bool { return s.suspects[o.it] && s.mayPublish(o) }})
	}
	return append(out, pick{nil, s.limit(), true, journal, s.free, func(o outcome) bool { return !s.suspects[o.it] && s.mayPublish(o) }})
}

// free reports whether the offsets of a partition may be committed.
func (s *settler) free(p *partition) bool { return p.orphan || s.held.parts[p.TopicPartition] == nil }

// mayPublish reports whether no topic of an outcome is held back.
func (s *settler) mayPublish(o outcome) bool {
	if o.Skip != "" && s.held.journal != nil || s.held.items[o.it] != nil {
		return false
	}
	for topic := range s.held.topics {
		if o.has(topic) {
			return false
		}
	}
	return true
}

// mayTry reports whether everything that holds an outcome back is due, apart from its partition: one
// that is refused for two topics is tried when both are.
func (s *settler) mayTry(o outcome) bool {
	ready := func(b *pause.BackOff) bool { return b == nil || b.Due() }
	if !ready(s.held.items[o.it]) || o.Skip != "" && !ready(s.held.journal) {
		return false
	}
	for topic, b := range s.held.topics {
		if o.has(topic) && !b.Due() {
			return false
		}
	}
	return true
}

func (o outcome) has(topic string) bool {
	return slices.ContainsFunc(o.Records, func(r *kgo.Record) bool { return r.Topic == topic })
}

// holdTopics holds back what an error of produce concerns. The caller holds settling.
func (e *Engine) holdTopics(ctx context.Context, refused *produce.TopicError) {
	h := &e.settler.held
	if h.topics == nil {
		h.topics = map[string]*pause.BackOff{}
	}
	for _, topic := range refused.Topics {
		if topic == e.settler.journalTopic {
			e.holdJournal(ctx, refused)
			continue
		}
		if h.topics[topic] == nil {
			e.o.Log.ErrorContext(ctx, "outcomes are held back: their topic cannot be produced to; other topics go on", "group", e.o.Group, "output", topic, "error", refused.Err)
		}
		h.topics[topic] = h.topics[topic].Again(time.Now())
	}
}

// holdJournal holds back what needs a journal record.
func (e *Engine) holdJournal(ctx context.Context, err error) {
	if e.settler.held.journal == nil {
		e.o.Log.ErrorContext(ctx, "skips are held back: they cannot be journalled; other outcomes go on", "group", e.o.Group, "error", err)
	}
	e.settler.held.journal = e.settler.held.journal.Again(time.Now())
}

// holdPartition holds back a partition whose offset cannot be committed, or not be read back.
func (e *Engine) holdPartition(ctx context.Context, tp TopicPartition, err error) {
	h := &e.settler.held
	if h.parts == nil {
		h.parts = map[TopicPartition]*pause.BackOff{}
	}
	if h.parts[tp] == nil {
		e.o.Log.ErrorContext(ctx, "partition is held back: its offset cannot be committed; other partitions go on",
			"group", e.o.Group, "topic", tp.Topic, "partition", tp.Partition, "error", err)
	}
	h.parts[tp] = h.parts[tp].Again(time.Now())
}

// holdItem holds back an outcome whose shortest dead letter is refused.
func (e *Engine) holdItem(ctx context.Context, it *item, refused *produce.RecordError) {
	h := &e.settler.held
	if h.items == nil {
		h.items = map[*item]*pause.BackOff{}
	}
	if h.items[it] == nil {
		e.o.Log.ErrorContext(ctx, "not even the dead letter of a record can be published; its order waits, raise the topic's max.message.bytes",
			"group", e.o.Group, "topic", it.part.Topic, "partition", it.part.Partition, "offset", it.offset, "output", refused.Topic, "error", refused.Err)
	}
	h.items[it] = h.items[it].Again(time.Now())
}

// releaseHeld ends the holding back of what a committed claim has. The caller holds settling.
func (e *Engine) releaseHeld(c claim) {
	h := &e.settler.held
	for _, r := range c.batch.Records {
		if b := h.topics[r.Topic]; b != nil {
			delete(h.topics, r.Topic)
			e.o.Log.Info("outcomes are published again", "group", e.o.Group, "output", r.Topic, "held_back", time.Since(b.Since).Round(time.Second))
		}
	}
	if h.journal != nil && len(c.skips) > 0 {
		e.o.Log.Info("skips are journalled again", "group", e.o.Group, "held_back", time.Since(h.journal.Since).Round(time.Second))
		h.journal = nil
	}
	for _, o := range c.outcomes() {
		if b := h.items[o.it]; b != nil {
			delete(h.items, o.it)
			e.o.Log.Info("dead letter is published at last", "group", e.o.Group, "topic", o.it.part.Topic, "partition", o.it.part.Partition, "offset", o.it.offset, "held_back", time.Since(b.Since).Round(time.Second))
		}
	}
	for _, p := range c.parts {
		if b := h.parts[p.TopicPartition]; b != nil {
			delete(h.parts, p.TopicPartition)
			e.o.Log.Info("partition is committed again", "group", e.o.Group, "topic", p.Topic, "partition", p.Partition, "held_back", time.Since(b.Since).Round(time.Second))
		}
	}
}

// forgetPartition drops what is held back of a partition that is given up.
func (s *settler) forgetPartition(p *partition) {
	delete(s.held.parts, p.TopicPartition)
	maps.DeleteFunc(s.suspects, func(it *item, _ bool) bool { return it.part == p })
	maps.DeleteFunc(s.held.items, func(it *item, _ *pause.BackOff) bool { return it.part == p })
}

// heldDue returns the held partitions that are to be read back now.
func (s *settler) heldDue() []TopicPartition {
	var out []TopicPartition
	for tp, b := range s.held.parts {
		if b.Due() && !b.Read {
			out = append(out, tp)
		}
	}
	slices.SortFunc(out, offsets.Compare)
	return out
}
