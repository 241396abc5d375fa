package consume

import (
	"cmp"
	"time"

	"alipay-kafka-bridge/internal/consume/look"
)

// hold keeps a record without outcome at the head of its lane and tries again later. Called
// under mu.
func (e *Engine) hold(it *item, err error) {
	it.held++
	pause := min(time.Second<<min(it.held-1, 10), e.o.HoldMax)
	it.next = time.Now().Add(pause)
	facts := it.facts()
	if it.sent = facts.Kept; it.sent {
		e.lanes.keepRequest(it)
	} else {
		e.lanes.dropRequest(it)
	}
	e.waits.begin(it, facts, err, e.o)
	e.lanes.release(it, false)
	e.park(it)
	time.AfterFunc(pause, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lanes.wake(it.task.Key)
		e.start()
	})
}

// waitLogEvery is how often the log says that events still wait.
const waitLogEvery = 10 * time.Minute

// waits counts the records that wait without an outcome, for the log: a line when the first of an
// owner begins to wait or the reason changes, and one when the last goes on. Engine.mu guards it.
type waits map[string]*wait // by Task.Owner; only owners with a waiting record

type wait struct {
	items   map[*item]bool
	since   time.Time
	said    time.Time // when the log last had a line
	most    int       // waited at one time
	reasons string
}

func (w waits) begin(it *item, facts look.Facts, err error, o Options) {
	owner := it.task.Owner
	g := w[owner]
	if g == nil {
		g = &wait{items: map[*item]bool{}, since: time.Now()}
		w[owner] = g
	}
	g.items[it] = true
	g.most = max(g.most, len(g.items))
	reason := cmp.Or(facts.Class+facts.Code, "error")
	if reason == g.reasons && time.Since(g.said) < waitLogEvery {
		o.Log.DebugContext(it.part.ctx, "event waits without an outcome", "topic", it.part.Topic, "partition", it.part.Partition, "offset", it.offset, "next", it.next, "error", err)
		return
	}
	g.reasons, g.said = reason, time.Now()
	o.Log.WarnContext(it.part.ctx, "events wait without an outcome; they are tried again until it is fixed", "group", o.Group, "account", owner,
		"waiting", len(g.items), "for", time.Since(g.since).Round(time.Second), "class", facts.Class, "code", facts.Code,
		"topic", it.part.Topic, "partition", it.part.Partition, "offset", it.offset, "error", err)
}

// end notes that a record has an outcome, or that its partition was given up.
func (w waits) end(it *item, o Options) {
	g := w[it.task.Owner]
	if g == nil || !g.items[it] {
		return
	}
	delete(g.items, it)
	if len(g.items) == 0 {
		delete(w, it.task.Owner)
		o.Log.Info("no event waits without an outcome any more", "group", o.Group, "account", it.task.Owner, "waited_at_most", g.most, "for", time.Since(g.since).Round(time.Second))
	}
}

// drop forgets the records of a partition.
func (w waits) drop(p *partition) {
	for owner, g := range w {
		for it := range g.items {
			if it.part == p {
				delete(g.items, it)
			}
		}
		if len(g.items) == 0 {
			delete(w, owner)
		}
	}
}
