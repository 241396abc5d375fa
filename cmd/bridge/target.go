package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
)

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
	c.Flags().StringVarP(&t.file, "config", "c", "", "settings `file` that names brokers, registry and topics (default: none; run and check read bridge.yaml)")
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

// open returns a client of brokers that answer, and a function that closes it. It is closed when ctx
// ends, too, but only once: kgo does not bear two closings at the same time.
func (t *target) open(ctx context.Context, cfg config.Config, opts ...kgo.Opt) (cl *kgo.Client, closeIt func(), err error) {
	opening, interrupt := context.WithCancelCause(context.WithoutCancel(ctx)) // at its end NewClient closes the client
	stop := context.AfterFunc(ctx, func() { interrupt(context.Cause(ctx)) })
	cl, err = kafka.NewClient(opening, cfg.Kafka, slog.Default(), opts...)
	if err != nil {
		stop()
		return nil, nil, err
	}
	if !stop() {
		return nil, nil, context.Cause(ctx)
	}
	closeIt = sync.OnceFunc(cl.Close)
	context.AfterFunc(ctx, closeIt)
	return cl, closeIt, nil
}

// unreachable is an error of a server that does not answer, with what to look at.
type unreachable struct {
	error
	hint string
}

func (e unreachable) Error() string { return e.error.Error() + "; " + e.hint }

func (e unreachable) Unwrap() error { return e.error }

// Hint says what to look at.
func (e unreachable) Hint() string { return e.hint }

func (unreachable) ExitCode() int { return command.ExitUnreachable }

// explain adds to an error what to look at, and to commands in it the flags in use.
func (t *target) explain(err error) error {
	if err == nil {
		return nil
	}
	brokers, registry := "--brokers", "--registry"
	if t.file != "" {
		brokers, registry = "kafka.brokers in "+t.file, "registry in "+t.file
	}
	var web *url.Error
	var network *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
	case errors.As(err, &web):
		err = unreachable{err, "check that the registry runs, and " + registry}
	case errors.Is(err, kafka.ErrNoAnswer), errors.As(err, &network) && network.Op != "listen":
		err = unreachable{err, "check that the brokers run, and " + brokers}
	}
	return commandError{err, t.complete(err.Error())}
}

// commandError is an error whose text names commands with the flags in use.
type commandError struct {
	error
	text string
}

func (e commandError) Error() string { return e.text }

func (e commandError) Unwrap() error { return e.error }

// ownCommand finds commands of ours in a remedy, without flags.
var ownCommand = regexp.MustCompile(`\bbridge (topics create|schemas (?:check|register|list)|check|run|send|stuck|order|accept|erase|tail [a-z-]+)\b( -c\b)?`)

// complete adds the flags in use to the commands in a text, so that they can be copied.
func (t *target) complete(text string) string {
	return ownCommand.ReplaceAllStringFunc(text, func(command string) string {
		if strings.HasSuffix(command, " -c") {
			return command
		}
		return command + t.inUse(strings.TrimPrefix(command, "bridge "))
	})
}

// inUse returns the flags with which a command finds the same servers.
func (t *target) inUse(command string) string {
	out := ""
	noFile := strings.HasPrefix(command, "run") || strings.HasPrefix(command, "stuck") || strings.HasPrefix(command, "check")
	schemas := strings.HasPrefix(command, "schemas")
	switch {
	case t.file != "":
		return " -c " + shellWord(t.file)
	case noFile:
		return ""
	}
	if !schemas && len(t.brokers) > 0 && !slices.Equal(t.brokers, []string{localBroker}) {
		out += " --brokers " + shellWord(strings.Join(t.brokers, ","))
	}
	if t.registry != "" && t.registry != localRegistry {
		out += " --registry " + shellWord(t.registry)
	}
	return out
}

// plainWord is a text that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:,@%+=-]+$`)

func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// explained makes all errors of a command complete.
func (t *target) explained(run func(c *cobra.Command, args []string) error) func(c *cobra.Command, args []string) error {
	return func(c *cobra.Command, args []string) error { return t.explain(run(c, args)) }
}

// completeSchemas is complete for findings.
func (t *target) completeSchemas(f check.SchemaReport) check.SchemaReport {
	for i := range f.Findings {
		f.Findings[i].Why = t.complete(f.Findings[i].Why)
	}
	return f
}

// completeFindings is complete for findings.
func (t *target) completeFindings(f check.Report) check.Report {
	for i := range f.Findings {
		f.Findings[i].What, f.Findings[i].Remedy = t.complete(f.Findings[i].What), t.complete(f.Findings[i].Remedy)
	}
	return f
}
