package consume

import "alipay-kafka-bridge/internal/consume/look"

// backlogFull is how many fetched records a partition may have waiting before its window
// when it is paused.
const backlogFull = 500

// maxUnsettledBatches is how many full batches of outcomes may wait to be settled before
// nothing more is started. Events that need no call finish faster than transactions can
// publish them, and an outcome with its dead letter takes ten times the memory of its event
// (security K6).
const maxUnsettledBatches = 4

// reflow resumes what has room again. Backlog and held bytes also shrink while nothing is
// polled and nothing settles.
func (e *Engine) reflow() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flow()
	e.start()
}

// flow pauses partitions that are not to be read or hold too much, and resumes later. Pausing drops what is buffered; kgo
// fetches it again: an inline engine waits for a moment before. Called under mu.
func (e *Engine) flow() {
	e.reckon()
	for _, p := range e.parts {
		want := p.absent || p.state != look.StateOpen || e.holdsTooMuch(p) && (p.paused || !e.o.Inline)
		if want != p.paused && p.state != look.StateAssigned { // startOffsets decides then
			e.pause(p, want)
		}
	}
}

// reckon compares what is held with the limits. Called under mu.
func (e *Engine) reckon() {
	events := 0
	for _, p := range e.parts {
		events += p.events()
		p.full.Update(len(p.backlog), backlogFull, backlogFull/2)
	}
	e.full.Update(e.bytes, e.o.MaxBytes, e.o.MaxBytes/4*3) // what waits holds less: see newLanes
	e.crowded.Update(events, e.o.MaxEvents, e.o.MaxEvents/4*3)
}

// holdsTooMuch reports whether no more of a partition is to be read for now: its backlog is full, or too many bytes or
// events are held and it has more than its share of them, so that one cannot stop the others. Called under mu.
func (e *Engine) holdsTooMuch(p *partition) bool {
	return bool(p.full) && !e.o.Inline || bool(e.full) && e.aboveShare(p.bytes, e.o.MaxBytes) || bool(e.crowded) && e.aboveShare(p.events(), e.o.MaxEvents)
}

// aboveShare reports whether one partition has at least its share of a limit. Called under mu.
func (e *Engine) aboveShare(n, limit int) bool { return n*len(e.parts) >= limit }

// events is how many records of a partition are fetched and have no settled outcome.
func (p *partition) events() int {
	n := len(p.backlog)
	if p.win != nil {
		n += p.win.Unsettled()
	}
	return n
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

// outlet is what outcomes share while they wait to be settled: where the topic of one merchant or
// the offset of one partition is refused, the others go on.
type outlet struct {
	part *partition
	pool Pool
}

// countOutcome adds an outcome that waits to be settled (1), or takes it away (-1). Called under mu.
func (e *Engine) countOutcome(o outcome, n int) {
	e.lanes.unsettled.Add(outlet{o.it.part, o.it.task.Pool}, n, n*o.size())
}
