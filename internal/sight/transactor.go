package sight

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/telemetry"
)

// Transactor is the transactor of an engine. It notes whether the producer is open and how transactions
// end, and logs the dead letters that became visible.
type Transactor struct {
	*produce.Transactor

	pipeline *Pipeline
	open     atomic.Bool
	success  atomic.Int64 // Unix time in nanoseconds of the last commit; 0: none
	letters  *telemetry.Counts[deadLetters]
}

// deadLetters are those of one topic with one reason.
type deadLetters struct{ topic, reason string }

func newTransactor(tx *produce.Transactor, p *Pipeline) *Transactor {
	return &Transactor{Transactor: tx, pipeline: p, letters: telemetry.NewCounts(p.log, "records became dead letters", func(d deadLetters) []any {
		return []any{"reason", d.reason, "topic", d.topic, "remedy", "bridge tail " + d.topic + " shows them"}
	})}
}

// Open reports whether the producer is open.
func (t *Transactor) Open() bool { return t.open.Load() }

// Recover opens a producer.
func (t *Transactor) Recover(ctx context.Context) error {
	t.open.Store(false)
	err := t.Transactor.Recover(ctx)
	t.open.Store(err == nil)
	t.fenced(ctx, err)
	return err
}

// Commit makes a batch visible. After an error other than a fence, a producer must be opened again.
func (t *Transactor) Commit(ctx context.Context, b produce.Batch) error {
	began := time.Now()
	err := t.Transactor.Commit(ctx, b)
	failed := ""
	if err != nil {
		failed = endOf(err)
	}
	telemetry.Sent(t.pipeline.sight.tracer, b.Records, began, failed)
	t.sent(ctx, b.Records, failed)
	m := t.pipeline.sight.metrics
	m.Record(ctx, &metrics.SettleDuration, time.Since(began).Seconds(), t.pipeline.Name, endOf(err))
	if err != nil {
		t.fenced(ctx, err)
		t.refused(ctx, err)
		if !errors.Is(err, produce.ErrFenced) {
			t.open.Store(false)
		}
		return err
	}
	t.success.Store(time.Now().UnixNano())
	found := map[deadLetters]int{}
	for _, r := range b.Records {
		for _, h := range r.Headers {
			if h.Key == records.HeaderDeadReason {
				found[deadLetters{r.Topic, string(h.Value)}]++
			}
		}
	}
	for d, n := range found {
		t.letters.Add(d, n)
	}
	return nil
}

// refused counts what the brokers refuse of dead letters: a topic, or a record that does not have the bytes of its original, so
// that little can be left out of it.
func (t *Transactor) refused(ctx context.Context, err error) {
	var topics []string
	if e, ok := errors.AsType[*produce.TopicError](err); ok {
		topics = e.Topics
	}
	if e, ok := errors.AsType[*produce.RecordError](err); ok && len(e.Records) == 1 && shortest(e.Records[0]) {
		topics = []string{e.Topic}
	}
	letters := slices.Collect(maps.Values(t.pipeline.Letters))
	for _, topic := range topics {
		if slices.Contains(letters, topic) {
			t.pipeline.sight.metrics.Add(ctx, &metrics.DeadLettersRefused, 1, topic)
		}
	}
}

// shortest reports whether a record is a dead letter without the bytes of its original.
func shortest(r *kgo.Record) bool {
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == records.HeaderDeadLength })
}

// fenced counts a fence.
func (t *Transactor) fenced(ctx context.Context, err error) {
	reason := ""
	switch {
	case errors.Is(err, produce.ErrSlotTaken):
		reason = "slot"
	case errors.Is(err, produce.ErrOtherProducer):
		reason = "producer"
	case errors.Is(err, produce.ErrFenced):
		reason = "generation"
	default:
		return
	}
	t.pipeline.sight.metrics.Add(ctx, &metrics.Fenced, 1, t.pipeline.Name, reason)
}

// endOf says how a transaction ended.
func endOf(err error) string {
	var record *produce.RecordError
	var topic *produce.TopicError
	var offset *produce.OffsetError
	switch {
	case err == nil:
		return "committed"
	case errors.Is(err, produce.ErrFenced), errors.Is(err, produce.ErrSlotTaken), errors.Is(err, produce.ErrOtherProducer):
		return "fenced"
	case errors.As(err, &record), errors.As(err, &topic), errors.As(err, &offset):
		return "refused"
	}
	return "failed"
}
