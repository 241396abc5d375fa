package records

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

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
