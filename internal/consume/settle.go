package consume

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/produce"
)

// settleTimeout bounds one settle; the broker's transaction timeout is 15 s.
const settleTimeout = 12 * time.Second

// fencedFor is how long a generation that was refused is not tried again, unless the member gets
// another one before. A broker may refuse a generation that goes on afterwards.
const fencedFor = 10 * time.Second

// settler is what one settle leaves for the next. Engine.settling guards all of it, for as long
// as a settle takes.
type settler struct {
	inDoubt      bool           // the last transaction's outcome is unknown: read back first
	fenced       produce.Member // this generation was refused at fencedAt
	fencedAt     time.Time
	settleCount  int            // Options.SettleCount
	suspects     map[*item]bool // outcomes among which some were refused; at most all that wait
	suspectsNext time.Time      // when they are tried
	suspectLimit int            // of them per batch, while refused ones are being looked for; 0: all
	skipLimit    int            // skips per batch while a refused journal record is being looked for; 0: no limit
	held         heldBack
	journalTopic string    // of the last journal record; "": none was made yet
	journaled    time.Time // when skips were last written
	warned       bool      // a failure was logged; later ones are for debugging
}

func (s *settler) fences(m produce.Member) bool {
	return m == s.fenced && time.Since(s.fencedAt) < fencedFor
}

// limit is how many outcomes a claim may have.
func (s *settler) limit() int { return cmp.Or(s.skipLimit, s.settleCount) }

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
	return slices.ContainsFunc(parts, func(p *partition) bool { return p.state.Settles() && (len(p.done) > 0 || p.startDue) })
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
	e.readBackHeld(ctx)
	c, err := e.collect(only != nil)
	if err == nil {
		if err := e.addJournal(&c); err != nil {
			e.holdJournal(ctx, err)
			return true
		}
	}
	if err != nil || len(c.batch.Records) == 0 {
		e.settleFailed(ctx, err)
		return false
	}
	err = e.commit.Commit(ctx, c.batch)
	switch {
	case err == nil:
		e.settled(c)
		return true
	case errors.Is(err, produce.ErrFenced):
		e.settler.fenced, e.settler.fencedAt = c.batch.Member, time.Now()
		e.settleFailed(ctx, err)
		return false
	}
	e.settler.inDoubt = true
	if c.trial != nil {
		c.trial.Again(time.Now()) // whatever it failed for, it must not be the next one again
	}
	isolated := e.isolate(ctx, c, err)
	if !isolated && c.trial == nil && len(e.settler.suspects) > 0 {
		e.settler.suspectsNext = time.Now().Add(pause.Min)
	}
	if !isolated {
		e.settleFailed(ctx, err)
	}
	return isolated
}

// isolate holds back or replaces what an error of Commit concerns, and reports whether the rest
// can go on at once.
func (e *Engine) isolate(ctx context.Context, c claim, err error) bool {
	var record *produce.RecordError
	var topic *produce.TopicError
	var offset *produce.OffsetError
	switch {
	case errors.As(err, &record):
		e.refused(ctx, c, record)
	case errors.As(err, &topic):
		e.holdTopics(ctx, topic)
	case errors.As(err, &offset):
		for _, o := range offset.Offsets {
			e.holdPartition(ctx, TopicPartition{Topic: o.Topic, Partition: o.Partition}, offset.Err)
		}
	default:
		return false
	}
	return true
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

// settled forgets what is committed. The caller holds settling.
func (e *Engine) settled(c claim) {
	e.settler.skipLimit, e.settler.suspectLimit = 0, 0
	if e.settler.warned {
		e.settler.warned = false
		e.o.Log.Info("settle works again", "group", e.o.Group)
	}
	e.releaseHeld(c)
	e.reportSettled(e.forgetClaim(c))
}

func (e *Engine) forgetClaim(c claim) []Settlement {
	e.mu.Lock()
	defer e.mu.Unlock()
	var known []Settlement
	for _, p := range c.parts {
		e.forget(p.partition, offsetsOf(p.taken))
		p.begun(p.startClaim)
		if len(p.taken) > 0 {
			known = append(known, settlement(p.partition, p.at.Offset, p.taken))
		}
	}
	e.flow()
	e.start() // there is room for other outcomes
	e.settleSoonIfMany()
	return known
}

// forget settles offsets, ascending, in window and outcomes. Called under mu, with settling held.
func (e *Engine) forget(p *partition, offsets []int64) {
	p.win.Settle(offsets)
	p.done = slices.DeleteFunc(p.done, func(o outcome) bool {
		_, found := slices.BinarySearch(offsets, o.it.offset)
		if found {
			e.countOutcome(o, -1)
			delete(e.settler.suspects, o.it)
			delete(e.settler.held.items, o.it)
			e.charge(o.it, 0)
		}
		return found
	})
	p.changed.Broadcast()
}
