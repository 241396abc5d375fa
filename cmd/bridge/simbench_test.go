//go:build bench

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

const (
	simulatorEnv = "BRIDGE_BENCH_SIMULATOR"

	// simulatorShare is what an answered call may cost the simulator, of what the event costs
	// the bridge: beyond it the simulator would bound what is measured with it.
	simulatorShare = 0.3
)

// BenchmarkSimulatorChild is the child of BenchmarkSimulator; by itself it measures nothing.
func BenchmarkSimulatorChild(b *testing.B) {
	if os.Getenv(simulatorEnv) == "" {
		b.Skip("serves BenchmarkSimulator")
	}
	noError(b, benchSimulator())
}

// simulatedServer is what the child reports to the benchmark.
type simulatedServer struct {
	Gateway, Control string
	Alipay           string // PEM, verifies the answers
	Merchant         string // PEM, the bridge signs with it
}

// benchSimulator serves the classic gateway in benchmark mode until standard input ends.
func benchSimulator() error {
	app, err := standalone.GenerateApp(standalone.SimulatedApp)
	if err != nil {
		return err
	}
	sim, err := simulator.New(simulator.Options{BenchMode: true, Apps: []simulator.App{app.App}, Latency: simulator.Latency{Fixed: benchLatency}})
	if err != nil {
		return err
	}
	control := http.NewServeMux()
	control.HandleFunc("POST /reset", func(http.ResponseWriter, *http.Request) { sim.Reset() })
	control.HandleFunc("GET /spent", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(spent{CPU: cpuTime(), Tally: sim.Totals()})
	})
	s := simulatedServer{Alipay: app.AlipayPublic, Merchant: app.MerchantPrivate}
	if s.Gateway, err = serveBench(sim); err != nil {
		return err
	}
	s.Gateway += simulator.GatewayPath
	if s.Control, err = serveBench(control); err != nil {
		return err
	}
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s\n", line)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// spent is the CPU time of a process so far, and what its simulator did with it.
type spent struct {
	CPU   time.Duration
	Tally simulator.Tally
}

// cpuTime is what this process took of all processors, in the kernel as well.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func startSimulator(b *testing.B) simulatedServer {
	b.Helper()
	var s simulatedServer
	startChild(b, "BenchmarkSimulatorChild", simulatorEnv, &s)
	return s
}

func (s simulatedServer) spent(b *testing.B) (out spent) {
	b.Helper()
	resp, err := http.Get(s.Control + "/spent")
	noError(b, err)
	defer resp.Body.Close()
	noError(b, json.NewDecoder(resp.Body).Decode(&out))
	return out
}

func (s simulatedServer) reset(b *testing.B) {
	b.Helper()
	resp, err := http.Post(s.Control+"/reset", "", nil)
	noError(b, err)
	_ = resp.Body.Close()
}

// BenchmarkSimulator measures, in one run, what a trade.create costs the simulator in
// benchmark mode and what the event costs the bridge, all of either process counted. The
// simulator has signed all answers before and replays them; the bridge signs.
func BenchmarkSimulator(b *testing.B) {
	const events, inFlight = 6000, 64
	kafka, sim := startServers(b), startSimulator(b)
	key, err := keys.ParsePrivate([]byte(sim.Merchant))
	noError(b, err)
	s := *kafka
	s.Gateway, s.Alipay = sim.Gateway, []byte(sim.Alipay)
	s.bridge(b, events, inFlight, keys.NewRSASigner(key)) // signs the answers
	var ours, theirs time.Duration
	for b.Loop() {
		sim.reset(b)
		mine, before := cpuTime(), sim.spent(b)
		s.bridge(b, events, inFlight, keys.NewRSASigner(key))
		after := sim.spent(b)
		n := after.Tally.Requests
		if n != events || after.Tally.Executions < n/benchBurst {
			b.Fatalf("the simulator had %d requests and %d executions for %d events", n, after.Tally.Executions, events)
		}
		ours, theirs = (cpuTime()-mine)/time.Duration(n), (after.CPU-before.CPU)/time.Duration(n)
	}
	share := theirs.Seconds() / ours.Seconds()
	b.ReportMetric(float64(ours.Microseconds()), "us-bridge/event")
	b.ReportMetric(float64(theirs.Microseconds()), "us-simulator/call")
	b.ReportMetric(share, "simulator/bridge")
	if share > simulatorShare {
		b.Errorf("a call costs the simulator %.2f of what it costs the bridge, want at most %.2f", share, simulatorShare)
	}
}
