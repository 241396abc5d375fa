package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/progress"
	"alipay-kafka-bridge/internal/records"
)

func sendCommand() *cobra.Command {
	var t target
	var topic string
	c := &cobra.Command{
		Use:   "send [FILE...]",
		Short: "Send order events from JSON lines",
		Long: `Send reads one order event per line, as JSON with the field names of the schema
OrderEvent, and produces it with its order number as the key. Without a file, or
for the file -, it reads standard input. It checks all lines before it sends the first one.`,
		RunE: t.explained(func(c *cobra.Command, files []string) error {
			cfg, err := t.load()
			if err != nil {
				return err
			}
			if topic == "" {
				topic = cfg.Topics.Inputs[0].Name
			}
			registry, err := app.OpenTopics(cfg, 0, app.Options{})
			if err != nil {
				return err
			}
			defer registry.Close()
			codec := order.NewCodec(registry)
			events, err := readFiles(command.Stdin(c), files, codec)
			if err != nil {
				return err
			}
			counter := &sending{}
			cl, closeIt, err := t.open(c.Context(), cfg, kgo.MaxBufferedRecords(10_000), kgo.WithHooks(counter))
			if err != nil {
				return err
			}
			defer closeIt()
			if err := kafka.RequireTopic(c.Context(), cl, cfg, topic); err != nil {
				return err
			}
			counter.bar = command.StartProgress(c, "sending", "event")
			defer counter.bar.End()
			counter.bar.Total(int64(len(events)))
			err = records.SendEvents(c.Context(), cl, codec, topic, events)
			counter.bar.End()
			command.Summary(c, "%s", counter.text(len(events), topic))
			return err
		}),
	}
	t.flags(c)
	c.Flags().StringVar(&topic, "topic", "", "`topic` to send to (default: the first input topic, order-events)")
	_ = c.RegisterFlagCompletionFunc("topic", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return topicWords(&t), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// sending counts what the brokers say about records.
type sending struct {
	bar          *progress.Bar
	sent, failed atomic.Int64
}

// OnProduceRecordUnbuffered is a hook of the client.
func (s *sending) OnProduceRecordUnbuffered(_ *kgo.Record, err error) {
	if err != nil {
		s.failed.Add(1)
		return
	}
	s.sent.Add(1)
	s.bar.Add(1)
}

func (s *sending) text(all int, topic string) string {
	sent, failed := int(s.sent.Load()), int(s.failed.Load())
	text := output.Count(sent, "event") + " sent to " + topic
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if rest := all - sent - failed; rest > 0 {
		text += fmt.Sprintf(", %d not sent", rest)
	}
	return text
}

func readFiles(stdin io.Reader, files []string, codec *order.Codec) ([]order.Event, error) {
	if len(files) == 0 {
		files = []string{"-"}
	}
	var all []order.Event
	for _, name := range files {
		events, err := readFile(stdin, name, codec)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	return all, nil
}

func readFile(stdin io.Reader, name string, codec *order.Codec) ([]order.Event, error) {
	if name == "-" {
		return order.ReadEvents("standard input", stdin, codec)
	}
	f, err := os.Open(name) //nolint:gosec // the operator names his own file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return order.ReadEvents(name, f, codec)
}
