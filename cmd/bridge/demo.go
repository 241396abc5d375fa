package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole story in one process: Kafka, registry, Alipay and the bridge",
		Long: `Demo needs no file and no network. It starts Kafka, a schema registry and both Alipay
gateways as a simulator inside the process, sends order events of all four channels, takes
Alipay away for some seconds, and then proves from outside that every event had exactly one
outcome. It exits with 1 if a proof fails.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !demo.KnownFaults(o.Faults) {
				return usageError{fmt.Errorf("--faults %s: want none, outage, lost or all", o.Faults)}
			}
			return demo.Run(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&o.Orders, "orders", "", "order events as JSON lines, a `file` (default: built in, the same as examples/orders.jsonl)")
	c.Flags().StringVar(&o.Faults, "faults", "outage", "what Alipay suffers: none, outage, lost (answers and requests) or all")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "of latencies and faults")
	c.Flags().BoolVar(&o.Serve, "serve", false, "stay up afterwards, for bridge send and bridge tail")
	return c
}
