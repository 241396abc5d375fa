package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

// collector reads what the bridge publishes as any consumer would: read_committed, from the
// start, knowing nothing of the bridge's inside.
type collector struct {
	codec  *order.Codec
	client *kgo.Client
	err    error
	stage  *stage

	mu      sync.Mutex // guards what follows
	results []order.Result
	skipped map[order.Origin]string
	letters int
}

func newCollector(s *stage) *collector {
	c := &collector{codec: s.service.codec, stage: s, skipped: map[order.Origin]string{}}
	topics := []string{s.topics.Results, s.topics.Journal, s.topics.Inputs[0].DeadLetters}
	c.client, c.err = kgo.NewClient(append(s.kafka.ClientOptions(),
		kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	return c
}

func (c *collector) close() {
	if c.client != nil {
		c.client.Close()
	}
}

// until reads until n events have an outcome.
func (c *collector) until(ctx context.Context, n int) error {
	if c.err != nil {
		return fmt.Errorf("reader: %w", c.err)
	}
	for c.count() < n {
		fetches := c.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, r := range fetches.Records() {
			if err := c.take(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest reads what is still there once nobody writes any more: an outcome too many would be
// among it.
func (c *collector) rest(ctx context.Context) error {
	for {
		wait, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := c.client.PollFetches(wait)
		cancel()
		records := fetches.Records()
		if len(records) == 0 {
			return nil
		}
		for _, r := range records {
			if err := c.take(ctx, r); err != nil {
				return err
			}
		}
	}
}

func (c *collector) take(ctx context.Context, r *kgo.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.Topic {
	case c.stage.topics.Results:
		res, err := c.codec.DecodeResult(ctx, r.Topic, r.Value)
		if err != nil {
			return fmt.Errorf("read a result: %w", err)
		}
		c.results = append(c.results, res)
	case c.stage.topics.Journal:
		j, err := c.codec.DecodeJournal(ctx, r.Topic, r.Value)
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		for _, s := range j.Skipped {
			for o := s.First; o <= s.Last; o++ {
				c.skipped[order.Origin{Topic: j.Topic, Partition: j.Partition, Offset: o}] = s.Reason
			}
		}
	default:
		c.letters++
	}
	return nil
}

// count is how many events have an outcome.
func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.results) + len(c.skipped)
}
