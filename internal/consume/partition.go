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

	"alipay-kafka-bridge/internal/consume/fair"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/reread"
)

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

	state   look.State // guarded by Engine.mu, as all below; changed by become alone
	running int        // handlings, counted until they return

	// Set when the committed position is known, that is on leaving look.StateAssigned.
	place        window.Place
	committed    offsets.Committed // what the group has, as far as is known
	claimed      startClaim        // the last one
	win          *window.Window
	startDue     bool      // its position is not ours yet: commit it even without an outcome
	entries      []Skipped // where it began, for the journal; at most two
	rewoundBelow int64     // end offset when an operator accepted its position: results of records below it may have been published before

	backlog   []*kgo.Record // fetched, not admitted by the window yet
	preparing []*item       // admitted, being read for their lanes
	done      []outcome     // finished and not settled
	read      int64         // next offset to fetch, as far as records show
	end       int64         // where the partition ended at the last fetch
	readAt    time.Time     // when records were fetched last
	reason    string        // why it is stopped
	absent    bool          // the broker does not know it: not read until lookAt finds its topic
	orphan    bool          // its topic is gone: outcomes are published without an offset
	late      bool          // its committed offset was refused at first: kgo does not know of it

	bytes      int             // of memory that its records and outcomes hold
	parked     map[int64]*item // whose record was dropped, by offset; bounded by the window
	loading    chan struct{}   // a lock of one slot, held while parked records are read again
	loadErr    error           // of the last read, which ended at loadFailed; guarded by loading
	loadFailed time.Time
	reader     *reread.Reader // of the session; never changes

	full   fair.Hysteresis // of backlog
	paused bool            // what the client was asked for last

	hooks     hookState
	hooksOver chan struct{} // closed when Dropped has returned
}

type outcome struct {
	it *item
	Outcome
	replaced int // by a dead letter: notReplaced, replacedOnce or replacedTwice
}

