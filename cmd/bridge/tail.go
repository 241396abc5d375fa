package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/progress"
	"alipay-kafka-bridge/internal/tail"
)

type tailOptions struct {
	target
	tail.Options
	out   command.Answer
	from  string
	since string
}

func tailCommand() *cobra.Command {
	var o tailOptions
	var key string
	c := &cobra.Command{
		Use:   "tail TOPIC",
		Short: "Show decoded records of a topic",
		Long: `Tail reads a topic from its start and follows it until it is stopped. TOPIC is a
role (results, snapshots, observations, journal, dead-letters, events or
queries) or the name of a topic. Only committed records are shown. Those that
the topic has at the beginning are in the order of time, over all partitions.

The columns depend on the topic; -o help explains them. With -o json it prints
one object per line.

With --key and --to-end it exits with 3 if the topic has no such record.`,
		Example: `  bridge tail results --since 1h --to-end
  bridge tail results --key ORDER-NUMBER --to-end    # one order
  bridge tail dead-letters -n 10 -o json`,
		Args:              command.Exactly("TOPIC"),
		ValidArgsFunction: completeTopics(&o.target, 1),
		RunE: o.explained(func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("key") {
				o.Key = &key
			}
			if err := o.check(c.Flags().Changed("count"), c.Flags().Changed("from"), time.Now()); err != nil {
				return command.Usage(err)
			}
			return o.run(c, args[0])
		}),
	}
	o.flags(c)
	command.WordFlag(c, &o.from, "from", "earliest", "`position` to begin at: earliest or latest", "earliest", "latest")
	c.Flags().StringVar(&o.since, "since", "", "begin at this `time`: a duration such as 90m or 24h before now, or 2026-01-31T08:00:00+08:00")
	c.Flags().StringVar(&key, "key", "", "show only records with this `key`, usually an order number")
	c.Flags().IntSliceVar(&o.Partitions, "partition", nil, "read only these `partitions`")
	c.Flags().IntVarP(&o.Count, "count", "n", 0, "stop after this `number` of records")
	c.Flags().BoolVar(&o.ToEnd, "to-end", false, "stop at the current end of the topic")
	o.out.Flag(c, "tail", output.Lists(), allColumns()...)
	return c
}

// allColumns are the columns of all kinds of topics.
func allColumns() []output.Heading {
	var all []output.Heading
	for _, k := range []tail.Kind{tail.Results, tail.DeadLetters} { // the last one has those of others, too
		for _, h := range tail.Columns(k) {
			if !slices.ContainsFunc(all, func(a output.Heading) bool { return a.Name == h.Name && a.About == h.About }) {
				all = append(all, h)
			}
		}
	}
	return all
}

// check reads the flags that are texts, and refuses what makes no sense.
func (o *tailOptions) check(counted, fromGiven bool, now time.Time) error {
	o.Latest = o.from == "latest"
	switch {
	case counted && o.Count < 1:
		return fmt.Errorf("-n %d: use a number of 1 or more", o.Count)
	case o.since == "":
		return nil
	case fromGiven:
		return errors.New("--since and --from exclude each other")
	}
	var err error
	o.Since, err = timeBefore("--since", o.since, now)
	return err
}

// topicOf finds a topic by role or name.
func topicOf(cfg config.Config, name string) (string, tail.Kind) {
	for _, t := range kafka.Topics(cfg.Topics) {
		if t.Role != name && t.Name != name {
			continue
		}
		switch {
		case t.Name == cfg.Topics.Results:
			return t.Name, tail.Results
		case strings.HasPrefix(t.Role, "dead-"):
			return t.Name, tail.DeadLetters
		}
		return t.Name, tail.Any
	}
	return name, tail.Any
}

func (o *tailOptions) run(c *cobra.Command, name string) error {
	ctx := c.Context()
	cfg, err := o.load()
	if err != nil {
		return err
	}
	topic, kind := topicOf(cfg, name)
	registry, err := app.OpenTopics(cfg, 4<<20, app.Options{})
	if err != nil {
		return err
	}
	defer registry.Close()
	cl, closeIt, err := o.open(ctx, cfg, tail.ClientOptions()...)
	if err != nil {
		return err
	}
	defer closeIt()
	if err := kafka.RequireTopic(ctx, cl, cfg, topic); err != nil {
		if words := topicWords(&o.target); !slices.Contains(words, name) {
			err = fmt.Errorf("%w%s", err, fault.DidYouMean(name, words))
		}
		return err
	}
	return o.show(ctx, c, cl, order.NewCodec(registry), topic, kind)
}

// show prints records, and at the end how many.
func (o *tailOptions) show(ctx context.Context, c *cobra.Command, cl *kgo.Client, codec *order.Codec, topic string, kind tail.Kind) error {
	out := o.out.Printer(c)
	var bar *progress.Bar
	if o.ToEnd {
		bar = command.StartProgress(c, "reading "+topic, "record")
		defer bar.End()
		o.Work = bar
		if output.IsTerminal(c.OutOrStdout()) {
			out = out.Through(bar.Above(c.OutOrStdout()))
		}
	}
	p, err := tail.NewPrinter(out, codec, kind)
	if err != nil {
		return err
	}
	read, err := tail.Records(ctx, cl, topic, o.Options, func(r *kgo.Record) error { return p.Print(ctx, r) })
	bar.End()
	var no tail.NoPartition
	if errors.As(err, &no) {
		return command.Usage(err)
	}
	if err != nil {
		return err
	}
	command.Summary(c, "%s", read.Join(p.Undecoded()))
	if o.Key != nil && o.ToEnd && read.Shown == 0 {
		return command.Missing(fmt.Errorf("%s has no record with the key %q; a key is ORDER or ACCOUNT/ORDER", topic, *o.Key))
	}
	return nil
}
