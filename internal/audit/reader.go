package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

// outcomes are what the bridge published about events.
type Outcomes struct {
	Results     []order.Result
	skipped     map[order.Origin]string // reasons in the journal
	deadLetters int
}

// count is how many events have an outcome.
func (o Outcomes) count() int { return len(o.Results) + len(o.skipped) }

// Topics are where outcomes are published.
type Topics struct {
	Events      []string // whose outcomes are meant: the journal also has entries about the bridge's own topics
	Results     string
	Journal     string
	DeadLetters string
}

// Reader reads what the bridge publishes as any consumer would: read_committed, from the start, and
// without knowledge of the bridge.
type Reader struct {
	codec  *order.Codec
	client *kgo.Client
	topics Topics
	next   map[partition]int64 // offset behind what was read

	mu       sync.Mutex
	outcomes Outcomes // guarded by mu
}

// NewReader opens a reader; opts name the brokers.
func NewReader(opts []kgo.Opt, codec *order.Codec, topics Topics) (*Reader, error) {
	client, err := kgo.NewClient(append(append(slices.Clip(opts), readOptions()...),
		kgo.ConsumeTopics(topics.Results, topics.Journal, topics.DeadLetters), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	return &Reader{codec: codec, client: client, topics: topics, next: map[partition]int64{}, outcomes: Outcomes{skipped: map[order.Origin]string{}}}, nil
}

// Close closes the connections.
func (r *Reader) Close() { r.client.Close() }

// ReadUntil reads until n events have an outcome.
func (r *Reader) ReadUntil(ctx context.Context, n int) error {
	for r.Count() < n {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, rec := range fetches.Records() {
			if err := r.add(ctx, rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadRest reads what is left after no one writes any more. Superfluous outcomes would be there.
func (r *Reader) ReadRest(ctx context.Context) error {
	_, open, err := bounds(ctx, r.client, []string{r.topics.Results, r.topics.Journal, r.topics.DeadLetters})
	if err != nil {
		return err
	}
	for p, end := range open {
		if r.next[p] >= end {
			delete(open, p)
		}
	}
	return drain(ctx, r.client, open, func(rec *kgo.Record) error { return r.add(ctx, rec) })
}

func (r *Reader) add(ctx context.Context, rec *kgo.Record) error {
	r.next[partition{rec.Topic, rec.Partition}] = rec.Offset + 1
	if rec.Attrs.IsControl() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch rec.Topic {
	case r.topics.Results:
		res, err := r.codec.DecodeResult(ctx, rec.Topic, rec.Value)
		if err != nil {
			return fmt.Errorf("read a result: %w", err)
		}
		r.outcomes.Results = append(r.outcomes.Results, res)
	case r.topics.Journal:
		j, err := r.codec.DecodeJournal(ctx, rec.Topic, rec.Value)
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if !slices.Contains(r.topics.Events, j.Topic) {
			return nil
		}
		for _, s := range j.Skipped {
			for o := s.First; o <= s.Last; o++ {
				r.outcomes.skipped[order.Origin{Topic: j.Topic, Partition: j.Partition, Offset: o}] = s.Reason
			}
		}
	default:
		r.outcomes.deadLetters++
	}
	return nil
}

// Count is how many events have an outcome so far.
func (r *Reader) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcomes.count()
}

// Outcomes returns what was read. The reader must not be used afterwards.
func (r *Reader) Outcomes() Outcomes {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcomes
}
