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

// unsettled are the outcomes of one partition and pool that wait to be settled.
type unsettled struct {
	n, bytes int
	choked   bool // nothing more of them is started
}

// countOutcome adds an outcome that waits to be settled (1), or takes it away (-1). Called under mu.
func (p *partition) countOutcome(o outcome, n int) {
	u := p.unsettled[o.it.task.Pool]
	if u == nil {
		if p.unsettled == nil {
			p.unsettled = map[Pool]*unsettled{}
		}
		u = &unsettled{}
		p.unsettled[o.it.task.Pool] = u
	}
	u.n += n
	u.bytes += n * o.size()
}

// choke keeps handlings from starting whose partition and pool have more than their share of the
// outcomes that wait to be settled, while there are too many: where the topic of one merchant or
// the offset of one partition is refused, the others go on. Called under mu.
func (e *Engine) choke() {
	limit, n, bytes, shares := maxUnsettledBatches*e.o.SettleCount, 0, 0, 1
	for _, p := range e.parts {
		for _, u := range p.unsettled {
			n += u.n
			bytes += u.bytes
			shares++
		}
	}
	for _, p := range e.parts {
		resume := false
		for pool, u := range p.unsettled {
			was := u.choked
			u.choked = n >= limit && u.n*shares >= limit || bytes >= e.o.MaxBytes && u.bytes*shares >= e.o.MaxBytes
			resume = resume || was && !u.choked
			if u.n == 0 && !u.choked {
				delete(p.unsettled, pool)
			}
		}
		if resume {
			e.lanes.resume(p)
		}
	}
}
