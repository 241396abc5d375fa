package consume

// backlogFull is how many fetched records a partition may have waiting before its window
// when it is paused.
const backlogFull = 500

// maxUnsettledBatches is how many full batches of outcomes may wait to be settled before
// nothing more is started. Events that need no call finish faster than transactions can
// publish them, and an outcome with its dead letter takes ten times the memory of its event
// (security K6).
const maxUnsettledBatches = 4

// hysteresis is true from its limit on until no more than low is left.
type hysteresis bool

func (h *hysteresis) update(n, limit, low int) {
	switch {
	case n >= limit:
		*h = true
	case n <= low:
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

// flow pauses partitions that are not to be read or have a full backlog, and resumes later. When
// too many bytes or events are held, it pauses those that hold more than their share: one cannot
// stop the others. Pausing drops what is buffered; kgo fetches it again. Called under mu.
func (e *Engine) flow() {
	events := 0
	for _, p := range e.parts {
		events += p.events()
	}
	e.full.update(e.bytes, e.o.MaxBytes, e.o.MaxBytes/4*3) // what waits holds less: see newLanes
	e.crowded.update(events, e.o.MaxEvents, e.o.MaxEvents/4*3)
	for _, p := range e.parts {
		p.full.update(len(p.backlog), backlogFull, backlogFull/2)
		want := bool(p.full) || p.absent || p.state != stateOpen ||
			bool(e.full) && e.aboveShare(p.bytes, e.o.MaxBytes) || bool(e.crowded) && e.aboveShare(p.events(), e.o.MaxEvents)
		if want != p.paused && p.state != stateAssigned { // startOffsets decides then
			e.pause(p, want)
		}
	}
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

// choke keeps partitions from starting handlings that have more than their share of the outcomes
// that wait to be settled, while there are too many. Called under mu.
func (e *Engine) choke() {
	limit, n, bytes := maxUnsettledBatches*e.o.SettleCount, 0, 0
	for _, p := range e.parts {
		n += len(p.done) // a stopped partition has none
		bytes += p.doneBytes
	}
	for _, p := range e.parts {
		was := p.choked
		p.choked = n >= limit && e.aboveShare(len(p.done), limit) || bytes >= e.o.MaxBytes && e.aboveShare(p.doneBytes, e.o.MaxBytes)
		if was && !p.choked {
			e.lanes.resume(p)
		}
	}
}
