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
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/output"
)

// Exit codes, for scripts.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if err := app.ForbidMemoryDumps(); err != nil {
		fmt.Fprintln(os.Stderr, "bridge: warning: "+err.Error())
	}
	os.Exit(run(os.Args[1:]))
}

// run is main without the process around it.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if bare := new(usageError); !errors.As(err, bare) && strings.HasPrefix(err.Error(), "unknown command") { // cobra has no type for it
		err = usageError{err}
	}
	fmt.Fprintln(output.SafeWriter(os.Stderr), "bridge: "+err.Error())
	return exitCode(err)
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

func (e usageError) Error() string { return e.err.Error() + "\nsee bridge --help" }

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
		topicsCommand(), simulateCommand(), schemasCommand(), inspectCommand(), versionCommand())
	for _, c := range root.Commands() {
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
}

// Addresses of the servers that make kafka starts.
const (
	localBroker   = "127.0.0.1:9092"
	localRegistry = "http://127.0.0.1:8081/apis/ccompat/v7"
)

// target is where commands that do not call Alipay find Kafka, registry and topics: in a settings
// file, or at the servers of make kafka with the default topics.
type target struct {
	file     string
	brokers  []string
	registry string
}

func (t *target) flags(c *cobra.Command) {
	c.Flags().StringVarP(&t.file, "config", "c", "", "settings `file` that names brokers, registry and topics")
	c.Flags().StringSliceVar(&t.brokers, "brokers", []string{localBroker}, "`addresses` of Kafka brokers, if there is no settings file")
	c.Flags().StringVar(&t.registry, "registry", localRegistry, "schema registry `URL`, if there is no settings file")
}

// load returns settings. Only Kafka, Registry and Topics are meant to be used.
func (t *target) load() (config.Config, error) {
	if t.file != "" {
		return config.LoadPublic(t.file, os.LookupEnv)
	}
	c := config.Default()
	c.Kafka.Brokers, c.Registry.URL = t.brokers, t.registry
	return c, nil
}
