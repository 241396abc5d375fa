package consume

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/produce"
)

// settleTimeout bounds one settle; the broker's transaction timeout is 15 s.
const settleTimeout = 12 * time.Second

// ReasonStart journals where a group began in a partition, or where an operator set it to.
const ReasonStart = "start"

// journalEvery is how long skips wait to be settled together with other outcomes.
const journalEvery = time.Second

// settler is what one settle leaves for the next. Engine.settling guards all of it, for as long
// as a settle takes.
type settler struct {
	inDoubt   bool           // the last transaction's outcome is unknown: read back first
	fenced    produce.Member // this generation was refused: wait for another
	limit     int            // outcomes per batch while a refused record is being looked for; 0: no limit
	journaled time.Time      // when skips were last written
	warned    bool           // a failure was logged; later ones are for debugging
}

// settleLoop settles every SettleEvery, or earlier when many outcomes wait.
func (e *Engine) settleLoop(ctx context.Context) {
	tick := time.NewTicker(e.o.SettleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			e.reflow() // something may have made room since the last poll
		case <-e.settleNow:
		}
		select {
		case e.settling <- struct{}{}:
			e.settle(ctx, nil)
			e.unlock()
		case <-ctx.Done():
			return
		}
	}
}

// settleAll settles until nothing of the given partitions is left, or it fails. The caller
// holds settling.
func (e *Engine) settleAll(ctx context.Context, parts []*partition) {
	for ctx.Err() == nil && e.unsettled(parts) {
		if !e.settle(ctx, parts) {
			return
		}
	}
}

func (e *Engine) unsettled(parts []*partition) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(parts, func(p *partition) bool { return p.state.settles() && (len(p.done) > 0 || p.startDue) })
}

// settle makes one batch visible and reports whether it may be called again at once. only,
// if not nil, are partitions that are being given up: their skips do not wait. The caller
// holds settling.
func (e *Engine) settle(ctx context.Context, only []*partition) bool {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	e.mu.Lock()
	e.cancelSettle = cancel
	e.mu.Unlock()

	e.reportStopped()
	if e.settler.inDoubt && !e.readBack(ctx) {
		return false
	}
	c, err := e.collect(only != nil)
	if err == nil {
		err = e.addJournal(&c)
	}
	if err != nil || len(c.batch.Offsets) == 0 {
		e.settleFailed(ctx, err)
		return false
	}
	err = e.commit.Commit(ctx, c.batch)
	var refused *produce.RecordError
	switch {
	case err == nil:
		e.settled(c)
		return true
	case errors.Is(err, produce.ErrFenced):
		e.settler.fenced = c.batch.Member
		e.settleFailed(ctx, err)
		return false
	case errors.As(err, &refused):
		e.bisect(c.outcomes(), refused)
	}
	e.settler.inDoubt = true
	e.settleFailed(ctx, err)
	return errors.As(err, &refused)
}

func (e *Engine) settleFailed(ctx context.Context, err error) {
	switch {
	case err == nil:
		return
	case errors.Is(err, produce.ErrSlotTaken):
		e.currentSession().cancel(err)
	case e.settler.warned:
		e.o.Log.DebugContext(ctx, "settle failed again", "group", e.o.Group, "error", err)
		return
	}
	e.settler.warned = true
	e.o.Log.WarnContext(ctx, "settle failed; the outcomes are kept and tried again", "group", e.o.Group, "error", err)
}

func (e *Engine) currentSession() *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.session
}

// claim is what one settle wants to make visible.
type claim struct {
	batch produce.Batch
	parts []claimedPart // those of batch.Offsets, in the same order
	skips []Skipped     // for the journal
	force bool          // skips do not wait for other outcomes
}

type claimedPart struct {
	*partition
	taken []outcome // ascending
	next  int64
}

func (c *claim) outcomes() []outcome {
	var out []outcome
	for _, p := range c.parts {
		out = append(out, p.taken...)
	}
	return out
}

// collect claims finished outcomes, in offset order, with the member and generation of this
// moment. They stay in their partitions until they are known to be committed.
func (e *Engine) collect(force bool) (claim, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, generation := e.session.client.GroupMetadata()
	m := produce.Member{ID: id, Generation: generation}
	if id == "" || e.membershipLost(id) || m == e.settler.fenced {
		return claim{}, nil
	}
	limit := cmp.Or(e.settler.limit, e.o.SettleCount)
	c := claim{batch: produce.Batch{Member: m}, force: force}
	for _, p := range e.sorted() {
		if !p.state.settles() {
			continue
		}
		taken := p.finished(limit)
		if len(taken) == 0 && !p.startDue {
			continue
		}
		limit -= len(taken)
		if err := c.add(p, taken); err != nil {
			return claim{}, err
		}
	}
	return c, nil
}

