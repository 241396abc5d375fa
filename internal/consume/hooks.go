package consume

import (
	"context"
	"slices"

	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/consume/pause"
)

// Hooks let a pipeline keep state for each partition. All are optional.
//
// For one partition they never overlap: Assigned returns before the first Settled, Dropped comes
// after the last Settled, and Assigned of a later assignment waits for it. They must not call
// back into the engine. Engine.mu is never held while one runs. Settled and Dropped must return
// soon: until then no revoke and no orderly stop can end. A hook must not panic: nothing recovers it.
type Hooks struct {
	// Assigned is called before the first record of an assignment is read. The partition is not
	// read until it returns nil; the others go on. Its first error is logged, and it is called
	// again until the assignment ends, which ends ctx. It runs on a goroutine of its own.
	Assigned func(ctx context.Context, p TopicPartition) error
	// Settled is called once for each outcome that is known to be committed: its transaction
	// succeeded, or the committed position was read back and covers it. It is never called for an
	// outcome that was dropped. It runs while no other transaction can begin, so it delays the
	// next settle and a revoke.
	Settled func(Settlement)
	// Dropped is called when an assignment ends for which Assigned was called: revoked, lost,
	// stopped for an operator, or at the end of Run. It runs under the same lock as Settled. Only
	// where Assigned outlives its assignment is it called by the goroutine of Assigned.
	Dropped func(p TopicPartition)
}

// Settlement is what became known to be committed of one partition.
type Settlement struct {
	Input    TopicPartition
	Next     int64            // the committed position: every offset below is finished
	Outcomes []SettledOutcome // ascending by offset; two calls need not be, except for each lane
}

// SettledOutcome is the outcome of one record that is known to be committed.
type SettledOutcome struct {
	Offset int64
	Note   any // Outcome.Note
}

// hookState is how far the hooks of one assignment are.
type hookState uint8

const (
	hooksNone     hookState = iota // Assigned was not called
	hooksRestored                  // nothing runs; Dropped is due when the assignment ends
	hooksRunning                   // Assigned runs
	hooksDropped                   // Dropped was called, or is about to be
)

// restore calls Assigned until it returns nil, then opens the partition and feeds it. It counts
// as a handling, so that a revoke waits for it.
func (e *Engine) restore(p *partition) {
	restored := e.claimHooks(p) && pause.Retry(p.ctx, e.o.RetryPrepare, func() error { return e.o.Assigned(p.ctx, p.TopicPartition) },
		func(err error) {
			e.o.Log.WarnContext(p.ctx, "partition cannot be restored now; it is not read yet", "topic", p.Topic, "partition", p.Partition, "error", err)
		})
	e.mu.Lock()
	p.ended()
	if p.hooks == hooksRunning {
		p.hooks = hooksRestored
	}
	opened := restored && p.state == look.StateRestoring
	if opened {
		p.become(look.StateOpen)
		e.flow()
	}
	over := p.state == look.StateStopped || p.state == look.StateGone
	e.mu.Unlock()
	if over {
		e.reportDropped(p) // the end of the assignment left it to us
	}
	if opened {
		e.feed(p)
	}
}

// claimHooks waits until the hooks of an earlier assignment of the same partition are over. It
// reports false when this assignment ends before.
func (e *Engine) claimHooks(p *partition) bool {
	for {
		e.mu.Lock()
		earlier, restoring := e.hooked[p.TopicPartition], p.state == look.StateRestoring
		if earlier == nil && restoring {
			e.hooked[p.TopicPartition] = p
			p.hooks = hooksRunning
		}
		e.mu.Unlock()
		if earlier == nil || !restoring {
			return restoring
		}
		select {
		case <-earlier.hooksOver:
		case <-p.ctx.Done():
		}
	}
}

// reportDropped calls Dropped, unless it is not due or Assigned still runs: then restore calls it.
func (e *Engine) reportDropped(p *partition) {
	e.mu.Lock()
	due := p.hooks == hooksRestored
	if due {
		p.hooks = hooksDropped
	}
	e.mu.Unlock()
	if !due {
		return
	}
	if e.o.Dropped != nil {
		e.o.Dropped(p.TopicPartition)
	}
	e.mu.Lock()
	delete(e.hooked, p.TopicPartition)
	e.mu.Unlock()
	close(p.hooksOver)
}

// reportStopped calls Dropped for partitions that were stopped. The caller holds settling: no
// transaction with outcomes of them is under way.
func (e *Engine) reportStopped() {
	e.mu.Lock()
	stopped := slices.DeleteFunc(e.sorted(), func(p *partition) bool { return p.state != look.StateStopped })
	e.mu.Unlock()
	for _, p := range stopped {
		e.settler.forgetPartition(p)
		e.reportDropped(p)
	}
}

// settlement is what Settled is called with. outcomes are of p, ascending. Called under mu.
func settlement(p *partition, next int64, outcomes []outcome) Settlement {
	s := Settlement{Input: p.TopicPartition, Next: next}
	for _, o := range outcomes {
		s.Outcomes = append(s.Outcomes, SettledOutcome{o.it.offset, o.Note})
	}
	return s
}

// reportSettled calls Settled. The caller holds settling, so that Dropped of these partitions
// cannot have been called.
func (e *Engine) reportSettled(all []Settlement) {
	if e.o.Settled == nil {
		return
	}
	for _, s := range all {
		e.o.Settled(s)
	}
}
