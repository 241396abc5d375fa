package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/sight"
	"alipay-kafka-bridge/internal/telemetry"
)

// Settings are a settings file with its contents.
type Settings struct {
	path   string
	slot   string   // from the command line
	only   PartList // from the command line
	source *config.Source
	config.Config
}

// OpenSettings reads a settings file for a process that runs only these parts; none: all.
func OpenSettings(path string, only ...string) (Settings, error) {
	source, cfg, err := open(path, only)
	return Settings{path: path, only: only, source: source, Config: cfg}, err
}

// open reads a settings file, and of the files that it names those that the parts need.
func open(path string, only PartList) (*config.Source, config.Config, error) {
	if only.Keyless() {
		return config.OpenKeyless(path, os.LookupEnv)
	}
	return config.Open(path, os.LookupEnv)
}

// UseSlot replaces the slot of the settings by the one of the command line, if there is one.
func (s *Settings) UseSlot(slot string) error {
	s.slot = slot
	return s.Kafka.UseSlot(slot)
}

// RunOptions are what the process adds to the settings.
type RunOptions struct {
	Log               io.Writer
	Version           string
	AcceptedPositions []consume.AcceptedPosition // committed offsets that an operator set by hand
	AcceptLoss        bool                       // go on where records were deleted before they were read

	// What follows connects the process to the outside; nil: the network and the signal SIGHUP.
	Dial   DialFunc
	Listen ListenFunc
	Reload <-chan os.Signal // a value makes the process read its settings file again
}

// Run starts a process in a straight line and serves until ctx ends. What was started is stopped in
// reverse order.
func Run(ctx context.Context, cfg Settings, o RunOptions) error {
	level := new(slog.LevelVar)
	recent := &telemetry.Recent{}
	log, err := newLogger(o.Log, cfg.Telemetry, level, recent)
	if err != nil {
		return err
	}
	process := telemetry.Process{Service: cfg.Telemetry.ServiceName, Version: o.Version, Instance: cfg.Kafka.Slot}
	set, err := openMetrics(ctx, cfg, process, log)
	if err != nil {
		return err
	}
	defer stopMetrics(ctx, set, log)
	tracing, err := telemetry.StartTracing(ctx, telemetry.TracingOptions{
		Endpoint: cfg.Telemetry.OTLPEndpoint, Protocol: cfg.Telemetry.OTLPProtocol, Process: process,
		Sampling: &telemetry.Sampling{Ratio: cfg.Telemetry.SampleRatio, MaxPerSecond: cfg.Telemetry.MaxTracesPerSecond},
		Log:      log, OnLost: func(n int) { set.Add(ctx, &metrics.SpansLost, float64(n)) },
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := tracing.Stop(ctx); err != nil {
			log.Warn("spans were lost", "error", err)
		}
	}()
	LimitMemory(cfg.Config)
	s, err := New(ctx, cfg.Config, Options{
		Tracer: tracing.Tracer(), Log: log, Metrics: set, Dial: o.Dial, AcceptedPositions: o.AcceptedPositions, AcceptLoss: o.AcceptLoss,
		Only: cfg.only, Listen: o.Listen,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.checkSigners(ctx); err != nil {
		return err
	}
	reloader := newReloader(cfg, s, level)
	defer watch(ctx, reloader, o.Reload)()
	ports := &ports{}
	s.describe(o.Version, reloader, ports.probes.IsReady, recent)
	operators := admin.Operators{Level: level, Log: log, Pprof: cfg.Admin.Pprof, Status: s.sight.Status, Metrics: set.Handler()}
	if err := ports.open(ctx, cfg.Config, o, log, s.sight.MetricsHandler(set), operators.Handler()); err != nil {
		return err
	}
	defer ports.stop(ctx)
	log.InfoContext(ctx, "bridge starts", "only", strings.Join(cfg.only, ","), "version", o.Version, "group", cfg.Kafka.Group, "slot", cfg.Kafka.Slot)
	err = s.Run(ctx, ports.readyUntil(ctx))
	log.Info("bridge stopped")
	return err
}

// openMetrics makes the metrics of a process, and pushes them if the settings want it.
func openMetrics(ctx context.Context, cfg Settings, process telemetry.Process, log *slog.Logger) (*metrics.Set, error) {
	var made atomic.Pointer[metrics.Set] // before the first push
	push, err := telemetry.NewPush(ctx, telemetry.PushOptions{
		Endpoint: cfg.Telemetry.OTLPEndpoint, Protocol: cfg.Telemetry.OTLPProtocol, Every: cfg.Telemetry.OTLPMetricsEvery, Log: log,
		OnFailed: func() { made.Load().Add(context.WithoutCancel(ctx), &metrics.PushFailures, 1) },
	})
	if err != nil {
		return nil, err
	}
	set, err := sight.Metrics(cfg.Config, process.Resource(), push...)
	made.Store(set)
	return set, err
}

// stopTime bounds the last push.
const stopTime = 5 * time.Second

// stopMetrics pushes the last counts: those of what was settled while the process stopped.
func stopMetrics(ctx context.Context, set *metrics.Set, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := set.Stop(ctx); err != nil {
		log.WarnContext(ctx, "the last metrics were not pushed", "error", err)
	}
}

// describe says what process this is, for metrics and operators.
func (s *Service) describe(version string, r *reloader, ready func() bool, recent *telemetry.Recent) {
	p := sight.Process{
		Group: s.cfg.Kafka.Group, Slot: s.cfg.Kafka.Slot, Version: version, Go: runtime.Version(), Settings: r.Digest, Ready: ready, Trouble: r.Trouble, Recent: recent,
		Audit: s.auditStatus, Waits: s.waits, TradeStatus: s.tradeStatus, Apps: map[string]sight.App{}, Accounts: map[order.Account]string{},
	}
	for name, a := range s.apps {
		p.Apps[name] = a
	}
	for name, a := range s.accounts {
		p.Accounts[name] = a.app
	}
	s.sight.Describe(p)
}

// newLogger returns a logger whose level a reload may change.
func newLogger(w io.Writer, t config.Telemetry, level *slog.LevelVar, recent *telemetry.Recent) (*slog.Logger, error) {
	if err := level.UnmarshalText([]byte(t.LogLevel)); err != nil {
		return nil, fmt.Errorf("telemetry.log_level: %w", err)
	}
	return telemetry.NewLogger(w, t.LogFormat, level, recent)
}

// watch starts a reloader, which reads the settings file on a value from reload or, if that is nil,
// on SIGHUP. The function that it returns stops the reloader and waits for its end.
func watch(ctx context.Context, r *reloader, reload <-chan os.Signal) (stop func()) {
	hup := make(chan os.Signal, 1)
	if reload == nil {
		signal.Notify(hup, syscall.SIGHUP)
		reload = hup
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.run(ctx, reload) })
	return func() {
		signal.Stop(hup)
		cancel()
		wg.Wait()
	}
}
