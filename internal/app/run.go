package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/telemetry"
)

// Settings are a settings file with its contents.
type Settings struct {
	path   string
	slot   string // of the command line
	source *config.Source
	config.Config
}

// OpenSettings reads a settings file.
func OpenSettings(path string) (Settings, error) {
	source, cfg, err := config.Open(path, os.LookupEnv)
	return Settings{path: path, source: source, Config: cfg}, err
}

// UseSlot lets a slot of the command line, where one is given, win over that of the file.
func (s *Settings) UseSlot(slot string) error {
	s.slot = slot
	return s.Kafka.UseSlot(slot)
}

// RunOptions are what the command line adds to the settings.
type RunOptions struct {
	Log               io.Writer
	Version           string
	AcceptedPositions []consume.AcceptedPosition
	AcceptLoss        bool
}

// Run wires a process in a straight line and serves until ctx ends. What is begun is ended in
// reverse order.
func Run(ctx context.Context, cfg Settings, o RunOptions) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Telemetry.LogLevel)); err != nil {
		return fmt.Errorf("telemetry.log_level: %w", err)
	}
	log, err := telemetry.NewLogger(o.Log, cfg.Telemetry.LogFormat, level)
	if err != nil {
		return err
	}
	tracing, err := telemetry.StartTracing(ctx, telemetry.TracingOptions{Endpoint: cfg.Telemetry.OTLPEndpoint, Service: cfg.Telemetry.ServiceName, Version: o.Version})
	if err != nil {
		return err
	}
	defer func() {
		if err := tracing.Stop(ctx); err != nil {
			log.Warn("spans were lost", "error", err)
		}
	}()
	p, err := newParts(ctx, cfg.Config, tracing.Tracer(), log)
	if err != nil {
		return err
	}
	p.Options.AcceptPosition, p.Options.AcceptLoss = o.AcceptedPositions, o.AcceptLoss
	LimitMemory(p.Options.MaxBytes, p.inFlight())
	s, err := NewService(p)
	if err != nil {
		return err
	}
	defer s.Close()
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
	log.InfoContext(ctx, "bridge starts", "version", o.Version, "group", cfg.Kafka.Group, "slot", cfg.Kafka.Slot)
	err = s.Run(ctx, ready)
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
