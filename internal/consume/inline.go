package consume

import (
	"context"
	"time"

	"alipay-kafka-bridge/internal/consume/pause"
)

// Where handlings make no request (Options.Inline), a goroutine for each, and reading records again that had to wait, would
// cost more than the handlings. So the feed of a partition handles what it admits itself, and admits only what it handles next:
// the rest stays in its topic. What cannot be handled at once goes the usual way: its lane is busy, or anything waits.

// inlineBatch is how many records of a partition are admitted and handled together.
const inlineBatch = 64

// mayAdmit reports whether the next record of a partition may be admitted now. Called under mu.
func (e *Engine) mayAdmit(p *partition) bool {
	switch {
	case len(p.backlog) == 0 || !p.win.Admits(p.backlog[0].Offset):
		return false
	case e.o.Inline:
		return len(p.preparing) < inlineBatch && !e.lanes.unsettled.Choked(outlet{part: p})
	}
	return len(p.preparing) == 0
}

// claim starts an item, unless its lane has others. It takes no place of a pool: what feeds handle is little.
func (l *lanes) claim(it *item) bool {
	it.claimed = l.byKey[it.task.Key] == nil && l.starts(it)
	if it.claimed {
		l.byKey[it.task.Key] = &lane{key: it.task.Key, state: laneBusy, queue: []*item{it}}
	}
	return it.claimed
}

// handleTaken handles items one after the other. Once one has no outcome, the others do not wait.
func (e *Engine) handleTaken(items []*item) {
	outs, errs := make([]outcome, 0, len(items)), make([]error, 0, len(items))
	for _, it := range items {
		out, err := e.tryHandle(it, it.in)
		outs, errs = append(outs, out), append(errs, err)
		if err != nil {
			break
		}
	}
	for _, it := range items[len(outs):] {
		go e.handle(it) // as in start
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, out := range outs {
		e.handled(items[i], out, errs[i])
	}
	e.settleSoonIfMany()
	e.start()
}

// roomWait is how long an inline engine waits for room before it pauses a partition.
const roomWait = 100 * time.Millisecond

// awaitRoom waits for a moment while partitions of an inline engine hold too much, before it pauses them: pausing drops what
// the client has unpacked, and handlings make room soon.
func (e *Engine) awaitRoom(ctx context.Context) {
	if !e.o.Inline {
		return
	}
	for began := time.Now(); ; {
		e.mu.Lock()
		e.reckon()
		patient, waits := time.Since(began) < roomWait, false
		for _, p := range e.parts {
			full := e.holdsTooMuch(p) && !p.paused
			if waits = waits || full; full && !patient {
				e.pause(p, true)
			}
		}
		e.mu.Unlock()
		if !waits || !patient || !pause.Sleep(ctx, roomWait/50) {
			return
		}
	}
}
