package status

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/reread"
	"alipay-kafka-bridge/internal/status/store"
)

// reader reads trade-status, to restore partitions.
type reader struct {
	topics Topics
	client *kgo.Client
	admin  *kadm.Client
	pages  *reread.Reader
}

func newReader(t Topics, opts []kgo.Opt) (reader, error) {
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return reader{}, fmt.Errorf("client of trade status: %w", err)
	}
	pages, err := reread.New(opts...)
	if err != nil {
		cl.Close()
		return reader{}, err
	}
	return reader{topics: t, client: cl, admin: kadm.NewClient(cl), pages: pages}, nil
}

func (r reader) close() {
	if r.client != nil {
		r.client.Close()
		r.pages.Close()
	}
}

// end returns the id of trade-status and the bounds of one of its partitions. The topic must have as many partitions
// as the observations: the state of a partition is in the partition of the same number.
func (r reader) end(ctx context.Context, partition int32) (id [16]byte, start, end int64, err error) {
	details, err := r.admin.ListTopics(ctx, r.topics.Observations, r.topics.Status)
	if err == nil {
		err = errors.Join(details[r.topics.Observations].Err, details[r.topics.Status].Err)
	}
	if err != nil {
		return id, 0, 0, fmt.Errorf("partitions of %s and %s: %w", r.topics.Observations, r.topics.Status, err)
	}
	if in, out := len(details[r.topics.Observations].Partitions), len(details[r.topics.Status].Partitions); in != out {
		return id, 0, 0, fmt.Errorf("%s has %d partitions and %s has %d: the numbers must be equal; see docs/howto/change-partition-count.md", r.topics.Observations, in, r.topics.Status, out)
	}
	starts, err := r.admin.ListStartOffsets(ctx, r.topics.Status)
	if err != nil {
		return id, 0, 0, fmt.Errorf("begin of %s: %w", r.topics.Status, err)
	}
	ends, err := r.admin.ListEndOffsets(ctx, r.topics.Status)
	if err != nil {
		return id, 0, 0, fmt.Errorf("end of %s: %w", r.topics.Status, err)
	}
	first, _ := starts.Lookup(r.topics.Status, partition)
	last, ok := ends.Lookup(r.topics.Status, partition)
	if !ok || first.Err != nil || last.Err != nil {
		return id, 0, 0, fmt.Errorf("bounds of %s/%d: %w", r.topics.Status, partition, errors.Join(errors.New("unknown"), first.Err, last.Err))
	}
	return details[r.topics.Status].ID, first.Offset, last.Offset, nil
}

// Assigned is a hook of the engine: it restores a partition. An earlier owner cannot commit any more, and what it has
// committed is below the end of the topic, even where its markers are still on their way.
func (p *Pipeline) Assigned(ctx context.Context, tp consume.TopicPartition) error {
	began := p.o.Now()
	if err := p.open(); err != nil {
		return err
	}
	id, start, end, err := p.reads.end(ctx, tp.Partition)
	if err != nil {
		return err
	}
	from, err := p.usable(tp.Partition, id, start, end)
	if err != nil {
		return err
	}
	part := &partition{p: p, number: tp.Partition, topicID: id, overlay: map[string]*merge{}}
	read, err := p.readTail(ctx, part, from, end)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.parts[tp.Partition] = part
	p.mu.Unlock()
	p.log.InfoContext(ctx, "trade status is restored", "partition", tp.Partition, "from", from, "to", part.next, "records", read, "seconds", p.o.Now().Sub(began).Seconds())
	return nil
}

// usable returns where the store ends. It wipes a partition of the store that is of another topic of the same name, that
// knows what the topic does not have, or that is so old that it may lack a tombstone that the topic has deleted.
func (p *Pipeline) usable(partition int32, id [16]byte, start, end int64) (int64, error) {
	cp, ok, err := p.store.Load().Checkpoint(partition)
	if err != nil {
		return 0, fmt.Errorf("store of trade status: %w", err)
	}
	why := ""
	switch {
	case !ok:
		return start, p.store.Load().Wipe(partition)
	case cp.TopicID != id:
		why = "it is of a topic that was deleted"
	case cp.Next > end:
		why = "it is ahead of the topic"
	case cp.Next < start:
		why = "the topic begins behind its end"
	case p.o.Now().Sub(cp.At) > p.o.Stale:
		why = "it is older than half of delete.retention.ms"
	default:
		return cp.Next, nil
	}
	p.log.Warn("the store of trade status cannot be used; the partition is restored from its topic", "partition", partition, "reason", why)
	return start, p.store.Load().Wipe(partition)
}

// hangs is how long a restore waits for a transaction that keeps trade-status from being read to its end. Brokers abort
// transactions of the bridge sooner.
const (
	hangs     = 30 * time.Second
	hangPause = 100 * time.Millisecond
)

// readTail writes the records from one offset to another to the store. It returns how many they were.
func (p *Pipeline) readTail(ctx context.Context, part *partition, from, to int64) (int, error) {
	at := reread.Place{Topic: p.o.Topics.Status, TopicID: part.topicID, Partition: part.number, Offset: from}
	read, waited := 0, time.Duration(0)
	for at.Offset < to {
		batch, in := p.store.Load().NewBatch(part.number), 0
		page, err := p.reads.pages.Visit(ctx, at, func(r *kgo.Record) {
			batch.Add(store.Entry{Key: r.Key, Value: r.Value, Due: p.dueOf(r)})
			in++
		})
		if err != nil {
			batch.Close()
			return read, fmt.Errorf("restore trade status: %w", err)
		}
		if page.Next == at.Offset {
			batch.Close()
			if waited += hangPause; waited > hangs {
				return read, fmt.Errorf("restore trade status: an open transaction keeps %s/%d from being read beyond %d: find it with kafka-transactions.sh find-hanging", at.Topic, at.Partition, at.Offset)
			}
			select {
			case <-ctx.Done():
				return read, context.Cause(ctx)
			case <-time.After(hangPause):
			}
			continue
		}
		waited, read = 0, read+in
		at.Offset = page.Next
		if err := batch.Write(store.Checkpoint{TopicID: part.topicID, Next: at.Offset, At: p.o.Now()}); err != nil {
			return read, fmt.Errorf("restore trade status: %w", err)
		}
	}
	part.next = at.Offset
	return read, nil
}

// dueOf returns when the sweep looks at an order, from the record's header. The sweep then decodes the value and
// decides: a time that is too early costs one look.
func (p *Pipeline) dueOf(r *kgo.Record) time.Time {
	if r.Value == nil {
		return time.Time{}
	}
	for _, h := range r.Headers {
		if ms, err := strconv.ParseInt(string(h.Value), 10, 64); h.Key == headerDue && err == nil {
			return time.UnixMilli(ms)
		}
	}
	return p.o.Now()
}
