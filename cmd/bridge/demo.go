package main

import (
	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show Kafka, registry, Alipay and the bridge in one process",
		Long: `Demo needs no file and no network. Inside this process it starts Kafka, a schema
registry and a simulator of both Alipay gateways. It sends order events of all
four channels, interrupts Alipay for a few seconds, and then proves from the
topics and from the simulator that each event has exactly one outcome. It exits
with 1 if a proof fails.`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return demo.Run(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&o.Orders, "orders", "", "`file` with order events as JSON lines (default: built in, the same as examples/orders.jsonl)")
	command.WordFlag(c, &o.Faults, "faults", "outage", "`faults` of Alipay: none, outage, lost (requests and answers) or all", "none", "outage", "lost", "all")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed for latencies and faults")
	c.Flags().BoolVar(&o.Serve, "serve", false, "keep everything running afterwards, for bridge order, tail and send")
	return c
}
