package produce

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// produce sends records, and returns nil once all of them are acknowledged.
func (t *Transactor) produce(ctx context.Context, records []*kgo.Record) error {
	failed := make(chan error, len(records)) // kgo calls the promises; read after Flush
	sent := make([]*kgo.Record, len(records))
	used := t.used // promises may come after a failed flush
	for i, r := range records {
		c := *r // kgo writes partition and offset into it, and a batch may be tried again
		sent[i] = &c
		t.client.Produce(ctx, &c, func(kept *kgo.Record, err error) {
			if err != nil {
				failed <- produceError(r, kept, used, err)
			}
		})
	}
	if err := t.client.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	if err := firstFailure(failed); err != nil {
		return err
	}
	return t.awaitTopics(ctx, sent)
}

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

// firstFailure returns the error of a batch: that of a refused record, if there is one.
func firstFailure(failed <-chan error) error {
	var first error
	for range len(failed) {
		err := <-failed
		var re *RecordError
		if first == nil || errors.As(err, &re) {
			first = err
		}
	}
	return first
}

// produceError returns a [RecordError] where the record itself was refused. asked is the record
// as the caller gave it, r as kgo left it. used: what the producer knows of topics may be old.
func produceError(asked, r *kgo.Record, used bool, err error) error {
	switch {
	case r.Partition == noPartition && used: // it may have been added since; a new producer asks
		return fmt.Errorf("produce to %s: no partition %d is known", asked.Topic, asked.Partition)
	case r.Partition == noPartition:
		return &RecordError{Topic: asked.Topic, Err: fmt.Errorf("the topic has no partition %d", asked.Partition)}
	}
	for _, own := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.UnsupportedForMessageFormat} {
		if errors.Is(err, own) {
			return &RecordError{Topic: asked.Topic, Err: err}
		}
	}
	return fmt.Errorf("produce to %s: %w", asked.Topic, err)
}