func (e *Engine) newPartition(tp TopicPartition, stamp string) *partition {
	p := &partition{TopicPartition: tp, memberID: stamp, idle: make(chan struct{}), hooksOver: make(chan struct{}), changed: sync.NewCond(&e.mu), loading: make(chan struct{}, 1)}
	if e.session != nil {
		p.reader = e.session.reader
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// become changes the state. Called under Engine.mu.
func (p *partition) become(s look.State) {
	if !slices.Contains(p.state.Next(), s) {
		panic(fmt.Sprintf("consume: partition %s cannot change from %s to %s", p.TopicPartition, p.state, s))
	}
	starting := !p.state.Ending()
	p.state = s
	if starting && s.Ending() {
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
	if p.state.Ending() && p.running == 0 {
		close(p.idle)
	}
}

// intake adds fetched records to the backlog. Called under mu.
func (e *Engine) intake(p *partition, f kgo.FetchPartition) {
	if n := len(f.Records); n > 0 {
		p.read, p.end, p.readAt = f.Records[n-1].Offset+1, f.HighWatermark, time.Now()
		e.names.Read(p.Topic, p.place.TopicID)
	}
	for _, r := range f.Records {
		e.addBytes(p, reread.Size(r))
		p.backlog = append(p.backlog, reread.Copy(r))
	}
	p.changed.Broadcast()
}

// feed moves records of one partition from its backlog through the window into lanes, in their
// order, until the partition is given up.
func (e *Engine) feed(p *partition) {
	for items := e.nextAdmitted(p); items != nil; items = e.nextAdmitted(p) {
		for _, it := range items {
			task, ok := e.prepareUntil(it)
			if !ok {
				return
			}
			it.task = task
		}
		if taken := e.enter(p, items); len(taken) > 0 {
			e.handleTaken(taken)
		}
	}
}

// enter puts items into their lanes. It returns those that the caller has to handle.
func (e *Engine) enter(p *partition, items []*item) (taken []*item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.preparing = nil
	if !p.state.Settles() {
		return nil
	}
	for _, it := range items {
		if e.o.Inline && !e.waits.Any() && e.lanes.claim(it) {
			e.started(it)
			taken = append(taken, it)
			continue
		}
		e.lanes.push(it)
		e.start()
		if !it.started {
			e.park(it)
		}
	}
	return taken
}

// nextAdmitted waits for the next records that the window admits. It returns nil when the
// partition was given up.
func (e *Engine) nextAdmitted(p *partition) []*item {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		for !p.state.Ending() && !e.mayAdmit(p) {
			p.changed.Wait()
		}
		if p.state.Ending() {
			return nil
		}
		for e.mayAdmit(p) {
			e.admit(p)
		}
		if len(p.preparing) > 0 {
			return p.preparing
		}
	}
}

// admit takes the next record of a partition out of its backlog. Called under mu.
func (e *Engine) admit(p *partition) {
	r := p.backlog[0]
	p.backlog[0] = nil
	p.backlog = p.backlog[1:]
	if n := reread.Size(r); p.win.Admit(r.Offset) {
		p.preparing = append(p.preparing, &item{offset: r.Offset, in: Input{r, r.Offset < p.rewoundBelow}, size: n, charged: n, part: p, since: time.Now()})
	} else {
		e.addBytes(p, -n) // a previous owner has finished it
	}
}

// prepareUntil reads a record, again and again while it cannot be read now. It reports false
// when the partition was given up.
func (e *Engine) prepareUntil(it *item) (task Task, ok bool) {
	p := it.part
	ok = pause.Retry(p.ctx, e.o.RetryPrepare, func() (err error) {
		task, err = e.tryPrepare(it)
		return err
	}, func(err error) {
		e.o.Log.WarnContext(p.ctx, "record cannot be read now; its partition waits",
			"topic", p.Topic, "partition", p.Partition, "offset", it.offset, "error", err)
	})
	return task, ok
}

func (e *Engine) tryPrepare(it *item) (task Task, err error) {
	defer func() {
		if v := recover(); v != nil {
			out := e.panicked(it, v)
			task, err = Task{Key: "panic/" + string(it.in.Key), Handle: func(context.Context, Input) (Outcome, error) { return out.Outcome, nil }}, nil
		}
	}()
	return e.prepare(it.part.ctx, it.in)
}

func (e *Engine) panicked(it *item, v any) outcome {
	e.o.Log.ErrorContext(it.part.ctx, "handling panicked; the record becomes a dead letter",
		"topic", it.part.Topic, "partition", it.part.Partition, "offset", it.offset, "stack", string(debug.Stack()))
	return e.refuse(it, notReplaced, "panic", fmt.Errorf("panic of type %T", v)) // its text may hold anything
}

// start begins every handling that may run now. Called under mu.
func (e *Engine) start() {
	if unsettled, kept := e.lanes.unsettled.Freed(), e.lanes.kept.Freed(); unsettled || kept {
		e.lanes.resume()
		for _, p := range e.parts {
			p.changed.Broadcast()
		}
	}
	for _, it := range e.lanes.start() {
		e.started(it)
		go e.handle(it) // drain waits for it by partition.idle; a stop does not outlast its grace
	}
}

// started counts a handling that begins. Called under mu.
func (e *Engine) started(it *item) {
	it.started = true
	e.lanes.unstock(it)
	it.part.running++
	e.running++
}

// handle runs one handling and keeps its outcome until it is settled.
func (e *Engine) handle(it *item) {
	in, err := e.load(it)
	var out outcome
	if err == nil {
		out, err = e.tryHandle(it, in)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handled(it, out, err)
	e.settleSoonIfMany()
	e.start()
}

// handled ends a handling. Called under mu.
func (e *Engine) handled(it *item, out outcome, err error) {
	p := it.part
	it.started = false
	e.running--
	p.ended()
	switch {
	case !p.state.Settles():
		e.lanes.release(it, true) // an outcome of an older incarnation is discarded
	case err == nil:
		e.keep(it, out)
	case errors.Is(err, reread.ErrGone):
		e.lanes.release(it, false)
		e.stop(p, "a record was deleted before its turn came; find out who deleted records or the topic, then restart", "offset", it.offset, "error", err)
	case p.state.Ending():
		e.lanes.release(it, false) // the lane stays held until drop; the next owner has the record
	default:
		e.hold(it, err)
	}
}

// keep keeps the outcome of an item until it is settled. Called under mu.
func (e *Engine) keep(it *item, out outcome) {
	out.it = it
	it.task.Handle = nil // what it holds is not needed any more
	e.lanes.dropRequest(it)
	it.part.done = append(it.part.done, out)
	e.countOutcome(out, 1)
	e.charge(it, it.size+out.size())
	e.waits.End(it.task.Owner, it)
	e.lanes.release(it, true)
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

// tryHandle returns an outcome that can be published, or why there is none.
func (e *Engine) tryHandle(it *item, in Input) (out outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = e.panicked(it, v), nil
		}
	}()
	out.Outcome, err = it.task.Handle(it.part.ctx, in)
	if err != nil {
		return outcome{}, err
	}
	if err := e.tooLarge(out.Outcome); err != nil {
		return e.refuse(it, notReplaced, "too_large", err), nil
	}
	return out, nil
}
