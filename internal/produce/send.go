package produce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends records, and returns nil once all of them are acknowledged. Then they have their offsets.
func (t *Transactor) produce(ctx context.Context, records []*kgo.Record) error {
	b := sending{answered: make([]bool, len(records)), used: t.used}
	sent := make([]*kgo.Record, len(records))
	for i, r := range records {
		c := *r // kgo writes partition and offset into it, and a batch may be tried again
		sent[i] = &c
		t.client.Produce(ctx, &c, func(left *kgo.Record, err error) { b.answer(i, r, left, err) })
	}
	flushErr := t.client.Flush(ctx)
	if err := b.err(records, flushErr); err != nil {
		return err
	}
	for i, r := range sent {
		records[i].Offset = r.Offset
	}
	return t.awaitTopics(ctx, sent)
}

// sending is a batch of records on its way. kgo calls the promises on goroutines of its own, and
// after a failed flush they may come later.
type sending struct {
	used     bool
	mu       sync.Mutex
	answered []bool
	failures failures
}

func (b *sending) answer(i int, asked, left *kgo.Record, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered[i] = true
	// A record that is given up because the batch ran out of time says nothing of itself.
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		b.answered[i] = false
		return
	}
	if err != nil {
		b.failures.add(asked, left, b.used, err)
	}
}

// err is what became of the batch. Where the flush ran out of time, topics without any answer are
// the cause only if another topic answered: else it is the cluster.
func (b *sending) err(records []*kgo.Record, flushErr error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.failures.err(); err != nil || flushErr == nil && !slices.Contains(b.answered, false) {
		return err
	}
	flushErr = cmp.Or(flushErr, errNoAnswer)
	silent, answered := map[string]bool{}, map[string]bool{}
	for i, r := range records {
		if b.answered[i] {
			answered[r.Topic] = true
		} else {
			silent[r.Topic] = true
		}
	}
	var f failures
	for topic := range silent {
		if len(answered) > 0 {
			f.topic(topic, fmt.Errorf("no answer: %w", flushErr))
		}
	}
	if err := f.err(); err != nil {
		return err
	}
	return fmt.Errorf("flush: %w", flushErr)
}

var errNoAnswer = errors.New("the broker did not acknowledge in time")

// awaitTopics waits until kgo has stored the partitions of every topic that has an acknowledged
// record. kgo sends the first records of a topic before it stores its partitions. An EndTransaction
// in between sees none that were produced to: it aborts, or sends nothing, and returns nil.
func (t *Transactor) awaitTopics(ctx context.Context, acknowledged []*kgo.Record) error {
	known := map[string]bool{}
	for _, r := range acknowledged {
		for !known[r.Topic] {
			leader, _, _ := t.client.PartitionLeader(r.Topic, r.Partition)
			known[r.Topic] = leader >= 0
			if !known[r.Topic] && !pause(ctx) {
				return fmt.Errorf("partitions of %s: %w", r.Topic, context.Cause(ctx))
			}
		}
	}
	return nil
}
