package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/output"
	"alipay-kafka-bridge/internal/progress"
	"alipay-kafka-bridge/internal/timeline"
)

// decideFunc is one of the decisions of a Finder.
type decideFunc func(f *timeline.Finder, ctx context.Context, account, orderNo, by string, agree timeline.Agree) (timeline.Decided, error)

// decision is what accept and erase have in common.
type decision struct {
	target
	out    command.Answer
	reason string
	yes    bool
	dry    bool
}

func (d *decision) command(c *cobra.Command, schema string, decide decideFunc) *cobra.Command {
	c.Args = command.Exactly("ACCOUNT/ORDER")
	c.RunE = d.explained(func(c *cobra.Command, args []string) error {
		account, orderNo, ok := strings.Cut(args[0], "/")
		if !ok || account == "" || orderNo == "" {
			return command.Usage(fmt.Errorf("%q: use ACCOUNT/ORDER, such as shop/2026-000042", args[0]))
		}
		return d.run(c, account, orderNo, decide)
	})
	d.flags(c)
	c.Flags().StringVar(&d.reason, "reason", "", "`why`; it is written with your name into the topics")
	c.Flags().BoolVar(&d.yes, "yes", false, "do not ask for confirmation")
	c.Flags().BoolVar(&d.dry, "dry-run", false, "show what would be decided, and decide nothing; exits with 3")
	d.out.Flag(c, schema, output.Prose())
	return c
}

func acceptCommand() *cobra.Command {
	var d decision
	return d.command(&cobra.Command{
		Use:   "accept ACCOUNT/ORDER [-c FILE] [--reason TEXT]",
		Short: "Accept a trade that is HELD, so that consumers see it as paid",
		Long: `Accept shows the trade status of an order that is HELD, and what it would become,
and asks for confirmation. Then it writes one decision to trade-observations, with
your name, the reason and the version that it has shown. The bridge merges it, and
publishes the next version. The anomalies stay in the record, as accepted.

Look at the order first, in Alipay's console, too: bridge order. If the trade
changes meanwhile, nothing is accepted.

It exits with 3 if the order is not HELD, has changed, or if the bridge has not
answered within 20 seconds; then the decision takes effect when the bridge runs.`,
		Example: `  bridge accept shop/2026-000042 -c bridge.yaml --reason "customer paid the old price"`,
	}, "accept", (*timeline.Finder).Accept)
}

func eraseCommand() *cobra.Command {
	var d decision
	return d.command(&cobra.Command{
		Use:   "erase ACCOUNT/ORDER [-c FILE] [--reason TEXT]",
		Short: "Forget the trade status of an order, and say where else it is",
		Long: `Erase makes the bridge forget the trade status of an order, after confirmation: it
writes one decision to trade-observations, with your name and the reason. The bridge
publishes a tombstone, drops the order from its local store, and Kafka's compaction
removes the older versions. Consumers must delete the order as well.

Then it lists the topics that still have records of the order, and until when their
settings keep them. Kafka deletes whole segments: it may take segment.ms longer. The
decision itself names the order, too, and is kept like all observations.

Alipay's records, logs, traces, backups and what consumers stored are not erased.
It exits with 3 if nothing of the order is there, or if the bridge has not answered
within 20 seconds; then the decision takes effect when the bridge runs.`,
		Example: `  bridge erase shop/2026-000042 -c bridge.yaml --reason "request of the customer"`,
	}, "erase", (*timeline.Finder).Erase)
}

// who is the operator, with the user of Kafka, and the reason.
func (d *decision) who(cfg config.Config) string {
	name := "an unknown user"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if kafkaUser := cfg.Kafka.SASL.User; kafkaUser != "" {
		name += " (Kafka user " + kafkaUser + ")"
	}
	if d.reason != "" {
		name += ": " + d.reason
	}
	return name
}

// agreed shows what will be done, and asks.
func (d *decision) agreed(c *cobra.Command, lines ...string) error {
	var talk io.Writer = output.SafeWriter(c.ErrOrStderr())
	switch data := d.out.Printer(c).Data(); {
	case (d.yes || d.dry) && data:
		talk = io.Discard
	case d.dry:
		talk = output.SafeWriter(c.OutOrStdout())
	}
	for _, line := range lines {
		_, _ = fmt.Fprintln(talk, d.complete(line))
	}
	switch {
	case d.dry:
		return errDry
	case d.yes:
		return nil
	}
	return command.Confirm(c, talk)
}

// errDry ends a dry run of a decision that could be made.
var errDry = command.Missing(errors.New("dry run: nothing was decided"))

// load also reads the keys that seal decisions.
func (d *decision) load() (config.Config, error) {
	if d.file == "" {
		return d.target.load()
	}
	return config.LoadInternal(d.file, os.LookupEnv)
}

func (d *decision) run(c *cobra.Command, account, orderNo string, decide decideFunc) error {
	cfg, err := d.load()
	if err != nil {
		return err
	}
	if _, err := accountsOf(cfg, account); err != nil {
		return err
	}
	var out timeline.Decided
	err = d.withFinder(c, cfg, func(ctx context.Context, f *timeline.Finder) (err error) {
		var bar *progress.Bar
		defer func() { bar.End() }()
		out, err = decide(f, ctx, account, orderNo, d.who(cfg), func(lines ...string) error {
			if err := d.agreed(c, lines...); err != nil {
				return err
			}
			bar = command.StartProgress(c, "waiting for the bridge", "record")
			f.Watch(bar)
			return nil
		})
		return err
	})
	if err != nil && !(errors.Is(err, errDry) && d.out.Printer(c).Data()) {
		return err
	}
	p := d.out.Printer(c)
	if p.Data() {
		out.Decided = out.Decided && err == nil
		err = errors.Join(p.Object(out), err)
	} else {
		err = p.Prose(strings.Join(out.Lines(), "\n") + "\n")
	}
	return errors.Join(err, out.Err())
}
