// Command bridge carries order events from Kafka to Alipay and the outcomes back.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/inspect/inspectcli"
)

func main() {
	if err := app.ForbidMemoryDumps(); err != nil {
		fmt.Fprintln(os.Stderr, "bridge: warning: "+err.Error())
	}
	os.Exit(run(os.Args[1:]))
}

// run is main without the process around it.
func run(args []string) int {
	ctx, stop := command.Interruptible(context.Background())
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var ended command.Interrupted
	if errors.As(context.Cause(ctx), &ended) && errors.Is(err, context.Canceled) {
		err = ended
	}
	return command.ReportError(os.Stderr, ran, args, err)
}

// extraCommands are those that a build tag adds.
var extraCommands []func(root *cobra.Command) *cobra.Command

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "bridge",
		Short: "Carry order events from Kafka to Alipay and the outcomes back",
		Long: `bridge reads order events from Kafka, makes one Alipay call for each, and
publishes the outcomes: results, snapshots of queried trades, and dead letters.

To try it without any preparation: bridge demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          command.AnyArguments,
		RunE:          command.OneOf,
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages", "FlagUsagesWrapped 80"))
	root.SetFlagErrorFunc(command.FlagError)
	command.TerminalFlags(root)
	root.AddCommand(runCommand(), demoCommand(), checkCommand(), sendCommand(), tailCommand(), auditCommand(), incidentCommand(),
		topicsCommand(), simulateCommand(), schemasCommand(), inspectcli.Command(), explainCommand(), statusCommand(), stuckCommand(), healthCommand(), versionCommand(),
		orderCommand(), acceptCommand(), eraseCommand())
	root.AddCommand(command.HelpTopics()...)
	for _, more := range extraCommands {
		root.AddCommand(more(root))
	}
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.RunE = command.OneOf
			c.Args = command.AnyArguments
		}
		prepare(c)
	}
	return root
}

// prepare turns errors about arguments into usage errors, and completes the names of files.
func prepare(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return command.Usage(err)
			}
			return nil
		}
	}
	if c.Flags().Lookup("config") != nil {
		_ = c.MarkFlagFilename("config", "yaml", "yml")
	}
	for _, sub := range c.Commands() {
		prepare(sub)
	}
}
