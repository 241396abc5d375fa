package consume

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/reread"
)

// A record that waits without a start gives its bytes back, beyond a small stock for each pool: it
// is parked, and read from its topic again when its turn comes. So an outage of one merchant, app
// or method does not fill the memory that the others need (docs/adr/0013).

// errChanged means that a topic has another record at an offset than the one that was admitted.
var errChanged = fmt.Errorf("%w: the topic has another record at its offset", reread.ErrGone)

var errGivenUp = errors.New("the partition was given up")

// loadTimeout bounds one read of parked records.
const loadTimeout = 5 * time.Second

// park drops the record of an item that waits, unless its pool's stock has room. Called under mu.
func (e *Engine) park(it *item) {
	if it.in.Record == nil || it.stock || it.part.reader == nil || e.lanes.keepsNew(it) {
		return
	}
	it.sum = reread.Sum(it.in.Record)
	it.in.Record = nil
	e.lanes.park(it)
	e.charge(it, 0)
	if it.part.parked == nil {
		it.part.parked = map[int64]*item{}
	}
	it.part.parked[it.offset] = it
}

// unpark gives an item its record back. Called under mu.
func (e *Engine) unpark(it *item, r *kgo.Record) {
	delete(it.part.parked, it.offset)
	e.lanes.unpark(it)
	it.in.Record = r
	e.charge(it, it.size)
}

// load reads the record of an item that is to be handled, if it is parked, and with it parked ones
// that follow, as far as their pools' stock has room.
func (e *Engine) load(it *item) (Input, error) {
	p, began := it.part, time.Now()
	select {
	case p.loading <- struct{}{}: // those that wait here mostly find their record read by another
	case <-p.ctx.Done():
		return Input{}, p.ctx.Err()
	}
	defer func() { <-p.loading }()
	e.mu.Lock()
	in, at := it.in, reread.Place{Topic: p.Topic, TopicID: p.place.TopicID, Partition: p.Partition, Offset: it.offset}
	e.mu.Unlock()
	if in.Record != nil {
		return in, nil
	}
	if p.loadErr != nil && p.loadFailed.After(began) {
		return Input{}, p.loadErr // the read that this one waited for failed: each would take as long
	}
	ctx, cancel := context.WithTimeout(p.ctx, loadTimeout)
	defer cancel()
	found, err := p.reader.Read(ctx, at)
	if p.loadErr, p.loadFailed = err, time.Now(); err != nil {
		return Input{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !p.state.Settles() {
		return Input{}, errGivenUp
	}
	for _, r := range found {
		other := p.parked[r.Offset]
		switch {
		case other == nil:
		case reread.Sum(r) != other.sum:
			return Input{}, fmt.Errorf("%s at %d: %w", p.TopicPartition, r.Offset, errChanged)
		case other.started || e.lanes.keeps(other):
			e.unpark(other, r)
		}
	}
	if it.in.Record == nil {
		return Input{}, errGivenUp
	}
	return it.in, nil
}

// charge sets how many bytes of memory an item has. Called under mu.
func (e *Engine) charge(it *item, n int) {
	e.addBytes(it.part, n-it.charged)
	it.charged = n
}

// addBytes counts memory of a partition, not of what outlives it. Called under mu.
func (e *Engine) addBytes(p *partition, n int) {
	if p.state == look.StateStopped || p.state == look.StateGone {
		return
	}
	p.bytes += n
	e.bytes += n
}

// freeBytes ends the counting for a partition. Called under mu, after its last change of state.
func (e *Engine) freeBytes(p *partition) {
	e.bytes -= p.bytes
	p.bytes = 0
	e.lanes.unsettled.Forget(func(o outlet) bool { return o.part == p })
}

// size is what an outcome's records hold of memory.
func (o outcome) size() int {
	n := 0
	for _, r := range o.Records {
		n += reread.Size(r)
	}
	return n
}
