package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

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

	mu       sync.Mutex
	outcomes Outcomes // guarded by mu
}

// NewReader opens a reader; opts name the brokers.
func NewReader(opts []kgo.Opt, codec *order.Codec, topics Topics) (*Reader, error) {
	client, err := kgo.NewClient(append(opts,
		kgo.ConsumeTopics(topics.Results, topics.Journal, topics.DeadLetters),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	return &Reader{codec: codec, client: client, topics: topics, outcomes: Outcomes{skipped: map[order.Origin]string{}}}, nil
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
	for {
		wait, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := r.client.PollFetches(wait)
		cancel()
		records := fetches.Records()
		if len(records) == 0 {
			return nil
		}
		for _, rec := range records {
			if err := r.add(ctx, rec); err != nil {
				return err
			}
		}
	}
}

func (r *Reader) add(ctx context.Context, rec *kgo.Record) error {
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
