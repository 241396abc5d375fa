package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

// maxLine bounds one event as JSON.
const maxLine = 1 << 20

func sendCommand() *cobra.Command {
	var t target
	var topic string
	c := &cobra.Command{
		Use:   "send [FILE...]",
		Short: "Send order events from JSON lines",
		Long: `Send reads one order event per line, in plain JSON with the names of the schema OrderEvent,
and produces it with its order number as key. Without a file it reads standard input. All
lines are checked before the first one is sent.`,
		RunE: func(c *cobra.Command, files []string) error {
			cfg, err := t.load()
			if err != nil {
				return err
			}
			if topic == "" {
				topic = cfg.Topics.Inputs[0].Name
			}
			registry, err := registryOf(cfg.Registry, 0, slog.Default())
			if err != nil {
				return err
			}
			defer registry.Close()
			codec := order.NewCodec(registry)
			events, err := readFiles(c.InOrStdin(), files, codec)
			if err != nil {
				return err
			}
			cl, err := t.client(c.Context(), cfg, kgo.MaxBufferedRecords(10_000))
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := sendEvents(c.Context(), cl, codec, topic, events); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.ErrOrStderr(), "%d events sent to %s\n", len(events), topic)
			return err
		},
	}
	t.flags(c)
	c.Flags().StringVar(&topic, "topic", "", "topic to send to (default: the first input topic, order-events)")
	return c
}

func readFiles(stdin io.Reader, files []string, codec *order.Codec) ([]order.Event, error) {
	if len(files) == 0 {
		return readEvents("standard input", stdin, codec)
	}
	var all []order.Event
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		events, err := readEvents(name, f, codec)
		_ = f.Close() // read only
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	return all, nil
}

// readEvents reads JSON lines; every bad line is named, not the first alone.
func readEvents(name string, r io.Reader, codec *order.Codec) ([]order.Event, error) {
	var events []order.Event
	var faults []error
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		ev, err := codec.EventFromJSON(line)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, n, err))
			continue
		}
		events = append(events, ev)
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", name, err))
	}
	return events, errors.Join(faults...)
}

// sendEvents produces events in their order and waits until all are acknowledged.
func sendEvents(ctx context.Context, cl *kgo.Client, codec *order.Codec, topic string, events []order.Event) error {
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
