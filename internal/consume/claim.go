package consume

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/produce"
)

// Reasons of journal entries that say where a group began in a partition.
const (
	ReasonStart            = "start"             // of a new group, by Options.Start
	ReasonAcceptedPosition = "accepted_position" // an operator set it, and accepted it
	ReasonAcceptedLoss     = "accepted_loss"     // records below were deleted before they were read
	ReasonFoundAgain       = "topic_found_again" // the topic seemed to be deleted for a while
)

// journalEvery is how long skips wait to be settled together with other outcomes.
const journalEvery = time.Second

// claim is what one settle wants to make visible.
type claim struct {
	batch produce.Batch
	trial *pause.BackOff // what is tried again by it; nil: nothing
	parts []claimedPart  // those of batch.Offsets, and orphans
	skips []Skipped      // for the journal
	force bool           // skips do not wait for other outcomes
}

type claimedPart struct {
	*partition
	taken []outcome // ascending
	startClaim
}

// startClaim is what a claim commits of where a partition is and began.
type startClaim struct {
	at      offsets.Committed
	entries int // of partition.entries, the first ones
}

func (c *claim) outcomes() []outcome {
	var out []outcome
	for _, p := range c.parts {
		out = append(out, p.taken...)
	}
	return out
}

// collect claims finished outcomes, with the member and generation of this moment. They stay in
// their partitions until they are known to be committed. What is held back is left out.
func (e *Engine) collect(force bool) (claim, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, generation := e.session.client.GroupMetadata()
	m := produce.Member{ID: id, Generation: generation}
	if id == "" || e.membershipLost(id) || e.settler.fences(m) {
		return claim{}, nil
	}
	for _, pick := range e.settler.picks() {
		c := claim{batch: produce.Batch{Member: m}, trial: pick.trial, force: force || pick.trial != nil}
		if err := e.fill(&c, pick); err != nil || len(c.batch.Records)+len(c.skips) > 0 {
			return c, err
		}
	}
	return claim{}, nil
}

// fill claims what pick allows, in equal shares: a flood in one partition must not delay the
// outcomes of another. Called under mu.
func (e *Engine) fill(c *claim, pick pick) error {
	parts := slices.DeleteFunc(e.sorted(), func(p *partition) bool { return !p.state.Settles() || !pick.partition(p) })
	slices.SortStableFunc(parts, func(a, b *partition) int { return cmp.Compare(len(a.done), len(b.done)) })
	left := pick.limit
	for i, p := range parts {
		share := min(left, max(1, left/(len(parts)-i)))
		taken := p.finished(share, pick.outcome)
		left -= len(taken)
		if len(taken) == 0 && !pick.starts {
			continue
		}
		if err := c.add(p, taken, pick.journal); err != nil {
			return err
		}
	}
	return nil
}

// add claims outcomes of a partition, and where it began. Called under mu.
func (c *claim) add(p *partition, taken []outcome, journal bool) error {
	entries := p.entries
	if !journal {
		entries = nil
	}
	if len(taken) == 0 && (!p.startDue && len(entries) == 0 || p.orphan) {
		return nil
	}
	for _, o := range taken {
		c.batch.Records = append(c.batch.Records, o.Records...)
		if o.Skip != "" {
			c.skips = append(c.skips, Skipped{p.Topic, p.Partition, o.it.offset, o.Skip})
		}
	}
	c.skips = append(c.skips, entries...)
	c.force = c.force || len(entries) > 0 // a start has no effect until it is committed
	o, err := p.commitAt(offsetsOf(taken))
	if !p.orphan {
		c.batch.Offsets = append(c.batch.Offsets, o)
	}
	p.claimed = startClaim{offsets.Committed{Offset: o.Next, Text: o.Metadata}, len(entries)}
	c.parts = append(c.parts, claimedPart{p, taken, p.claimed})
	return err
}

// addJournal adds the journal's record, which also keeps the transaction from being empty. A
// claim of nothing but skips becomes empty while they may wait for other outcomes.
func (e *Engine) addJournal(c *claim) error {
	if len(c.skips) == 0 {
		if len(c.batch.Records) == 0 {
			*c = claim{} // nothing but positions: they wait for a record
		}
		return nil
	}
	if len(c.batch.Records) == 0 && !c.force && len(c.skips) < e.o.SettleCount && time.Since(e.settler.journaled) < journalEvery {
		*c = claim{}
		return nil
	}
	records, err := e.journal(c.skips)
	if err != nil {
		return err
	}
	e.settler.journaled = time.Now()
	c.batch.Records = append(c.batch.Records, records...)
	return nil
}

func (e *Engine) journal(skips []Skipped) (records []*kgo.Record, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("journal: panic of type %T", v)
		}
	}()
	records, err = e.o.Journal(skips)
	if err == nil && len(records) > 0 {
		e.settler.journalTopic = records[0].Topic
	}
	return records, err
}

// sorted returns the partitions in a fixed order. Called under mu.
func (e *Engine) sorted() []*partition {
	out := make([]*partition, 0, len(e.parts))
	for _, p := range e.parts {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *partition) int { return offsets.Compare(a.TopicPartition, b.TopicPartition) })
	return out
}

// finished returns up to n outcomes that may is true for, those with the lowest offsets. Where
// one is left out, later ones of its lane are too: a later outcome of a key has a higher offset,
// so the order per key is kept.
func (p *partition) finished(n int, may func(outcome) bool) []outcome {
	slices.SortFunc(p.done, func(a, b outcome) int { return cmp.Compare(a.it.offset, b.it.offset) })
	var taken []outcome
	var left map[string]bool // lanes
	for _, o := range p.done {
		if len(taken) >= n {
			break
		}
		if left[o.it.task.Key] || !may(o) {
			if left == nil {
				left = map[string]bool{}
			}
			left[o.it.task.Key] = true
			continue
		}
		taken = append(taken, o)
	}
	return taken
}

// begun notes that a claim was committed: where the partition began is journalled. Called under mu.
func (p *partition) begun(c startClaim) {
	p.startDue, p.entries, p.claimed.entries = false, p.entries[c.entries:], 0
	if !p.orphan {
		p.committed = c.at
	}
}

func offsetsOf(taken []outcome) []int64 {
	out := make([]int64, len(taken))
	for i, o := range taken {
		out[i] = o.it.offset
	}
	return out
}

func (p *partition) commitAt(finished []int64) (produce.Offset, error) {
	pos := p.win.Position(finished)
	text, err := p.place.Text(pos, p.rewoundBelow)
	return produce.Offset{Topic: p.Topic, TopicID: p.place.TopicID, Partition: p.Partition, Next: pos.Next, Metadata: text}, err
}
