package consume

import "github.com/twmb/franz-go/pkg/kgo"

// backlogFull is how many fetched records a partition may have waiting before its window
// when it is paused.
const backlogFull = 500

// maxUnsettledBatches is how many full batches of outcomes may wait to be settled before
// nothing more is started. Events that need no call finish faster than transactions can
// publish them, and an outcome with its dead letter takes ten times the memory of its event
// (security K6).
const maxUnsettledBatches = 4

// hysteresis is true from its limit on until no more than half of it is left.
type hysteresis bool

func (h *hysteresis) update(n, limit int) {
	switch {
	case n >= limit:
		*h = true
	case n <= limit/2:
		*h = false
	}
}

// reflow resumes what has room again. Backlog and held bytes also shrink while nothing is
// polled and nothing settles.
func (e *Engine) reflow() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flow()
	e.start()
}

// flow pauses partitions that are not to be read or have a full backlog, or all of them when
// too many bytes are held, and resumes at half. Pausing drops what is buffered; kgo fetches it
// again. Called under mu.
func (e *Engine) flow() {
	e.full.update(e.bytes, e.o.MaxBytes)
	for _, p := range e.parts {
		p.full.update(len(p.backlog), backlogFull)
		want := bool(e.full || p.full) || p.state != stateOpen
		if want != p.paused && p.state != stateAssigned { // startOffsets decides then
			e.pause(p, want)
		}
	}
}

// pause asks the client to stop or to resume fetching a partition. Called under mu.
func (e *Engine) pause(p *partition, want bool) {
	p.paused = want
	topics := map[string][]int32{p.Topic: {p.Partition}}
	if want {
		e.session.client.PauseFetchPartitions(topics)
	} else {
		e.session.client.ResumeFetchPartitions(topics)
	}
}

// tooManyUnsettled reports whether too many outcomes wait to be settled. Called under mu.
func (e *Engine) tooManyUnsettled() bool {
	n := 0
	for _, p := range e.parts {
		n += len(p.done) // a stopped partition has none
	}
	return n >= maxUnsettledBatches*e.o.SettleCount
}

// recount sums up the records that are still held. Called under mu.
func (e *Engine) recount() {
	e.bytes = 0
	for _, p := range e.parts {
		for _, r := range p.backlog {
			e.bytes += size(r)
		}
		if p.preparing != nil && p.state.settles() {
			e.bytes += size(p.preparing.in.Record)
		}
		for _, o := range p.done {
			e.bytes += size(o.it.in.Record)
		}
	}
	for _, ln := range e.lanes.byKey {
		for _, it := range ln.queue {
			e.bytes += size(it.in.Record)
		}
	}
}

// size is roughly what a record holds of memory.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
