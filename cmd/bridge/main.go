// Command bridge carries order events from Kafka to Alipay and the outcomes back.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/output"
)

// Exit codes, for scripts.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // by Ctrl-C, as for a shell: 128 and the number of the signal
	exitTerminated  = 143 // by SIGTERM
)

func main() {
	if err := app.ForbidMemoryDumps(); err != nil {
		fmt.Fprintln(os.Stderr, "bridge: warning: "+err.Error())
	}
	os.Exit(run(os.Args[1:]))
}

// run is main without the process around it.
func run(args []string) int {
	ctx, stop := interruptible(context.Background())
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var ended interrupted
	if errors.As(context.Cause(ctx), &ended) && errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bridge: interrupted")
		return ended.ExitCode()
	}
	if bare := new(usageError); !errors.As(err, bare) && strings.HasPrefix(err.Error(), "unknown command") { // cobra has no type for it
		err = usageError{err}
	}
	if bare := new(usageError); errors.As(err, bare) {
		err = fmt.Errorf("%w\nsee %s --help", err, ran.CommandPath())
	}
	fmt.Fprintln(output.SafeWriter(os.Stderr), "bridge: "+err.Error())
	return exitCode(err)
}

// interrupted is why a context ended: a signal.
type interrupted struct{ signal os.Signal }

func (e interrupted) Error() string { return "interrupted" }

// Is makes it the end of a context, for those who ask.
func (e interrupted) Is(target error) bool { return target == context.Canceled }

func (e interrupted) ExitCode() int {
	if e.signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupted
}

// interruptible returns a context that the first signal ends. A second signal ends the process at once.
func interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(interrupted{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// exitCode returns the exit code for an error.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return exitFailed
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

func (e usageError) ExitCode() int { return exitUsage }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "bridge",
		Short: "Carry order events from Kafka to Alipay and the outcomes back",
		Long: `bridge reads order events from Kafka, makes one Alipay call for each, and
publishes the outcomes: results, snapshots of queried trades, and dead letters.

To try it without any preparation: bridge demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "FlagUsages", "FlagUsagesWrapped 80"))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(runCommand(), demoCommand(), checkCommand(), sendCommand(), tailCommand(),
		topicsCommand(), simulateCommand(), schemasCommand(), inspectCommand(), explainCommand(), statusCommand(), stuckCommand(), healthCommand(), versionCommand())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.RunE = oneOf
			c.Args = anyArguments
		}
		checkArgs(c)
	}
	return root
}

// checkArgs turns errors about arguments into usage errors.
func checkArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		checkArgs(sub)
	}
}

// formatFlag adds the flag -o to a command.
func formatFlag(c *cobra.Command, f *output.Format, usage string) {
	*f = output.Text
	c.Flags().VarP(f, "output", "o", usage)
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{string(output.Text), string(output.JSON)}, cobra.ShellCompDirectiveNoFileComp))
}
