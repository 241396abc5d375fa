package consume

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicPartition names a partition of an input topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// partitionState is where one assignment of a partition is between its first and its last
// moment. [partitionState.next] is the table of allowed transitions.
type partitionState uint8

const (
	stateAssigned  partitionState = iota // the group gave it to us; its committed position is not known yet
	stateRestoring                       // has a position and a window; Options.Assigned has not returned nil yet
	stateOpen                            // is read and handled
	stateDraining                        // is being given up: nothing starts; running handlings end and are settled
	stateStopped                         // an operator has to decide: nothing is read or settled, the offsets are held
	stateGone                            // given up: anything that still arrives for it is discarded
)

// next lists the states that may follow s.
func (s partitionState) next() []partitionState {
	switch s {
	case stateAssigned:
		return []partitionState{stateRestoring, stateStopped, stateGone} // gone: nothing was read, nothing has to be settled
	case stateRestoring:
		return []partitionState{stateOpen, stateDraining, stateStopped}
	case stateOpen:
		return []partitionState{stateDraining, stateStopped}
	case stateDraining:
		return []partitionState{stateGone, stateStopped}
	case stateStopped:
		return []partitionState{stateGone}
	}
	return nil // gone is final
}

// ending reports whether nothing of the partition may start any more.
func (s partitionState) ending() bool { return s >= stateDraining }

// settles reports whether outcomes of the partition are accepted and settled. Such a partition
// has a window.
func (s partitionState) settles() bool {
	return s == stateRestoring || s == stateOpen || s == stateDraining
}