// add claims outcomes of a partition. Called under mu.
func (c *claim) add(p *partition, taken []outcome) error {
	for _, o := range taken {
		c.batch.Records = append(c.batch.Records, o.Records...)
		if o.Skip != "" {
			c.skips = append(c.skips, Skipped{p.Topic, p.Partition, o.it.in.Offset, o.Skip})
		}
	}
	if p.startDue {
		c.force = true // a start has no effect until it is committed
		c.skips = append(c.skips, Skipped{p.Topic, p.Partition, p.win.next(), ReasonStart})
	}
	o, err := p.commitAt(offsets(taken))
	c.batch.Offsets = append(c.batch.Offsets, o)
	c.parts = append(c.parts, claimedPart{p, taken, o.Next})
	return err
}

// addJournal adds the journal's record, which also keeps the transaction from being empty. A
// claim of nothing but skips becomes empty while they may wait for other outcomes.
func (e *Engine) addJournal(c *claim) error {
	if len(c.skips) == 0 {
		return nil
	}
	if len(c.batch.Records) == 0 && !c.force && len(c.skips) < e.o.SettleCount && time.Since(e.settler.journaled) < journalEvery {
		*c = claim{}
		return nil
	}
	records, err := e.o.Journal(c.skips)
	if err != nil {
		return err
	}
	e.settler.journaled = time.Now()
	c.batch.Records = append(c.batch.Records, records...)
	return nil
}

// sorted returns the partitions in a fixed order, so that bisecting meets the same prefix. Called
// under mu.
func (e *Engine) sorted() []*partition {
	out := make([]*partition, 0, len(e.parts))
	for _, p := range e.parts {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// finished returns up to n outcomes with the lowest offsets. A later outcome of a key has
// a higher offset, so any prefix keeps the order per key.
func (p *partition) finished(n int) []outcome {
	slices.SortFunc(p.done, func(a, b outcome) int { return cmp.Compare(a.it.in.Offset, b.it.in.Offset) })
	return slices.Clone(p.done[:min(max(n, 0), len(p.done))])
}

func offsets(taken []outcome) []int64 {
	out := make([]int64, len(taken))
	for i, o := range taken {
		out[i] = o.it.in.Offset
	}
	return out
}

func (p *partition) commitAt(finished []int64) (produce.Offset, error) {
	pos := p.win.position(finished)
	text, err := p.place.text(pos)
	return produce.Offset{Topic: p.Topic, TopicID: p.place.topicID, Partition: p.Partition, Next: pos.next, Metadata: text}, err
}

// settled forgets what is committed. The caller holds settling.
func (e *Engine) settled(c claim) {
	e.settler.limit, e.settler.warned = 0, false
	e.reportSettled(e.forgetClaim(c))
}

func (e *Engine) forgetClaim(c claim) []Settlement {
	e.mu.Lock()
	defer e.mu.Unlock()
	var known []Settlement
	for _, p := range c.parts {
		e.forget(p.partition, offsets(p.taken))
		p.startDue = false
		if len(p.taken) > 0 {
			known = append(known, settlement(p.partition, p.next, p.taken))
		}
	}
	e.flow()
	return known
}

// forget settles offsets, ascending, in window and outcomes. Called under mu.
func (e *Engine) forget(p *partition, offsets []int64) {
	p.win.settle(offsets)
	p.done = slices.DeleteFunc(p.done, func(o outcome) bool {
		_, found := slices.BinarySearch(offsets, o.it.in.Offset)
		if found && p.state.settles() {
			e.bytes -= size(o.it.in.Record)
		}
		return found
	})
	p.changed.Broadcast()
}

// bisect looks for a record that no topic accepts: halve the batch until it is alone, then
// replace it by a dead letter. A refused dead letter holds its offset: the partition stops,
// the others go on.
func (e *Engine) bisect(taken []outcome, refused *produce.RecordError) {
	switch {
	case len(taken) > 1:
		e.settler.limit = len(taken) / 2
	case len(taken) == 1 && taken[0].refused:
		e.stopAt(taken[0].it, refused)
	case len(taken) == 1:
		e.replace(taken[0].it, e.refuse(taken[0].it, "unpublishable", refused))
	}
}

func (e *Engine) stopAt(it *item, refused *produce.RecordError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if it.part.state.settles() { // not stopped meanwhile
		e.stop(it.part, "not even the dead letter of a record can be published", "offset", it.in.Offset, "error", refused)
	}
}

// replace puts another outcome in the place of an item's.
func (e *Engine) replace(it *item, out Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, o := range it.part.done {
		if o.it == it {
			it.part.done[i] = outcome{it: it, Outcome: out, refused: true}
		}
	}
}
