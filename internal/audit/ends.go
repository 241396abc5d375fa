package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchWait is how long a broker may keep a fetch open that finds nothing. The first fetch of a new client may
// have only some of its partitions; if those are empty, the records of the others wait as long.
const fetchWait = 250 * time.Millisecond

// readOptions make a client that shows committed records, and the markers of transactions: the last offset of a
// partition often is one.
func readOptions() []kgo.Opt {
	return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait)}
}

// partition of a topic.
type partition struct {
	topic  string
	number int32
}

// unread has the ends of the partitions that are not read to their ends.
type unread map[partition]int64

// note removes the partition of a record that is its last one.
func (u unread) note(r *kgo.Record) {
	p := partition{r.Topic, r.Partition}
	if end, open := u[p]; open && r.Offset >= end-1 {
		delete(u, p)
	}
}

// bounds returns the first offsets of topics, and the ends of the partitions that are not empty.
func bounds(ctx context.Context, client *kgo.Client, topics []string) (map[partition]int64, unread, error) {
	adm := kadm.NewClient(client)
	ends, err := adm.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list the end offsets: %w", err)
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list the first offsets: %w", err)
	}
	begins, open := map[partition]int64{}, unread{}
	ends.Each(func(end kadm.ListedOffset) {
		p := partition{end.Topic, end.Partition}
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if begins[p] = start.Offset; start.Offset < end.Offset {
			open[p] = end.Offset
		}
	})
	return begins, open, nil
}

// drain calls show for each record until the partitions are read to their ends.
func drain(ctx context.Context, client *kgo.Client, open unread, show func(*kgo.Record) error) error {
	for len(open) > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
		for _, r := range fetches.Records() {
			open.note(r)
			if err := show(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadTopics returns what topics have when it begins, as any consumer would read it: from the start, each partition in
// its order, and read_committed unless opts say something else.
func ReadTopics(ctx context.Context, opts []kgo.Opt, topics ...string) ([]*kgo.Record, error) {
	client, err := kgo.NewClient(append(readOptions(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	defer client.Close()
	begins, open, err := bounds(ctx, client, topics)
	if err != nil {
		return nil, err
	}
	offsets := map[string]map[int32]kgo.Offset{}
	for p := range open {
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.Offset{}
		}
		offsets[p.topic][p.number] = kgo.NewOffset().At(begins[p])
	}
	client.AddConsumePartitions(offsets)
	var out []*kgo.Record
	err = drain(ctx, client, open, func(r *kgo.Record) error {
		if !r.Attrs.IsControl() {
			out = append(out, r)
		}
		return nil
	})
	return out, err
}
