package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/examples"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

type demoOptions struct {
	orders string
	faults string
	seed   uint64
	serve  bool
}

// demoLimit bounds the demo: whatever has no outcome by then never gets one.
const demoLimit = 90 * time.Second

func demoCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole story in one process: Kafka, registry, Alipay and the bridge",
		Long: `Demo needs no file and no network. It starts Kafka, a schema registry and both Alipay
gateways as a simulator inside the process, sends order events of all four channels, takes
Alipay away for some seconds, and then proves from outside that every event had exactly one
outcome. It exits with 1 if a proof fails.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, ok := demoFaults(o.faults); !ok {
				return usageError{fmt.Errorf("--faults %s: want none, outage, lost or all", o.faults)}
			}
			return demo(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&o.orders, "orders", "", "order events as JSON lines, a `file` (default: built in, the same as examples/orders.jsonl)")
	c.Flags().StringVar(&o.faults, "faults", "outage", "what Alipay suffers: none, outage, lost (answers and requests) or all")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "of latencies and faults")
	c.Flags().BoolVar(&o.serve, "serve", false, "stay up afterwards, for bridge send and bridge tail")
	return c
}

// demoFaults returns whether there is an outage and which calls are lost.
func demoFaults(name string) (outage, ok bool) {
	switch name {
	case "none", "lost":
		return false, true
	case "outage", "all":
		return true, true
	}
	return false, false
}

func lostFaults(name string) []simulator.Fault {
	if name != "lost" && name != "all" {
		return nil
	}
	var faults []simulator.Fault
	for _, m := range []simulator.Method{simulator.TradeCreate, simulator.TradeQuery, simulator.OrderInfoSync, simulator.HKOrderSync} {
		faults = append(faults, simulator.Before(m).Probability(0.05), simulator.After(m).Probability(0.05))
	}
	return faults
}

func demo(ctx context.Context, o demoOptions, out, talk io.Writer) error {
	text, err := demoOrders(o.orders)
	if err != nil {
		return err
	}
	stage, err := newStage(ctx, o, text, talk)
	if err != nil {
		return err
	}
	defer stage.close()
	_, _ = fmt.Fprintf(talk, "kafka %s, registry %s, gateways %s: all inside this process\n", stage.kafka.Addrs()[0], stage.kafka.RegistryURL(), stage.url)

	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- stage.service.run(runCtx, func() {}) }()

	report, err := stage.play(runCtx, talk)
	if err != nil {
		return errors.Join(err, stopped(stop, ended))
	}
	report.print(out)
	if o.serve && report.proven() {
		stage.printNext(out, true)
		<-ctx.Done()
	}
	if err := stopped(stop, ended); err != nil {
		return err
	}
	if !report.proven() {
		return errors.New("a proof failed")
	}
	if !o.serve {
		stage.printNext(out, false)
	}
	return nil
}

func stopped(stop func(), ended <-chan error) error {
	stop()
	return <-ended
}

func demoOrders(file string) ([]byte, error) {
	if file == "" {
		return examples.Orders, nil
	}
	return os.ReadFile(file) //nolint:gosec // the user names his own file
}

// play sends the events, with the outage in the middle, and waits for every outcome.
func (s *stage) play(ctx context.Context, talk io.Writer) (*report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoLimit, fmt.Errorf("not every event had an outcome within %v", demoLimit))
	defer cancel()
	collected := newCollector(s)
	defer collected.close()
	show := newProgress(talk, s, collected)
	defer show.stop()

	sent := make(chan error, 1)
	go func() { sent <- s.send(ctx) }()
	if s.outage {
		go s.takeAway(ctx, show)
	}
	if err := collected.until(ctx, len(s.events)); err != nil {
		return nil, err
	}
	if err := <-sent; err != nil {
		return nil, err
	}
	if err := collected.rest(ctx); err != nil {
		return nil, err
	}
	show.stop()
	return newReport(s, collected), nil
}

// Figures of the demo's play: long enough to watch, short enough to wait for.
const (
	demoPace        = 10 * time.Millisecond // between two events
	demoOutageAfter = time.Second
	demoOutage      = 4 * time.Second
)

// send produces the events one after the other, as a busy shop would.
func (s *stage) send(ctx context.Context) error {
	cl, err := kgo.NewClient(s.kafka.ClientOptions()...)
	if err != nil {
		return fmt.Errorf("producer: %w", err)
	}
	defer cl.Close()
	tick := time.NewTicker(demoPace)
	defer tick.Stop()
	for i := range s.events {
		if err := sendEvents(ctx, cl, s.service.codec, inputTopic, s.events[i:i+1]); err != nil {
			return err
		}
		s.sent.Add(1)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// takeAway lets both gateways fail for some seconds.
func (s *stage) takeAway(ctx context.Context, show *progress) {
	if !pause(ctx, demoOutageAfter) {
		return
	}
	show.say("Alipay is gone: every connection is cut")
	s.sim.StartOutage()
	defer s.sim.StopOutage()
	if pause(ctx, demoOutage) {
		show.say("Alipay is back")
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// quietLog keeps warnings out of the progress.
func quietLog(talk io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(talk, &slog.HandlerOptions{Level: slog.LevelError}))
}

func parseOrders(text []byte, codec *order.Codec) ([]order.Event, error) {
	events, err := readEvents("orders", bytes.NewReader(text), codec)
	if err == nil && len(events) == 0 {
		err = errors.New("no order events")
	}
	return events, err
}
