package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

// outcomes are what the bridge published about events.
type outcomes struct {
	results     []order.Result
	skipped     map[order.Origin]string // reasons in the journal
	deadLetters int
}

// count is how many events have an outcome.
func (o outcomes) count() int { return len(o.results) + len(o.skipped) }

// outcomeTopics are where outcomes are published.
type outcomeTopics struct {
	results     string
	journal     string
	deadLetters string
}

// outcomeReader reads what the bridge publishes as any consumer would: read_committed, from the
// start, knowing nothing of the bridge's inside.
type outcomeReader struct {
	codec  *order.Codec
	client *kgo.Client
	topics outcomeTopics

	mu       sync.Mutex
	outcomes outcomes // guarded by mu
}

// newOutcomeReader opens a reader; opts name the brokers.
func newOutcomeReader(opts []kgo.Opt, codec *order.Codec, topics outcomeTopics) (*outcomeReader, error) {
	client, err := kgo.NewClient(append(opts,
		kgo.ConsumeTopics(topics.results, topics.journal, topics.deadLetters),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	return &outcomeReader{codec: codec, client: client, topics: topics, outcomes: outcomes{skipped: map[order.Origin]string{}}}, nil
}

// Close closes the connections.
func (r *outcomeReader) Close() { r.client.Close() }

// ReadUntil reads until n events have an outcome.
func (r *outcomeReader) ReadUntil(ctx context.Context, n int) error {
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

// ReadRest reads what is still there once no one writes any more: an outcome too many would be
// among it.
func (r *outcomeReader) ReadRest(ctx context.Context) error {
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

func (r *outcomeReader) add(ctx context.Context, rec *kgo.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch rec.Topic {
	case r.topics.results:
		res, err := r.codec.DecodeResult(ctx, rec.Topic, rec.Value)
		if err != nil {
			return fmt.Errorf("read a result: %w", err)
		}
		r.outcomes.results = append(r.outcomes.results, res)
	case r.topics.journal:
		j, err := r.codec.DecodeJournal(ctx, rec.Topic, rec.Value)
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
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
func (r *outcomeReader) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcomes.count()
}

// Outcomes returns what was read; the reader is not used any more.
func (r *outcomeReader) Outcomes() outcomes {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcomes
}
