package demo

import (
	"bytes"
	"cmp"
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
	"alipay-kafka-bridge/internal/audit"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
)

// timeLimit is the time limit of the demo. An event without an outcome by then will never have one.
const timeLimit = 90 * time.Second

// KnownFaults reports whether there are faults with this name.
func KnownFaults(name string) bool {
	return slices.Contains([]string{"none", "outage", "lost", "all"}, name)
}

func lostFaults(name string) []simulator.Fault {
	if name != "lost" && name != "all" {
		return nil
	}
	var faults []simulator.Fault
	for _, m := range []simulator.Method{simulator.TradeCreate, simulator.TradeQuery, simulator.OrderInfoSync, simulator.HKOrderSync} {
		faults = append(faults, simulator.CutBefore(m).Probability(0.05), simulator.CutAfter(m).Probability(0.05))
	}
	return faults
}

// Run runs the demo, prints what was proven, and returns an error if a proof fails.
func Run(ctx context.Context, o Options, out, talk io.Writer) error {
	text, err := readOrders(o.Orders)
	if err != nil {
		return err
	}
	stage, err := newStage(ctx, demoSetup(o, text, talk))
	if err != nil {
		return err
	}
	defer stage.close()
	stage.outage = o.Faults == "outage" || o.Faults == "all"
	_, _ = fmt.Fprintf(talk, "Kafka %s, registry %s, gateways %s: all inside this process\n", stage.kafka.Addrs()[0], stage.kafka.RegistryURL(), stage.url)

	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- stage.service.Run(runCtx, func(bool) {}) }()

	result, err := stage.play(runCtx, talk)
	if err != nil {
		return errors.Join(err, stopped(stop, ended))
	}
	result.print(out)
	if o.Serve && result.proven() {
		stage.printNext(out, true)
		<-ctx.Done()
	}
	if err := stopped(stop, ended); err != nil {
		return err
	}
	if !result.proven() {
		return errors.New("a proof failed; the lines that begin with FALSE say which one")
	}
	if !o.Serve {
		stage.printNext(out, false)
	}
	return nil
}

func stopped(stop func(), ended <-chan error) error {
	stop()
	return <-ended
}

func readOrders(file string) ([]byte, error) {
	if file == "" {
		return examples.Orders, nil
	}
	return os.ReadFile(file) //nolint:gosec // the user names his own file
}

// play sends the events, with the outage in the middle, and waits for all outcomes.
func (s *stage) play(ctx context.Context, talk io.Writer) (*report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeLimit, fmt.Errorf("not every event had an outcome within %v", timeLimit))
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
	statuses, err := s.statuses(ctx)
	if err != nil {
		return nil, err
	}
	if err := reader.ReadRest(ctx); err != nil {
		return nil, err
	}
	show.stop()
	r := newReport(s, reader.Outcomes())
	r.addStatuses(s.sim.Notifications(), statuses)
	return r, nil
}

// statuses waits until all buyers have paid and the bridge has taken and merged what it was notified of.
func (s *stage) statuses(ctx context.Context) (audit.Statuses, error) {
	for {
		out, err := audit.ReadStatuses(ctx, s.kafka.ClientOptions(), s.topics.Status, s.topics.Notifications)
		if err != nil || s.merged(out) {
			return out, err
		}
		select {
		case <-time.After(statusInterval):
		case <-ctx.Done():
			return out, context.Cause(ctx)
		}
	}
}

// merged reports whether all trades of buyers who do something are done, and each paid one has a state that says so.
func (s *stage) merged(seen audit.Statuses) bool {
	last := map[string]string{}
	for _, v := range seen.Versions {
		last[v.Key] = v.State
	}
	for _, trade := range s.sim.Trades() {
		if len(trade.Script) > 0 {
			return false
		}
	}
	for _, n := range s.sim.Notifications() {
		if state := last["shop-trade/"+n.OutTradeNo]; !n.Done || state == "" || state == "PENDING" || n.Params["refund_fee"] != "" && state == "PAID" {
			return false
		}
	}
	return true
}

// outcomeReader reads the topics that the bridge writes.
func (s *stage) outcomeReader() (*audit.Reader, error) {
	return audit.NewReader(s.kafka.ClientOptions(), s.codec,
		audit.Topics{Events: []string{s.topics.Inputs[0].Name}, Results: s.topics.Results, Journal: s.topics.Journal, DeadLetters: s.topics.Inputs[0].DeadLetters})
}

// Times of the demo: long enough to watch, short enough to wait for.
const (
	sendInterval   = 10 * time.Millisecond  // between two events
	statusInterval = 500 * time.Millisecond // between two readings of trade-status
	outageStart    = time.Second
	outageLength   = 4 * time.Second
)

// send produces the events one after another, as a busy shop would.
func (s *stage) send(ctx context.Context) error {
	cl, err := kgo.NewClient(s.kafka.ClientOptions()...)
	if err != nil {
		return fmt.Errorf("producer: %w", err)
	}
	defer cl.Close()
	tick := time.NewTicker(sendInterval)
	defer tick.Stop()
	for i := range s.events {
		if err := records.SendEvents(ctx, cl, s.codec, s.topics.Inputs[0].Name, s.events[i:i+1]); err != nil {
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

// interrupt makes both gateways fail for some seconds.
func (s *stage) interrupt(ctx context.Context, show *progress) {
	if !pause.Sleep(ctx, outageStart) {
		return
	}
	show.say("Alipay is down: all connections are cut")
	s.sim.StartOutage()
	defer s.sim.StopOutage()
	if pause.Sleep(ctx, outageLength) {
		show.say("Alipay is up again")
	}
}

// newErrorLog logs only errors, so that warnings do not disturb the progress.
func newErrorLog(talk io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(talk, &slog.HandlerOptions{Level: slog.LevelError}))
}

func parseOrders(text []byte, codec *order.Codec) ([]order.Event, error) {
	events, err := order.ReadEvents("orders", bytes.NewReader(text), codec)
	if err == nil && len(events) == 0 {
		err = errors.New("the file has no order events; examples/orders.jsonl shows their form")
	}
	return events, err
}

// Options say what the demo does.
type Options struct {
	Orders string
	Faults string
	Seed   uint64
	Serve  bool
}

// printNext suggests what to do next.
func (s *stage) printNext(out io.Writer, serving bool) {
	if serving {
		one := s.events[max(0, slices.IndexFunc(s.events, func(e order.Event) bool { return e.Total != nil }))]
		_, _ = fmt.Fprintf(out, `
Everything keeps running until Ctrl-C. In another terminal:
  bridge order %[3]s --account %[4]s --brokers %[1]s --registry %[2]s
  bridge tail results --brokers %[1]s --registry %[2]s
  bridge tail dead-letters --brokers %[1]s --registry %[2]s
  bridge send examples/orders.jsonl --brokers %[1]s --registry %[2]s
`, strings.Join(s.kafka.Addrs(), ","), s.kafka.RegistryURL(), one.OrderNo, cmp.Or(string(one.Account), s.topics.Inputs[0].DefaultAccount))
		return
	}
	_, _ = fmt.Fprint(out, `
Next:
  bridge demo --serve           the same, and keep running for bridge order, tail and send
  bridge demo --faults all      with lost requests and answers as well
  README.md, "Run it on a real Kafka"  the same with your own brokers
`)
}
