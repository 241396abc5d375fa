package records

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

// Send produces records until all are acknowledged or ctx ends. kgo waits longer than its context for a record that may be on its
// way, for ever if no broker answers; that ends when the client is closed.
func Send(ctx context.Context, cl *kgo.Client, all ...*kgo.Record) error {
	if len(all) == 0 {
		return nil
	}
	sent := make(chan error, 1) // one value; not closed
	go func() { sent <- cl.ProduceSync(ctx, all...).FirstErr() }()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// SendEvents produces events in their order and waits until all are acknowledged.
func SendEvents(ctx context.Context, cl *kgo.Client, codec *order.Codec, topic string, events []order.Event) error {
	var mu sync.Mutex
	var first error
	for _, ev := range events {
		value, err := codec.EncodeEvent(ctx, topic, ev)
		if err != nil {
			return fmt.Errorf("event %s: %w", ev.ID, err)
		}
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(ev.OrderNo), Value: value}, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil && first == nil {
				first = fmt.Errorf("event %s: %w", ev.ID, err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	return first
}
