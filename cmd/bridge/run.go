package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/telemetry"
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
			src, cfg, err := config.Open(file, os.LookupEnv)
			if err != nil {
				return err
			}
			if err := cfg.Kafka.UseSlot(slot); err != nil {
				return usageError{err}
			}
			return serve(c.Context(), loaded{file, slot, src, cfg}, c.ErrOrStderr(), func(o *consume.Options) {
				o.AcceptPosition, o.AcceptLoss = accepted, acceptLoss
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

// loaded is a settings file with what it says.
type loaded struct {
	path string
	slot string // of the command line
	src  *config.Source
	config.Config
}

// serve wires a process in a straight line. What is begun is ended in reverse order.
func serve(ctx context.Context, cfg loaded, logs io.Writer, adjust func(*consume.Options)) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Telemetry.LogLevel)); err != nil {
		return fmt.Errorf("telemetry.log_level: %w", err)
	}
	log, err := telemetry.NewLogger(logs, cfg.Telemetry.LogFormat, level)
	if err != nil {
		return err
	}
	tracing, err := telemetry.StartTracing(ctx, telemetry.TracingOptions{Endpoint: cfg.Telemetry.OTLPEndpoint, Service: cfg.Telemetry.ServiceName, Version: version()})
	if err != nil {
		return err
	}
	defer func() {
		if err := tracing.Stop(ctx); err != nil {
			log.Warn("spans were lost", "error", err)
		}
	}()
	p, err := partsOf(ctx, cfg.Config, tracing.Tracer(), log)
	if err != nil {
		return err
	}
	adjust(&p.options)
	limitMemory(p.options.MaxBytes, p.inFlight())
	s, err := newService(p)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.checkSigners(ctx); err != nil {
		return err
	}
	defer watch(ctx, newReloader(cfg, s))()
	ready := func() {}
	if cfg.Admin.Listen != "" {
		probes, err := telemetry.StartProbes(ctx, cfg.Admin.Listen)
		if err != nil {
			return err
		}
		defer func() { _ = probes.Stop(ctx) }() // at the end of the process nobody asks
		stop := context.AfterFunc(ctx, func() { probes.Ready(false) })
		defer stop()
		ready = func() { probes.Ready(true) }
	}
	log.InfoContext(ctx, "bridge starts", "version", version(), "group", cfg.Kafka.Group, "slot", cfg.Kafka.Slot)
	err = s.run(ctx, ready)
	log.Info("bridge stopped")
	return err
}

// watch lets a reloader work. The function that it returns ends it and waits for its end.
func watch(ctx context.Context, r *reloader) (stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.run(ctx, hup) })
	return func() {
		signal.Stop(hup)
		cancel()
		wg.Wait()
	}
}
