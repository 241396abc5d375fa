package status

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/status/store"
)

// maxUnwritten is how many committed merges may wait for the disk before the partition takes no more observations.
const maxUnwritten = 20_000

// partition is the state of one partition during one assignment: what is merged and not yet on disk, over what the
// store has.
type partition struct {
	p       *Pipeline
	number  int32
	topicID [16]byte // of trade-status

	attention attention

	waiting atomic.Int64 // as many as unwritten has
	refused atomic.Bool  // the disk refused the last write

	mu        sync.Mutex
	gone      bool              // dropped: nothing may be added
	overlay   map[string]*merge // the newest merge of each order that the store does not have
	unwritten []*merge          // committed, and not written yet, because the disk refused them
	next      int64             // offset behind the last committed record of trade-status
	failed    error             // of the last write
}

// merge is the outcome of one observation. The engine gives it back when it is committed.
type merge struct {
	key    string
	offset int64 // of the observation
	record *kgo.Record
	due    time.Time
	change Change

	under     *merge // the one before it that the disk does not have; guarded by partition.mu, as all below
	committed bool
	written   bool
	refused   bool // its record is not published
}

// Kind is how the observation ended, for metrics.
func (*merge) Kind() string { return "status" }

// asked is the note of an observation that only made the bridge ask Alipay.
type asked struct{}

// Kind is how the observation ended, for metrics.
func (asked) Kind() string { return "query" }

// refusal is the note of an observation that was not merged: the reason.
type refusal string

// Kind is how the observation ended, for metrics.
func (refusal) Kind() string { return "skip" }

// current returns the state of an order, which must not be changed; nil: there is none.
func (part *partition) current(ctx context.Context, key string) (*state.Status, error) {
	part.mu.Lock()
	if part.gone {
		part.mu.Unlock()
		return nil, errGone
	}
	m := part.overlay[key]
	part.mu.Unlock()
	if m != nil {
		return m.change.After, nil
	}
	value, err := part.p.store.Load().Get(part.number, []byte(key))
	part.p.damaged(err)
	if err != nil || value == nil {
		return nil, err
	}
	s, err := part.p.codec.Decode(ctx, part.p.o.Topics.Status, value)
	if err != nil {
		return nil, fmt.Errorf("decode trade status of %s/%d: %w", part.p.o.Topics.Status, part.number, err)
	}
	return &s, nil
}

// add remembers a merge until it is committed. It reports false when the assignment is over.
func (part *partition) add(m *merge) bool {
	part.mu.Lock()
	defer part.mu.Unlock()
	if part.gone {
		return false
	}
	m.under = part.overlay[m.key]
	part.overlay[m.key] = m
	return true
}

// rollBack forgets the merge of a record whose outcome cannot be published, unless a later one is built on it. The one
// before it is the newest again.
func (part *partition) rollBack(in consume.Input) {
	part.mu.Lock()
	defer part.mu.Unlock()
	key := string(in.Key)
	for m := part.overlay[key]; m != nil; m = m.under {
		m.refused = m.refused || m.offset == in.Offset && !m.committed
	}
	m := part.overlay[key]
	for m != nil && (m.refused || m.written) {
		m = m.under
	}
	if m == nil {
		delete(part.overlay, key)
		return
	}
	part.overlay[key] = m
}

// settled writes what is committed to disk: values and checkpoint in one write. What the disk refuses stays in memory,
// and goes with the next write.
func (part *partition) settled(merges []*merge) {
	part.mu.Lock()
	defer part.mu.Unlock()
	for _, m := range merges {
		m.committed = true
		part.next = max(part.next, m.record.Offset+1)
		part.attention.note(m.key, m.change.After)
	}
	part.unwritten = append(part.unwritten, merges...)
	part.write()
}

// write is called under mu.
func (part *partition) write() {
	entries := make([]store.Entry, len(part.unwritten))
	for i, m := range part.unwritten {
		entries[i] = store.Entry{Key: []byte(m.key), Value: m.record.Value, Due: m.due}
	}
	err := part.p.store.Load().Write(part.number, store.Checkpoint{TopicID: part.topicID, Next: part.next, At: part.p.o.Now()}, entries)
	if (err != nil) != (part.failed != nil) {
		if err != nil {
			part.p.log.Error("the store of trade status refuses a write; nothing is lost, and observations are taken until too many wait", "partition", part.number, "error", err)
		} else {
			part.p.log.Warn("the store of trade status takes writes again", "partition", part.number)
		}
	}
	part.failed = err
	part.refused.Store(err != nil)
	part.waiting.Store(int64(len(part.unwritten)))
	if err != nil {
		part.p.damaged(err)
		return
	}
	part.waiting.Store(0)
	for _, m := range part.unwritten {
		m.written, m.under = true, nil
		if part.overlay[m.key] == m {
			delete(part.overlay, m.key)
		}
	}
	part.unwritten = nil
}

// full reports, as an error, that too much waits for the disk. It tries to write first.
func (part *partition) full() error {
	part.mu.Lock()
	defer part.mu.Unlock()
	if len(part.unwritten) < maxUnwritten {
		return nil
	}
	if part.write(); part.failed != nil {
		return fmt.Errorf("%d committed changes wait for the store of trade status: %w", len(part.unwritten), part.failed)
	}
	return nil
}

// drop forgets everything that is not on disk.
func (part *partition) drop() {
	part.mu.Lock()
	defer part.mu.Unlock()
	part.gone, part.overlay, part.unwritten = true, nil, nil
}

// touch renews the checkpoint of a partition of which nothing is in memory, so that a quiet store stays usable.
func (part *partition) touch() {
	part.mu.Lock()
	defer part.mu.Unlock()
	if !part.gone && len(part.overlay) == 0 {
		part.write()
	}
}

// Settled is a hook of the engine.
func (p *Pipeline) Settled(s consume.Settlement) {
	var merges []*merge
	for _, o := range s.Outcomes {
		switch note := o.Note.(type) {
		case *merge:
			merges = append(merges, note)
		case refusal:
			if p.o.Refused != nil {
				p.o.Refused(string(note))
			}
		}
	}
	part := p.part(s.Input.Partition)
	if part == nil || len(merges) == 0 {
		return
	}
	part.settled(merges)
	if p.o.Changed == nil {
		return
	}
	for _, m := range merges {
		p.o.Changed(m.change)
	}
}

// Dropped is a hook of the engine.
func (p *Pipeline) Dropped(tp consume.TopicPartition) {
	p.mu.Lock()
	part := p.parts[tp.Partition]
	delete(p.parts, tp.Partition)
	p.mu.Unlock()
	if part != nil {
		part.drop()
	}
}
