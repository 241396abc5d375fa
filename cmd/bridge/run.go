package main

import (
	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/output"
)

func runCommand() *cobra.Command {
	var file, slot string
	var positions []string
	var acceptLoss bool
	c := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Serve: read events, call Alipay, publish outcomes",
		Long: `Run serves until SIGINT or SIGTERM. Then it accepts no new events, lets running
calls finish, commits their outcomes and leaves the group. A second signal ends
it at once; nothing is lost in either case.

On SIGHUP it reads the settings file again: changes of accounts are used at
once, and the log names changes that need a restart. Files with keys,
certificates and tokens are read again every 30 seconds. If new contents cannot
be used, the previous ones stay in force.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			accepted, err := acceptedPositions(positions)
			if err != nil {
				return usageError{err}
			}
			settings, err := app.OpenSettings(file)
			if err != nil {
				return err
			}
			if err := settings.UseSlot(slot); err != nil {
				return usageError{err}
			}
			return app.Run(c.Context(), settings, app.RunOptions{
				Log: output.SafeWriter(c.ErrOrStderr()), Version: version(), AcceptedPositions: accepted, AcceptLoss: acceptLoss,
			})
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "bridge.yaml", "settings `file`")
	c.Flags().StringVar(&slot, "slot", "", "`name` of this instance in its group, the same after a restart (default: kafka.slot, or the name of the host)")
	c.Flags().StringArrayVar(&positions, "accept-position", nil, "continue from a committed `position`, topic/partition@offset, that the bridge did not write")
	c.Flags().BoolVar(&acceptLoss, "accept-loss", false, "continue where records were deleted before they were read")
	return c
}

func acceptedPositions(texts []string) ([]consume.AcceptedPosition, error) {
	var out []consume.AcceptedPosition
	for _, s := range texts {
		p, err := consume.ParseAcceptedPosition(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
