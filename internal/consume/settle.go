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

// journalEvery is how long skips wait for other outcomes to ride along with.
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
			e.reflow() // whatever made room since the last poll
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

func (e *Engine) unlock() { <-e.settling }

// lockOrCancel takes the settling lock; when ctx ends first it cancels the settle under
// way, whose transaction is then in doubt, and takes the lock after it.
func (e *Engine) lockOrCancel(ctx context.Context) {
	select {
	case e.settling <- struct{}{}:
		return
	case <-ctx.Done():
	}
	e.mu.Lock()
	if e.cancelSettle != nil {
		e.cancelSettle()
	}
	e.mu.Unlock()
	e.settling <- struct{}{}
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

	if e.settler.inDoubt && !e.readBack(ctx) {
		return false
	}
	b, taken, err := e.collect(only != nil)
	if err != nil || len(taken) == 0 && len(b.Offsets) == 0 {
		e.settleFailed(ctx, err)
		return false
	}
	err = e.commit.Commit(ctx, b)
	var refused *produce.RecordError
	switch {
	case err == nil:
		e.settled(taken, b)
		return true
	case errors.Is(err, produce.ErrFenced):
		e.settler.fenced = b.Member
		e.settleFailed(ctx, err)
		return false
	case errors.As(err, &refused):
		e.bisect(taken, refused)
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
	e.o.Log.WarnContext(ctx, "settle failed, outcomes are kept", "group", e.o.Group, "error", err)
}

func (e *Engine) currentSession() *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.session
}

// collect takes finished outcomes, in offset order, with the member and generation of this
// moment. They stay in their partitions until they are known to be committed.
func (e *Engine) collect(force bool) (produce.Batch, []outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, generation := e.session.client.GroupMetadata()
	m := produce.Member{ID: id, Generation: generation}
	if id == "" || e.membershipLost(id) || m == e.settler.fenced {
		return produce.Batch{}, nil, nil
	}
	limit := e.o.SettleCount
	if e.settler.limit > 0 {
		limit = e.settler.limit
	}
	b := produce.Batch{Member: m}
	var taken []outcome
	var skips []Skipped
	for _, p := range e.sorted() {
		if !p.state.settles() {
			continue
		}
		mine := p.finished(limit - len(taken))
		if len(mine) == 0 && !p.startDue {
			continue
		}
		for _, o := range mine {
			b.Records = append(b.Records, o.Records...)
			if o.Skip != "" {
				skips = append(skips, Skipped{p.Topic, p.Partition, o.it.in.Offset, o.Skip})
			}
		}
		if p.startDue {
			force = true // a start is only a wish until it is committed
			skips = append(skips, Skipped{p.Topic, p.Partition, p.win.next(), ReasonStart})
		}
		o, err := p.commitAt(offsets(mine))
		if err != nil {
			return produce.Batch{}, nil, err
		}
		b.Offsets = append(b.Offsets, o)
		taken = append(taken, mine...)
	}
	return e.withJournal(b, taken, skips, force)
}

// withJournal adds the journal's record, which also keeps the transaction from being empty.
func (e *Engine) withJournal(b produce.Batch, taken []outcome, skips []Skipped, force bool) (produce.Batch, []outcome, error) {
	if len(skips) == 0 {
		return b, taken, nil
	}
	if len(b.Records) == 0 && !force && len(skips) < e.o.SettleCount && time.Since(e.settler.journaled) < journalEvery {
		return produce.Batch{}, nil, nil
	}
	records, err := e.o.Journal(skips)
	if err != nil {
		return produce.Batch{}, nil, err
	}
	e.settler.journaled = time.Now()
	b.Records = append(b.Records, records...)
	return b, taken, nil
}

// sorted gives the partitions in a fixed order, so that bisecting meets the same prefix.
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

// settled forgets what is committed.
func (e *Engine) settled(taken []outcome, b produce.Batch) {
	e.settler.limit, e.settler.warned = 0, false
	e.mu.Lock()
	defer e.mu.Unlock()
	done := map[*partition][]int64{}
	for _, o := range taken {
		done[o.it.part] = append(done[o.it.part], o.it.in.Offset)
	}
	for p, offsets := range done {
		e.forget(p, offsets)
	}
	for _, o := range b.Offsets {
		if p := e.parts[TopicPartition{o.Topic, o.Partition}]; p != nil {
			p.startDue = false
		}
	}
	e.flow()
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

// bisect looks for a record that no topic takes: halve the batch until it stands alone,
// then put a dead letter in its place. A refused dead letter holds its offset: the
// partition stops, the others go on.
func (e *Engine) bisect(taken []outcome, refused *produce.RecordError) {
	if len(taken) > 1 {
		e.settler.limit = len(taken) / 2
		return
	}
	if len(taken) == 0 {
		return
	}
	it := taken[0].it
	e.mu.Lock()
	defer e.mu.Unlock()
	if !it.part.state.settles() {
		return // stopped meanwhile
	}
	if taken[0].refused {
		e.stop(it.part, "not even the dead letter of a record can be published", "offset", it.in.Offset, "error", refused)
		return
	}
	out := e.o.Refuse(it.in, "unpublishable", refused)
	for i, o := range it.part.done {
		if o.it == it {
			it.part.done[i] = outcome{it: it, Outcome: out, refused: true}
		}
	}
}
