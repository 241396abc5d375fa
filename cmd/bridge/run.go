package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/output"
)

func runCommand() *cobra.Command {
	var file, slot string
	var only app.PartList
	var positions []string
	var acceptLoss bool
	c := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Serve: read events, call Alipay, publish outcomes",
		Long: `Run serves until SIGINT or SIGTERM. Then it accepts no new events, lets running
calls finish, commits their outcomes and leaves the group. A second signal ends
it at once; nothing is lost in either case.

On SIGHUP it reads the settings file again: changes of accounts and of the log
level are used at once, and the log names changes that need a restart. Files with keys,
certificates and tokens are read again every 30 seconds. If new contents cannot
be used, the previous ones stay in force.

With --only, it runs some parts of what the settings describe: ` + strings.Join(app.Parts(), ", ") + `.
A process without calls and queries needs none of our keys and tokens at Alipay, and
does not read their files: use --only notify for the port that the internet reaches.`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			t := target{file: file}
			accepted, err := acceptedPositions(positions)
			if err != nil {
				return command.Usage(err)
			}
			settings, err := app.OpenSettings(file, only...)
			if err != nil {
				return err
			}
			if err := areInputs(accepted, settings.Topics); err != nil {
				return command.Usage(err)
			}
			if err := settings.UseSlot(slot); err != nil {
				return command.Usage(err)
			}
			return t.explain(app.Run(c.Context(), settings, app.RunOptions{
				Log: output.SafeWriter(c.ErrOrStderr()), Version: version(), AcceptedPositions: accepted, AcceptLoss: acceptLoss,
			}))
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "bridge.yaml", "settings `file`")
	c.Flags().StringVar(&slot, "slot", "", "`name` of this instance in its group, the same after a restart (default: kafka.slot, or the name of the host)")
	c.Flags().Var(&only, "only", "run these `parts` alone, separated by commas: "+strings.Join(app.Parts(), ", ")+" (default: all that the settings describe)")
	c.Flags().StringArrayVar(&positions, "accept-position", nil, "continue from a committed `position`, topic/partition@offset, that the bridge did not write")
	c.Flags().BoolVar(&acceptLoss, "accept-loss", false, "continue where records were deleted before they were read")
	return c
}

func acceptedPositions(texts []string) ([]consume.AcceptedPosition, error) {
	var out []consume.AcceptedPosition
	for _, s := range texts {
		p, err := offsets.ParseAcceptedPosition(s)
		if err != nil {
			return nil, fmt.Errorf("--accept-position: %w; copy it from the line of the log that says accept", err)
		}
		if p.Partition < 0 || p.Offset < 0 {
			return nil, fmt.Errorf("--accept-position %s: a partition or an offset is not negative", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// areInputs refuses positions of topics that no pipeline reads: a typing error would be ignored, and
// the partition would stay stopped.
func areInputs(accepted []consume.AcceptedPosition, topics config.Topics) error {
	var names []string
	for _, in := range slices.Concat(topics.Inputs, topics.Queries) {
		names = append(names, in.Name)
	}
	for _, a := range accepted {
		if !slices.Contains(names, a.Topic) {
			return fmt.Errorf("--accept-position %s/%d@%d: %s is not an input topic of the settings; they are %s", a.Topic, a.Partition, a.Offset, a.Topic, strings.Join(names, ", "))
		}
	}
	return nil
}
