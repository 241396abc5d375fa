package sight

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/metrics"
)

// BenchmarkEvent is what the metrics of an ordinary event cost: ours, and those of the conventions. What is counted by
// batches is left out.
func BenchmarkEvent(b *testing.B) {
	s, m := watched(b, busy(1, 1), 1)
	ctx := b.Context()
	const method = "alipay.trade.create"
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Add(ctx, &metrics.Attempts, 1, "main", "shop-0", method, "done")
			m.Record(ctx, &metrics.AttemptDuration, 0.1, "main", method, "done")
			for _, step := range []string{"breaker", "rate", "slot", "slot", "sign", "exchange"} {
				m.Record(ctx, &metrics.StepDuration, 0.1, "main", method, step)
			}
			m.Add(ctx, &metrics.Events, 1, "order-events", "result")
			m.Add(ctx, &metrics.Results, 1, "shop-0", "applied")
			m.Record(ctx, &metrics.EventAge, 0.1, "shop-0")
		}
	})
	in := consume.Input{Record: &kgo.Record{Topic: "order-events"}}
	task, _ := s.pipelines[0].Process(func(context.Context, consume.Input) (consume.Task, error) {
		return consume.Task{Handle: func(context.Context, consume.Input) (consume.Outcome, error) { return consume.Outcome{}, nil }}, nil
	})(ctx, in)
	client := Client{sight: s}
	b.Run("conventions", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = task.Handle(ctx, in)
			var seen request
			seen.watch(ctx)
			client.requested(ctx, end{wanted: true, sent: true}, time.Second, &alipay.Error{HTTPStatus: 200})
		}
	})
}