func (s partitionState) String() string {
	names := [...]string{"assigned", "restoring", "open", "draining", "stopped", "gone"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// partition is one assignment (incarnation) of an input partition. What belongs to an
// older incarnation is recognised by its pointer and discarded. Engine.mu guards the fields
// that change; it is held to read or move them, never during a handling or a request.
type partition struct {
	TopicPartition
	memberID string             // the member id that it was assigned to; never changes
	ctx      context.Context    // of its handlings; ends when no new attempt may begin
	cancel   context.CancelFunc // called by become
	idle     chan struct{}      // closed once nothing runs and nothing can start any more
	changed  *sync.Cond         // on Engine.mu; signalled when backlog, window or state changed

	state   partitionState // guarded by Engine.mu, as all below; changed by become alone
	running int            // handlings, counted until they return

	// Set when the committed position is known, that is on leaving stateAssigned.
	place          place
	firstCommitted committed // what the group had committed when it was assigned
	win            *window
	startDue       bool  // its position is not ours yet: commit it even without an outcome
	rewoundBelow   int64 // end offset when an operator accepted its position: results of records below it may have been published before

	backlog   []*kgo.Record // fetched, not admitted by the window yet
	preparing *item         // admitted, being read for its lane
	done      []outcome     // finished and not settled

	full   hysteresis // of backlog
	paused bool       // what the client was asked for last

	hooks     hookState
	hooksOver chan struct{} // closed when Dropped has returned
}

type outcome struct {
	it *item
	Outcome
	refused bool // it is already the dead letter that replaces an outcome
}

func (e *Engine) newPartition(tp TopicPartition, stamp string) *partition {
	p := &partition{TopicPartition: tp, memberID: stamp, idle: make(chan struct{}), hooksOver: make(chan struct{}), changed: sync.NewCond(&e.mu)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// become changes the state. Called under Engine.mu.
func (p *partition) become(s partitionState) {
	if !slices.Contains(p.state.next(), s) {
		panic(fmt.Sprintf("consume: partition %s cannot change from %s to %s", p.TopicPartition, p.state, s))
	}
	starting := !p.state.ending()
	p.state = s
	if starting && s.ending() {
		p.cancel()
		if p.running == 0 {
			close(p.idle)
		}
	}
	p.changed.Broadcast()
}

// ended counts a handling that returned. Called under Engine.mu.
func (p *partition) ended() {
	p.running--
	if p.state.ending() && p.running == 0 {
		close(p.idle)
	}
}

// intake adds fetched records to the backlog. Called under mu.
func (e *Engine) intake(p *partition, records []*kgo.Record) {
	for _, r := range records {
		e.bytes += size(r)
		p.backlog = append(p.backlog, r)
	}
	p.changed.Broadcast()
}

// feed moves records of one partition from its backlog through the window into lanes, one
// after the other, until the partition is given up.
func (e *Engine) feed(p *partition) {
	for it := e.nextAdmitted(p); it != nil; it = e.nextAdmitted(p) {
		task, ok := e.prepareUntil(p, it.in)
		if !ok {
			return
		}
		e.mu.Lock()
		p.preparing = nil
		if p.state.settles() {
			it.task = task
			e.lanes.push(it)
			e.start()
		}
		e.mu.Unlock()
	}
}

// nextAdmitted waits for the next record that the window admits. It returns nil when the
// partition was given up.
func (e *Engine) nextAdmitted(p *partition) *item {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		for !p.state.ending() && (len(p.backlog) == 0 || !p.win.admits(p.backlog[0].Offset)) {
			p.changed.Wait()
		}
		if p.state.ending() {
			return nil
		}
		r := p.backlog[0]
		p.backlog[0] = nil
		p.backlog = p.backlog[1:]
		if p.win.admit(r.Offset) {
			p.preparing = &item{in: Input{r, r.Offset < p.rewoundBelow}, part: p, since: time.Now()}
			return p.preparing
		}
		e.bytes -= size(r) // a previous owner has finished it
	}
}

// prepareUntil reads a record, again and again while it cannot be read now. It reports false
// when the partition was given up.
func (e *Engine) prepareUntil(p *partition, in Input) (task Task, ok bool) {
	ok = retry(p.ctx, e.o.RetryPrepare, func() (err error) {
		task, err = e.tryPrepare(p.ctx, in)
		return err
	}, func(err error) {
		e.o.Log.WarnContext(p.ctx, "record cannot be read now; its partition waits",
			"topic", p.Topic, "partition", p.Partition, "offset", in.Offset, "error", err)
	})
	return task, ok
}

func (e *Engine) tryPrepare(ctx context.Context, in Input) (task Task, err error) {
	defer func() {
		if v := recover(); v != nil {
			out := e.panicked(ctx, &item{in: in}, v)
			task, err = Task{Key: "panic/" + string(in.Key), Handle: func(context.Context) (Outcome, error) { return out, nil }}, nil
		}
	}()
	return e.prepare(ctx, in)
}

func (e *Engine) panicked(ctx context.Context, it *item, v any) Outcome {
	e.o.Log.ErrorContext(ctx, "handling panicked; the record becomes a dead letter",
		"topic", it.in.Topic, "partition", it.in.Partition, "offset", it.in.Offset, "stack", string(debug.Stack()))
	return e.refuse(it, "panic", fmt.Errorf("panic of type %T", v)) // its text may hold anything
}

// refuse turns a record without an outcome that can be published into one that has one.
func (e *Engine) refuse(it *item, reason string, err error) Outcome {
	if it.task.Refuse != nil {
		return it.task.Refuse(reason, err)
	}
	return e.o.Refuse(it.in, reason, err)
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

// handle runs one handling and keeps its outcome until it is settled.
func (e *Engine) handle(it *item) {
	out, err := e.tryHandle(it)
	if err == nil {
		out = e.publishable(it, out)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := it.part
	e.running--
	p.ended()
	switch {
	case !p.state.settles():
		e.lanes.release(it, true) // an outcome of an older incarnation is discarded
	case err == nil:
		it.task.Handle = nil // what it holds is not needed any more
		p.done = append(p.done, outcome{it: it, Outcome: out})
		e.lanes.release(it, true)
		e.settleSoonIfMany()
	case p.state.ending():
		e.lanes.release(it, false) // the lane stays held until drop; the next owner has the record
	default:
		e.hold(it, err)
	}
	e.start()
}

// hold keeps a record without outcome at the head of its lane and tries again later. Called
// under mu.
func (e *Engine) hold(it *item, err error) {
	it.held++
	pause := min(time.Second<<min(it.held-1, 10), e.o.HoldMax)
	it.next = time.Now().Add(pause)
	if r, ok := errors.AsType[waitReporter](err); ok {
		it.facts = r.WaitFacts()
	}
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
			out, err = e.panicked(it.part.ctx, it, v), nil
		}
	}()
	return it.task.Handle(it.part.ctx)
}

// publishable replaces an outcome that has a record too large for any topic.
func (e *Engine) publishable(it *item, out Outcome) Outcome {
	for _, r := range out.Records {
		if n := size(r); n > e.o.MaxRecord {
			return e.refuse(it, "too_large", fmt.Errorf("record of %d bytes for %s, more than %d", n, r.Topic, e.o.MaxRecord))
		}
	}
	return out
}
