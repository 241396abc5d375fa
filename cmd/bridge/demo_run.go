package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/examples"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// demoLimit bounds the demo: whatever has no outcome by then never gets one.
const demoLimit = 90 * time.Second

// knownDemoFaults says whether a name is one of the kinds of faults.
func knownDemoFaults(name string) bool {
	return slices.Contains([]string{"none", "outage", "lost", "all"}, name)
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

// runDemo plays the whole story in one process, prints what was proven, and fails if a proof does.
func runDemo(ctx context.Context, o demoOptions, out, talk io.Writer) error {
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
	go func() { ended <- stage.service.Run(runCtx, func() {}) }()

	result, err := stage.play(runCtx, talk)
	if err != nil {
		return errors.Join(err, stopped(stop, ended))
	}
	result.print(out)
	if o.serve && result.proven() {
		stage.printNext(out, true)
		<-ctx.Done()
	}
	if err := stopped(stop, ended); err != nil {
		return err
	}
	if !result.proven() {
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
	reader, err := s.outcomeReader()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	show := newProgress(talk, s, reader)
	defer show.stop()

	sent := make(chan error, 1)
	go func() { sent <- s.send(ctx) }()
	if s.outage {
		go s.interrupt(ctx, show)
	}
	if err := reader.ReadUntil(ctx, len(s.events)); err != nil {
		return nil, err
	}
	if err := <-sent; err != nil {
		return nil, err
	}
	if err := reader.ReadRest(ctx); err != nil {
		return nil, err
	}
	show.stop()
	return newReport(s, reader.Outcomes()), nil
}

// outcomeReader reads the topics that the bridge writes.
func (s *stage) outcomeReader() (*outcomeReader, error) {
	return newOutcomeReader(s.kafka.ClientOptions(), s.codec,
		outcomeTopics{results: s.topics.Results, journal: s.topics.Journal, deadLetters: s.topics.Inputs[0].DeadLetters})
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
		if err := sendEvents(ctx, cl, s.codec, demoInput, s.events[i:i+1]); err != nil {
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

// interrupt lets both gateways fail for some seconds.
func (s *stage) interrupt(ctx context.Context, show *progress) {
	if !sleep(ctx, demoOutageAfter) {
		return
	}
	show.say("Alipay is gone: every connection is cut")
	s.sim.StartOutage()
	defer s.sim.StopOutage()
	if sleep(ctx, demoOutage) {
		show.say("Alipay is back")
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// newErrorLog keeps warnings out of the progress.
func newErrorLog(talk io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(talk, &slog.HandlerOptions{Level: slog.LevelError}))
}

func parseOrders(text []byte, codec *order.Codec) ([]order.Event, error) {
	events, err := readEvents("orders", bytes.NewReader(text), codec)
	if err == nil && len(events) == 0 {
		err = errors.New("no order events")
	}
	return events, err
}

// demoOptions are what the demo plays.
type demoOptions struct {
	orders string
	faults string
	seed   uint64
	serve  bool
}

// printNext says where to look next.
func (s *stage) printNext(out io.Writer, serving bool) {
	if serving {
		_, _ = fmt.Fprintf(out, `
Everything stays up until Ctrl-C. In another terminal:
  bridge tail results --brokers %[1]s --registry %[2]s
  bridge tail dead-letters --brokers %[1]s --registry %[2]s
  bridge send examples/orders.jsonl --brokers %[1]s --registry %[2]s
`, strings.Join(s.kafka.Addrs(), ","), s.kafka.RegistryURL())
		return
	}
	_, _ = fmt.Fprint(out, `
Next:
  bridge demo --serve           the same, and stay up for bridge tail and bridge send
  bridge demo --faults all      requests and answers are lost, too
  README.md, "Run it on a real Kafka"  the same with your own broker
`)
}
