package consume

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// backlogFull is how many fetched records a partition may have waiting before its window
// when it is paused.
const backlogFull = 500

type topicPartition struct {
	topic     string
	partition int32
}

func (tp topicPartition) String() string { return fmt.Sprintf("%s/%d", tp.topic, tp.partition) }

// partition is one assignment (incarnation) of an input partition. What belongs to an
// older incarnation is recognised by its pointer and discarded. Engine.mu guards it.
type partition struct {
	topicPartition
	memberID       string // the member id it was assigned to
	place          place
	firstCommitted committed   // what the group had committed when it was assigned
	preparing      *kgo.Record // being read for its lane

	win              *window // nil until the committed position is known
	backlog          []*kgo.Record
	changed          *sync.Cond // backlog, window or state changed; on Engine.mu
	done             []outcome  // finished and not settled
	running          int
	idle             chan struct{}   // closed when running drops to zero while draining
	ctx              context.Context // of its handlings; ends when no new attempt may begin
	cancel           context.CancelFunc
	draining         bool // being given up: nothing starts any more
	gone             bool // given up: outcomes are discarded
	stopped          bool // an operator has to decide first; nothing is read
	full             bool // backlog has reached backlogFull
	paused           bool // at the client
	startUncommitted bool // started without a committed offset: its position is still to be committed

	// rewoundBelow is the end offset when an operator accepted a position without our
	// text: results of records below it may have been published before.
	rewoundBelow int64
}

type outcome struct {
	it *item
	Outcome
	refused bool // a dead letter already stands in its place
}

func (e *Engine) newPartition(tp topicPartition, stamp string) *partition {
	p := &partition{topicPartition: tp, memberID: stamp, idle: make(chan struct{}), changed: sync.NewCond(&e.mu)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// intake takes fetched records over. Called under mu.
func (e *Engine) intake(p *partition, records []*kgo.Record) {
	for _, r := range records {
		e.bytes += size(r)
		p.backlog = append(p.backlog, r)
	}
	p.changed.Broadcast()
}

// size is what a record holds of memory, about.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// feed moves records of one partition from its backlog through the window into lanes, one
// after the other, until the partition is given up.
func (e *Engine) feed(p *partition) {
	for {
		r := e.nextAdmitted(p)
		if r == nil {
			return
		}
		in := Input{r, r.Offset < p.rewoundBelow}
		task, ok := e.prepareUntil(p, in)
		if !ok {
			return
		}
		e.mu.Lock()
		p.preparing = nil
		if !p.gone {
			e.lanes.push(&item{in: in, part: p, task: task})
			e.start()
		}
		e.mu.Unlock()
	}
}

// nextAdmitted waits for the next record that the window takes in; nil: partition given up.
func (e *Engine) nextAdmitted(p *partition) *kgo.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		for !p.draining && !p.gone && (len(p.backlog) == 0 || !p.win.admits(p.backlog[0].Offset)) {
			p.changed.Wait()
		}
		if p.draining || p.gone {
			return nil
		}
		r := p.backlog[0]
		p.backlog[0] = nil
		p.backlog = p.backlog[1:]
		if p.win.admit(r.Offset) {
			p.preparing = r
			return r
		}
		e.bytes -= size(r) // a former owner has finished it
	}
}

// prepareUntil reads a record, again and again while it cannot be read now.
func (e *Engine) prepareUntil(p *partition, in Input) (Task, bool) {
	for warned := false; ; warned = true {
		task, err := e.tryPrepare(p.ctx, in)
		if err == nil {
			return task, true
		}
		if p.ctx.Err() == nil && !warned {
			e.o.Log.WarnContext(p.ctx, "record cannot be read now, its partition waits",
				"topic", p.topic, "partition", p.partition, "offset", in.Offset, "error", err)
		}
		if !sleep(p.ctx, e.o.RetryPrepare) {
			return Task{}, false
		}
	}
}

func (e *Engine) tryPrepare(ctx context.Context, in Input) (task Task, err error) {
	defer func() {
		if v := recover(); v != nil {
			out := e.panicked(ctx, in, v)
			task, err = Task{Key: "panic/" + string(in.Key), Handle: func(context.Context) (Outcome, error) { return out, nil }}, nil
		}
	}()
	return e.prepare(ctx, in)
}

func (e *Engine) panicked(ctx context.Context, in Input, v any) Outcome {
	e.o.Log.ErrorContext(ctx, "handling panicked, the record becomes a dead letter",
		"topic", in.Topic, "partition", in.Partition, "offset", in.Offset, "stack", string(debug.Stack()))
	return e.o.Refuse(in, "panic", fmt.Errorf("panic of type %T", v)) // its text may hold anything
}

// start begins every handling that may run now. Called under mu.
func (e *Engine) start() {
	if e.tooManyUnsettled() {
		return // reflow starts again
	}
	for _, it := range e.lanes.start() {
		it.part.running++
		e.running++
		go e.handle(it) // drain waits for it by partition.idle; a stop does not outlast its grace
	}
}

// handle runs one handling and takes its outcome in.
func (e *Engine) handle(it *item) {
	out, err := e.tryHandle(it)
	if err == nil {
		out = e.publishable(it.in, out)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := it.part
	e.running--
	p.running--
	if p.draining && p.running == 0 {
		close(p.idle)
	}
	switch {
	case p.gone:
		e.lanes.release(it, true) // an outcome of an older incarnation is discarded
	case err == nil:
		it.task.Handle = nil // what it holds is not needed any more
		p.done = append(p.done, outcome{it: it, Outcome: out})
		e.lanes.release(it, true)
		e.settleSoonIfMany()
	case p.draining:
		e.lanes.release(it, false) // stays unfinished; the next owner has it
	default:
		e.hold(it, err)
	}
	e.start()
}

// hold keeps a record without outcome at the head of its lane and tries again later.
func (e *Engine) hold(it *item, err error) {
	it.held++
	pause := min(time.Second<<min(it.held-1, 10), e.o.HoldMax)
	attrs := []any{"topic", it.in.Topic, "partition", it.in.Partition, "offset", it.in.Offset, "pause", pause, "error", err}
	if it.held == 1 {
		e.o.Log.WarnContext(it.part.ctx, "event waits without an outcome", attrs...)
	} else {
		e.o.Log.DebugContext(it.part.ctx, "event still waits without an outcome", attrs...)
	}
	e.lanes.release(it, false)
	time.AfterFunc(pause, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lanes.wake(it.task.Key)
		e.start()
	})
}

func (e *Engine) settleSoonIfMany() {
	n := 0
	for _, p := range e.parts {
		n += len(p.done)
	}
	if n >= e.o.SettleCount {
		select {
		case e.settleNow <- struct{}{}:
		default:
		}
	}
}

func (e *Engine) tryHandle(it *item) (out Outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = e.panicked(it.part.ctx, it.in, v), nil
		}
	}()
	return it.task.Handle(it.part.ctx)
}

// publishable replaces an outcome with a record that no topic takes.
func (e *Engine) publishable(in Input, out Outcome) Outcome {
	for _, r := range out.Records {
		if n := size(r); n > e.o.MaxRecord {
			return e.o.Refuse(in, "too_large", fmt.Errorf("record of %d bytes for %s, more than %d", n, r.Topic, e.o.MaxRecord))
		}
	}
	return out
}
