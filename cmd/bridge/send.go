package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/records"
)

func sendCommand() *cobra.Command {
	var t target
	var topic string
	c := &cobra.Command{
		Use:   "send [FILE...]",
		Short: "Send order events from JSON lines",
		Long: `Send reads one order event per line, as JSON with the field names of the schema
OrderEvent, and produces it with its order number as the key. Without a file it
reads standard input. It checks all lines before it sends the first one.`,
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
			events, err := readFiles(stdin{c.Context(), c.InOrStdin()}, files, codec)
			if err != nil {
				return err
			}
			cl, err := t.open(c.Context(), cfg, kgo.MaxBufferedRecords(10_000))
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := kafka.RequireTopic(c.Context(), cl, cfg, topic); err != nil {
				return err
			}
			if err := records.SendEvents(c.Context(), cl, codec, topic, events); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.ErrOrStderr(), "%s sent to %s\n", output.Count(len(events), "event"), topic)
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

func readFiles(stdin io.Reader, files []string, codec *order.Codec) ([]order.Event, error) {
	if len(files) == 0 {
		return order.ReadEvents("standard input", stdin, codec)
	}
	var all []order.Event
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		events, err := order.ReadEvents(name, f, codec)
		_ = f.Close() // read only
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	return all, nil
}
