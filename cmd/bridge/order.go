package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/timeline"
)

// orderOptions are the flags of order.
type orderOptions struct {
	target
	out            command.Answer
	account, since string
	trade, all     bool
}

func orderCommand() *cobra.Command {
	var o orderOptions
	c := &cobra.Command{
		Use:   "order NUMBER [-c FILE]",
		Short: "Show everything that happened to one order, and what to do",
		Long: `Order reads from the topics what there is of one order, in the order of time: its
events, results, snapshots, notifications and dead letters, the bridge's own
queries, decisions, and each version of its trade status. It reads only the
partitions in which they are. It changes nothing.

NUMBER is the merchant's order number. If no order has it, or with --trade, it is
Alipay's trade number, and the order is looked up in all of trade-status.

An event is found by its key, the order number, or by the result or dead letter
that names it. --all reads all partitions of the input topics: for events with
another key that have no outcome yet.

With -o json it has the records as they were published, masked; events and dead
letters are left out, as no one has masked them. It exits with 3 if there is
nothing.`,
		Example: `  bridge order 2026-000042 -c bridge.yaml
  bridge order 2026-000042 -c bridge.yaml --account shop -o wide
  bridge order 2026013122001400000000000042 -c bridge.yaml --trade`,
		Args: command.Exactly("NUMBER"),
		RunE: o.explained(func(c *cobra.Command, args []string) error { return o.run(c, args[0]) }),
	}
	o.flags(c)
	c.Flags().StringVar(&o.account, "account", "", "only orders of this `account` (default: all of the settings)")
	c.Flags().StringVar(&o.since, "since", "168h", "read records since this `time`: a duration such as 90m or 24h before now, or 2026-01-31T08:00:00+08:00")
	c.Flags().BoolVar(&o.trade, "trade", false, "NUMBER is a trade number of Alipay's")
	c.Flags().BoolVar(&o.all, "all", false, "read all partitions of the input topics")
	_ = c.RegisterFlagCompletionFunc("account", command.CompleteAccounts(&o.file))
	o.out.Flag(c, "order", output.Lists(), orderColumns...)
	return c
}

var orderColumns = []output.Heading{
	{Name: "time", Whole: true, About: "of the record in Kafka, UTC"},
	{Name: "kind", Whole: true, About: "event, skip, result, dead-letter, snapshot, notification, decision, status, forgotten or query"},
	{Name: "what", Wrap: true, About: "what the record says, in short"},
	{Name: "account", Wide: true, About: "name of the account in the settings"},
	{Name: "record", Wide: true, About: "topic/partition@offset"},
	{Name: "trace", Wide: true, About: "id of the trace in the record's headers"},
}

// accountsOf are the accounts to look for.
func accountsOf(cfg config.Config, account string) ([]string, error) {
	known := slices.Sorted(maps.Keys(cfg.Accounts))
	switch {
	case account != "" && len(known) > 0 && !slices.Contains(known, account):
		return nil, command.Usage(fmt.Errorf("the settings have no account %q; they have %s%s", account, strings.Join(known, ", "), fault.DidYouMean(account, known)))
	case account != "":
		return []string{account}, nil
	case len(known) == 0:
		return nil, command.Usage(errors.New("no account is known; name the settings file with -c, or the account with --account"))
	}
	return known, nil
}

// withFinder opens registry and Kafka for what reads orders.
func (t *target) withFinder(c *cobra.Command, cfg config.Config, do func(ctx context.Context, f *timeline.Finder) error) error {
	registry, err := app.OpenTopics(cfg, 4<<20, app.Options{})
	if err != nil {
		return err
	}
	defer registry.Close()
	cl, closeIt, err := t.open(c.Context(), cfg, timeline.ClientOptions()...)
	if err != nil {
		return err
	}
	defer closeIt()
	f := timeline.NewFinder(cl, order.NewCodec(registry), cfg.Topics)
	if f.Keys, err = app.NewKeys(cfg); err != nil {
		return err
	}
	return do(c.Context(), f)
}

func (o *orderOptions) run(c *cobra.Command, number string) error {
	since, err := timeBefore("--since", o.since, time.Now())
	if err == nil && number == "" {
		err = errors.New("NUMBER is empty")
	}
	if err != nil {
		return command.Usage(err)
	}
	cfg, err := o.load()
	if err != nil {
		return err
	}
	accounts, err := accountsOf(cfg, o.account)
	if err != nil {
		return err
	}
	var found []timeline.Order
	bar := command.StartProgress(c, "reading topics", "record")
	defer bar.End()
	err = o.withFinder(c, cfg, func(ctx context.Context, f *timeline.Finder) (err error) {
		f.Watch(bar)
		w := timeline.Wanted{Accounts: accounts, OrderNo: number, Since: since, All: o.all}
		if !o.trade {
			found, err = f.Orders(ctx, w)
		}
		if err != nil || len(found) > 0 {
			return err
		}
		keys, err := f.ByTrade(ctx, number, accounts)
		for _, key := range keys {
			w.Accounts, w.OrderNo = []string{""}, ""
			w.Accounts[0], w.OrderNo, _ = strings.Cut(key, "/")
			more, failed := f.Orders(ctx, w)
			found, err = append(found, more...), errors.Join(err, failed)
		}
		return err
	})
	bar.End()
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return command.Missing(fmt.Errorf("no topic has a record of order or trade %q since %s; --since goes back further, --all finds events with another key", number, since.UTC().Format(time.RFC3339)))
	}
	return o.print(c, found)
}

// print prints the records of all orders, and below what the state means.
func (o *orderOptions) print(c *cobra.Command, found []timeline.Order) error {
	p := o.out.Printer(c)
	for i := range found {
		found[i].Do = o.complete(found[i].Do)
	}
	if err := output.List(p, o.out.Columns, timeline.Rows(found), found); err != nil || !p.People() {
		return err
	}
	for _, f := range found {
		if err := errors.Join(p.Line(), p.Paragraph(f.Sentence())); err != nil {
			return err
		}
		if f.Do != "" {
			if err := p.Paragraph("Do: " + f.Do + "."); err != nil {
				return err
			}
		}
		if all := f.Traces(); len(all) > 0 {
			if err := p.Paragraph("Traces: " + strings.Join(all, ", ") + "."); err != nil {
				return err
			}
		}
	}
	return nil
}
