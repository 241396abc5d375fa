package main

import (
	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/consume"
)

func runCommand() *cobra.Command {
	var file, slot string
	var positions []string
	var acceptLoss bool
	c := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Serve: read events, call Alipay, publish outcomes",
		Long: `Run serves until SIGINT or SIGTERM. Then it takes no new events, lets running calls end,
commits what they brought and leaves the group. A second signal ends it at once; nothing is
lost either way.

SIGHUP reads the settings file again: accounts change at once, and what needs a restart is
named in the log. Files of keys, certificates and tokens are read again by themselves, every
30 seconds. What cannot be used leaves the former in force.`,
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
				Log: c.ErrOrStderr(), Version: version(), AcceptedPositions: accepted, AcceptLoss: acceptLoss,
			})
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "bridge.yaml", "settings `file`")
	c.Flags().StringVar(&slot, "slot", "", "stable name of this instance in its group (default: kafka.slot, or the host's name)")
	c.Flags().StringArrayVar(&positions, "accept-position", nil, "go on from a committed `topic/partition@offset` that the bridge did not write")
	c.Flags().BoolVar(&acceptLoss, "accept-loss", false, "go on where records were deleted before they were read")
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
