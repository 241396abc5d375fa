package consume

import (
	"math"
	"time"

	"alipay-kafka-bridge/internal/consume/fair"
)

// item is one admitted record on its way through a lane. Engine.mu guards the fields that change.
type item struct {
	offset  int64
	in      Input      // Record is nil while the item is parked
	size    int        // of the record, in bytes
	sum     uint64     // of the record, once it is parked
	part    *partition // the assignment that it was read under
	task    Task       // set before it enters its lane; Handle is run without mu
	since   time.Time  // when it was admitted
	charged int        // bytes of it in partition.bytes
	stock   bool       // its bytes are in pool.stock
	parked  bool       // its record was dropped
	started bool       // its handling runs
	claimed bool       // by a feed, which handles it itself

	held int       // how often its handling ended without an outcome
	sent bool      // an attempt may have taken effect: its handling keeps the request
	kept int       // bytes of it in lanes.kept
	next time.Time // when it is handled again
}

// lanes keeps one queue per key and lets at most one record per key be handled, and at
// most limit handlings of a pool be started. A key stays busy until its handling returns,
// also when the partition is gone by then: two handlings of one key never overlap in a
// process, not even over a revoke and a reassignment. Engine.mu guards all of it, held only to
// move items.
type lanes struct {
	limit    func(app string) int // never changes
	maxBytes int                  // that started handlings hold: records, and what is made of them; never changes
	maxStock int                  // bytes of the records that wait for a start in memory; never changes
	bytes    int                  // that started handlings hold
	byKey    map[string]*lane
	pools    map[Pool]*pool // one for each app and method

	unsettled fair.Shares[outlet] // outcomes that wait to be settled
	kept      fair.Shares[keeper] // requests of handlings that may start again
}

// keeper is what kept requests share.
type keeper struct {
	pool  Pool
	owner string
}

type lane struct {
	key   string
	queue []*item // in the order of admission
	state laneState
}

type laneState uint8

const (
	laneIdle  laneState = iota // nothing to start, or its head's partition starts nothing now
	laneReady                  // in its pool's list
	laneBusy                   // its head is being handled
	laneHeld                   // its head ended without an outcome and waits
)

// pool holds the lanes that wait for a start.
type pool struct {
	ready   fair.Queue[*lane]
	started int
	byTopic map[string]int // started, for each input topic that was ever seen
	limit   int
	bytes   int // that started handlings hold
	stock   int // bytes of records that wait for a start and are kept in memory
	parked  int // records that were dropped
}

// newLanes divides maxBytes: a quarter for the records that are handled, a sixteenth for the stock.
// The shares of pools that come later at most double both, so what waits never keeps partitions
// paused. Kept requests have a sixteenth of their own, which is not counted for the partitions.
func newLanes(limit func(app string) int, maxBytes, maxOutcomes int) *lanes {
	return &lanes{
		limit: limit, maxBytes: maxBytes / 4, maxStock: maxBytes / 16, byKey: map[string]*lane{}, pools: map[Pool]*pool{},
		unsettled: fair.Shares[outlet]{MaxN: maxOutcomes, MaxBytes: maxBytes}, kept: fair.Shares[keeper]{MaxN: math.MaxInt, MaxBytes: maxBytes / 16},
	}
}

// starts reports whether the handling of an item may begin now. One that keeps its request may: it
// ends only so.
func (l *lanes) starts(it *item) bool {
	return !it.part.state.Ending() && !l.unsettled.Choked(outlet{it.part, it.task.Pool}) && (it.sent || !l.kept.Choked(it.keeper()))
}

func (p *partition) has(it *item) bool { return it.part == p }

func (it *item) keeper() keeper { return keeper{it.task.Pool, it.task.Owner} }

// keepRequest counts the memory of a handling's event and request, while it runs and after it
// ended without an outcome.
func (l *lanes) keepRequest(it *item) {
	if it.kept == 0 {
		it.kept = requestSize(it)
		l.kept.Add(it.keeper(), 1, it.kept)
	}
}

// dropRequest gives it back.
func (l *lanes) dropRequest(it *item) {
	if it.kept > 0 {
		l.kept.Add(it.keeper(), -1, -it.kept)
		it.kept = 0
	}
}

// requestSize is about how many bytes an event and its request hold, beyond what Task.Needs counts:
// their fields, some values for which a record spends a byte or two, and its texts.
func requestSize(it *item) int {
	return 2<<10 + min(32*it.size, 24<<10) + 2*it.size + it.task.Needs
}

// push appends an item to the lane of its key.
func (l *lanes) push(it *item) {
	ln := l.byKey[it.task.Key]
	if ln == nil {
		ln = &lane{key: it.task.Key}
		l.byKey[it.task.Key] = ln
	}
	ln.queue = append(ln.queue, it)
	l.ready(ln)
}

