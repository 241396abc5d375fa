package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/config"
)

// exitFound is the code of a command that ran and found something.
const exitFound = 3

// foundError says that a check found something.
type foundError struct{ n int }

func (e foundError) Error() string { return fmt.Sprintf("%d findings", e.n) }
func (foundError) ExitCode() int   { return exitFound }

// finding is one thing that is wrong, and what to do about it.
type finding struct{ what, remedy string }

func checkCommand() *cobra.Command {
	var file string
	var offline, printing bool
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check settings, keys, topics, schemas and gateways",
		Long: `Check prints one finding a line with its remedy, and exits with 3 when there are any. It
changes nothing and calls no API. --offline checks the settings and keys alone.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, os.LookupEnv)
			if err != nil {
				var faults config.Faults
				if errors.As(err, &faults) {
					_, _ = fmt.Fprintln(safeWriter(c.OutOrStdout()), faults)
					return foundError{len(faults)}
				}
				return err
			}
			if printing {
				return cfg.Print(c.OutOrStdout())
			}
			return printFindings(safeWriter(c.OutOrStdout()), checkAll(c.Context(), cfg, offline))
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "bridge.yaml", "settings `file`")
	c.Flags().BoolVar(&offline, "offline", false, "ask nobody: settings and keys alone")
	c.Flags().BoolVar(&printing, "print", false, "print the effective settings; secrets stay in their files")
	return c
}

func printFindings(out io.Writer, found []finding) error {
	for _, f := range found {
		_, _ = fmt.Fprintf(out, "%s: %s\n", f.what, f.remedy)
	}
	if len(found) > 0 {
		return foundError{len(found)}
	}
	_, err := fmt.Fprintln(out, "nothing found")
	return err
}

func checkAll(ctx context.Context, cfg config.Config, offline bool) []finding {
	found := checkParts(cfg)
	if offline {
		return found
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	found = append(found, checkKafka(ctx, cfg)...)
	found = append(found, checkSchemas(ctx, cfg)...)
	return append(found, checkGateways(ctx, cfg)...)
}

// checkParts builds what run would build: keys pair up, mappings make sense.
func checkParts(cfg config.Config) []finding {
	p, err := partsOf(cfg, noop.Tracer{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return []finding{{err.Error(), "mend the settings or the file they name"}}
	}
	for _, a := range p.apps {
		a.app.Close()
	}
	p.registry.Close()
	return nil
}

func checkKafka(ctx context.Context, cfg config.Config) []finding {
	opts, err := kafkaOptions(cfg.Kafka, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil // told already
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return []finding{{"kafka: " + err.Error(), "mend kafka.brokers"}}
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return []finding{{"kafka: " + err.Error(), "start the brokers " + strings.Join(cfg.Kafka.Brokers, ",") + " or mend kafka.brokers"}}
	}
	var found []finding
	for _, t := range contract(cfg.Topics) {
		if d, ok := topics[t.name]; !ok || d.Err != nil {
			found = append(found, finding{"topic " + t.name + " is missing", "bridge topics create"})
		}
	}
	return append(found, checkStart(ctx, adm, cfg)...)
}

// checkStart warns before run refuses: a group without offsets needs a start.
func checkStart(ctx context.Context, adm *kadm.Client, cfg config.Config) []finding {
	if cfg.Kafka.Start != "" {
		return nil
	}
	had, err := adm.FetchOffsets(ctx, cfg.Kafka.Group)
	if err == nil && len(had) > 0 {
		return nil
	}
	return []finding{{"group " + cfg.Kafka.Group + " has no committed offsets", "set kafka.start to earliest, latest or a time"}}
}

func checkSchemas(ctx context.Context, cfg config.Config) []finding {
	p, err := partsOf(cfg, noop.Tracer{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil // told already
	}
	defer p.registry.Close()
	s, err := newService(p)
	if err != nil {
		return []finding{{err.Error(), "mend the settings"}}
	}
	if err := s.encoder.Ready(ctx); err != nil {
		return []finding{{err.Error(), "start the registry, or bridge topics create registers the schemas"}}
	}
	return nil
}

// checkGateways opens a connection to each gateway and sends nothing.
func checkGateways(ctx context.Context, cfg config.Config) []finding {
	var found []finding
	for name, a := range cfg.Apps {
		host := hostPort(a.URL)
		conn, err := (&net.Dialer{Timeout: a.ConnectTimeout}).DialContext(ctx, "tcp", host)
		if err != nil {
			found = append(found, finding{fmt.Sprintf("app %s: gateway %s: %v", name, host, err), "check apps." + name + ".url and the way there"})
			continue
		}
		_ = conn.Close() // it was opened to see that it opens
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.what, b.what) })
	return found
}

func hostPort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw // the settings were checked; whatever this is, it does not connect
	}
	if u.Port() != "" {
		return u.Host
	}
	port := "443"
	if u.Scheme == "http" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
