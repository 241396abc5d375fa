package consume

import "time"

// hold keeps a record without outcome at the head of its lane and tries again later. Called
// under mu.
func (e *Engine) hold(it *item, err error) {
	it.held++
	pause := min(time.Second<<min(it.held-1, 10), e.o.HoldMax)
	it.next = time.Now().Add(pause)
	facts := it.facts()
	facts.Next = it.next
	if it.sent = facts.Kept; it.sent {
		e.lanes.keepRequest(it)
	} else {
		e.lanes.dropRequest(it)
	}
	e.waits.Begin(it.part.ctx, it.task.Owner, it, it.record(facts, 0), err)
	e.lanes.release(it, false)
	e.park(it)
	time.AfterFunc(pause, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lanes.wake(it.task.Key)
		e.start()
	})
}