// ready puts an idle lane into the list of its head's pool, or forgets an empty one.
func (l *lanes) ready(ln *lane) {
	switch {
	case ln.state != laneIdle:
	case len(ln.queue) == 0:
		delete(l.byKey, ln.key)
	case l.starts(ln.queue[0]):
		ln.state = laneReady
		p := l.pool(ln.queue[0])
		p.count(ln.queue[0], 0) // its topic has a share from now on
		p.ready.Push(ln.queue[0].part.Topic, ln)
	}
}

func (l *lanes) pool(it *item) *pool {
	p := l.pools[it.task.Pool]
	if p == nil {
		p = &pool{limit: l.limit(it.task.Pool.App), byTopic: map[string]int{}}
		l.pools[it.task.Pool] = p
	}
	return p
}

// start removes every item that may be handled now; each must be given back by release.
func (l *lanes) start() []*item {
	var out []*item
	for moved := true; moved; {
		moved = false
		for _, p := range l.pools {
			may := func(topic string) bool { return l.may(p, topic) }
			for ln := p.ready.Pop(may); ln != nil; ln = p.ready.Pop(may) {
				ln.state = laneIdle
				if len(ln.queue) == 0 || !l.starts(ln.queue[0]) || l.pool(ln.queue[0]) != p {
					l.ready(ln) // its head changed while it waited
					moved = true
					continue
				}
				ln.state = laneBusy
				l.count(ln.queue[0], 1)
				if l.kept.Full() { // this one may have to keep its request as well
					l.keepRequest(ln.queue[0])
				}
				out = append(out, ln.queue[0])
			}
		}
	}
	return out
}

// may reports whether one more handling of a pool and topic may be started: while there is room,
// and within the topic's share in any case. In bytes, a pool has its share of maxBytes in any
// case, however much the others wait.
func (l *lanes) may(p *pool, topic string) bool {
	if l.bytes >= l.maxBytes && p.bytes >= l.maxBytes/len(l.pools) {
		return false
	}
	return p.started < p.limit || p.byTopic[topic] < p.limit/len(p.byTopic)
}

// count adds a handling that starts (1) or ends (-1).
func (l *lanes) count(it *item, n int) {
	p := l.pool(it)
	p.count(it, n)
	p.bytes += n * (it.size + it.task.Needs)
	l.bytes += n * (it.size + it.task.Needs)
}

// count adds a handling that starts (1) or ends (-1), or only its topic (0).
func (p *pool) count(it *item, n int) {
	p.started += n
	p.byTopic[it.part.Topic] += n
}

// release ends the handling of an item. finished: it has an outcome, or its partition is
// gone. Otherwise the lane keeps it at its head until wake.
func (l *lanes) release(it *item, finished bool) {
	ln := l.byKey[it.task.Key]
	if !it.claimed {
		l.count(it, -1)
	}
	it.claimed = false
	ln.state = laneIdle
	switch {
	case !finished:
		ln.state = laneHeld
	case len(ln.queue) > 0 && ln.queue[0] == it:
		ln.queue[0] = nil
		ln.queue = ln.queue[1:]
		fallthrough
	default:
		l.ready(ln)
	}
}

// wake lets a held lane start its head again.
func (l *lanes) wake(key string) {
	if ln := l.byKey[key]; ln != nil && ln.state == laneHeld {
		ln.state = laneIdle
		l.ready(ln)
	}
}

// resume lets lanes start again that could not.
func (l *lanes) resume() {
	for _, ln := range l.byKey {
		l.ready(ln)
	}
}

// drop removes every waiting item of a partition. Busy lanes stay busy until release.
func (l *lanes) drop(gone *partition) {
	for _, ln := range l.byKey {
		kept := ln.queue[:0]
		headGone := len(ln.queue) > 0 && ln.queue[0].part == gone
		for _, it := range ln.queue {
			if it.part != gone {
				kept = append(kept, it)
			} else {
				l.unstock(it)
				l.unpark(it)
				l.dropRequest(it)
			}
		}
		clear(ln.queue[len(kept):])
		ln.queue = kept
		if ln.state == laneHeld && headGone {
			ln.state = laneIdle
		}
		l.ready(ln)
	}
}

// keeps reports whether an item that waits for a start may stay in memory: each pool may keep its
// share, so that what it starts next need not be read again.
func (l *lanes) keeps(it *item) bool {
	p := l.pool(it)
	if p.stock+it.size > l.maxStock/len(l.pools) {
		return false
	}
	p.stock += it.size
	it.stock = true
	return true
}

// keepsNew is keeps for an item that was not parked yet. Behind parked ones it has to wait longer
// than they do: they need the stock first.
func (l *lanes) keepsNew(it *item) bool { return l.pool(it).parked == 0 && l.keeps(it) }

// park and unpark count an item whose record is dropped, or was read again.
func (l *lanes) park(it *item) {
	it.parked = true
	l.pool(it).parked++
}

func (l *lanes) unpark(it *item) {
	if it.parked {
		it.parked = false
		l.pool(it).parked--
	}
}

// unstock takes an item out of what its pool keeps in memory.
func (l *lanes) unstock(it *item) {
	if it.stock {
		l.pool(it).stock -= it.size
		it.stock = false
	}
}
