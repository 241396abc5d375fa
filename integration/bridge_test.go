//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// binary is the path of the bridge's program, built once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bridge")
	if err != nil {
		return "", err
	}
	cleanups = append(cleanups, func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "bridge")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/bridge").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// environment is what a bridge needs: topics of its own on the real broker, and a simulator in this
// process, whose journal shows what reached Alipay.
type environment struct {
	t        *testing.T
	dir      string
	settings string
	prefix   string
	sim      *simulator.Simulator
	inFlight atomic.Int64 // requests at the simulator now
	codec    *order.Codec
	kafka    []kgo.Opt    // how the test itself reaches the broker
	security string       // the settings under kafka with which the bridge reaches it
	notes    []string     // of the last check
	env      []string     // more variables of the environment of commands
	ahead    atomic.Int64 // nanoseconds by which the simulator's clock is ahead
	options  simulator.Options
	turn     sync.RWMutex      // guards the exchange of sim by rotateKey
	before   simulator.Journal // of the simulator before that
	loses    bool              // the test deletes outcomes, and the audit is to find that
}

func newEnvironment(t *testing.T, partitions int, latency time.Duration, faults ...simulator.Fault) *environment {
	t.Helper()
	e := withoutTopics(t, partitions, latency, faults...)
	e.command("topics", "create", "--yes", "-c", e.settings)
	return e
}

// withoutTopics is an environment whose topics do not exist yet.
func withoutTopics(t *testing.T, partitions int, latency time.Duration, faults ...simulator.Fault) *environment {
	t.Helper()
	e := &environment{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(brokers)}, security: fmt.Sprintf("brokers: [%q]", brokers)}
	e.write(e.simulate(latency, faults...), partitions)
	return e
}

// simulate starts the simulator, writes its keys to the folder, and returns its URL.
func (e *environment) simulate(latency time.Duration, faults ...simulator.Fault) string {
	t := e.t
	t.Helper()
	e.dir, e.prefix = t.TempDir(), fmt.Sprintf("it-%d-", time.Now().UnixNano())
	app, err := standalone.GenerateApp("2021000000000001", simulator.Merchant{Name: "renewed", SellerID: "2088000000000777", AppAuthToken: renewedToken})
	must(t, err)
	hk, err := standalone.GenerateHKApp("hk-client")
	must(t, err)
	address := e.serve([]simulator.App{app.App}, []simulator.HKApp{hk.App}, latency, faults...)
	for name, text := range map[string]string{
		"private.pem": app.MerchantPrivate, "alipay.pem": app.AlipayPublic, "hk-private.pem": hk.MerchantPrivate, "hk-platform.pem": hk.PlatformPublic,
	} {
		must(t, os.WriteFile(filepath.Join(e.dir, name), []byte(text), 0o600))
	}
	return address
}

// serve starts a simulator of these apps, and returns its URL.
func (e *environment) serve(apps []simulator.App, hk []simulator.HKApp, latency time.Duration, faults ...simulator.Fault) string {
	t := e.t
	t.Helper()
	e.options = simulator.Options{
		Apps: apps, HKApps: hk,
		Now:     func() time.Time { return time.Now().Add(time.Duration(e.ahead.Load())) },
		Latency: simulator.Latency{Fixed: latency, Jitter: latency / 4}, Faults: faults,
	}
	var err error
	e.sim, err = simulator.New(e.options)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.inFlight.Add(1)
		defer e.inFlight.Add(-1)
		e.turn.RLock()
		defer e.turn.RUnlock()
		e.sim.ServeHTTP(w, r)
	})}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	registry, err := avro.NewRegistry(avro.RegistryOptions{URL: registry})
	must(t, err)
	t.Cleanup(registry.Close)
	e.codec = order.NewCodec(registry)
	return "http://" + l.Addr().String()
}

// write writes the settings file.
func (e *environment) write(gateway string, partitions int) {
	e.t.Helper()
	e.settings = filepath.Join(e.dir, "bridge.yaml")
	must(e.t, os.WriteFile(e.settings, []byte(e.yaml(gateway, partitions)), 0o600))
}

// client returns a client of the test itself.
func (e *environment) client(opts ...kgo.Opt) *kgo.Client {
	e.t.Helper()
	return client(e.t, append(append([]kgo.Opt{}, e.kafka...), opts...)...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// auditSettings make the audit quick enough to find a fault within a test.
const auditSettings = "delivery: {audit_every: 1s}\n"

// yaml is the settings. The time limit of an attempt is long: on a busy machine a late answer is no fault, and no
// reason for a repeated request.
func (e *environment) yaml(gateway string, partitions int) string {
	return fmt.Sprintf(`kafka: {%[1]s, group: %[3]sgroup, start: earliest, slot: a}
registry: {url: %[2]q}
topics:
  inputs: [{name: %[3]sevents, accounts: [shop-trade, shop-hk], default_account: shop-trade}]
  results: %[3]sresults
  snapshots: %[3]ssnapshots
  observations: %[3]sobservations
  notifications: %[3]snotifications
  status: %[3]sstatus
  sweep: %[3]ssweep
  journal: %[3]sjournal
  partitions: %[5]d
apps:
  main: {kind: openapi, environment: simulator, url: %[4]q, timeout: 30s, app_id: "2021000000000001", private_key_file: private.pem, alipay_public_key_file: alipay.pem}
  hk: {kind: alipayhk, environment: simulator, url: %[4]q, timeout: 30s, client_id: hk-client, private_key_file: hk-private.pem, platform_keys: {"1": hk-platform.pem}}
accounts:
  shop-trade: {app: main, channel: TRADE}
  shop-hk: {app: hk, channel: HK}
probes: {listen: ""}
metrics: {listen: ""}
admin: {listen: ""}
`+auditSettings, e.security, registry, e.prefix, gateway, partitions)
}

func (e *environment) topic(name string) string { return e.prefix + name }

// command runs a command of the bridge and returns what it prints.
func (e *environment) command(args ...string) string {
	e.t.Helper()
	path, err := binary()
	must(e.t, err)
	return e.commandOf(path, args...)
}

// commandOf runs a command of another version.
func (e *environment) commandOf(path string, args ...string) string {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), path, args...)
	cmd.Env = append(os.Environ(), e.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		e.t.Fatalf("bridge %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// process is a running bridge.
type process struct {
	cmd  *exec.Cmd
	log  *lockedBuffer
	once sync.Once
	err  error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// checkAudit lets the bridge prove from its topics what became of so many events.
func (e *environment) checkAudit(events int) {
	e.t.Helper()
	var found []struct{ Audit admin.Audit }
	must(e.t, json.Unmarshal([]byte(e.command("audit", "-c", e.settings, "-o", "json")), &found))
	if len(found) != 1 || found[0].Audit.Events != int64(events) || found[0].Audit.Wrong() != 0 {
		e.t.Errorf("audit: %+v, want %d events, all accounted for", found, events)
	}
}

// run starts a bridge on a slot.
func (e *environment) run(slot string, env ...string) *process {
	e.t.Helper()
	path, err := binary()
	must(e.t, err)
	return e.runBinary(path, slot, env...)
}

// runBinary starts the bridge of another version.
func (e *environment) runBinary(path, slot string, env ...string) *process {
	e.t.Helper()
	return e.launch(path, slot, nil, env...)
}

// launch starts a bridge with more flags.
func (e *environment) launch(path, slot string, flags []string, env ...string) *process {
	e.t.Helper()
	p := &process{cmd: exec.Command(path, append([]string{"run", "-c", e.settings, "--slot", slot}, flags...)...), log: &lockedBuffer{}}
	p.cmd.Env = slices.Concat(os.Environ(), []string{"STATE_DIRECTORY=" + e.dir}, e.env, env)
	p.cmd.Stderr = p.log
	must(e.t, p.cmd.Start())
	e.t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.log.String(), "of which no outcome is visible") != e.loses {
			e.t.Errorf("the audit of slot %s found lost events: %t, want %t", slot, !e.loses, e.loses)
		}
		if e.t.Failed() {
			e.t.Logf("log of slot %s:\n%s", slot, p.log)
		}
	})
	return p
}

func (p *process) wait() error {
	p.once.Do(func() { p.err = p.cmd.Wait() })
	return p.err
}

// kill ends the bridge as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.wait()
}

// stop ends the bridge with an interrupt, and waits until it has stopped.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	if err := p.wait(); err != nil {
		t.Errorf("bridge run: %v\n%s", err, p.log)
	}
}

// send produces events in the given order.
func (e *environment) send(events []order.Event) {
	e.t.Helper()
	cl := e.client()
	for _, ev := range events {
		value, err := asked(e.t.Context(), func() ([]byte, error) { return e.codec.EncodeEvent(e.t.Context(), e.topic("events"), ev) })
		must(e.t, err)
		cl.Produce(e.t.Context(), &kgo.Record{Topic: e.topic("events"), Key: []byte(ev.OrderNo), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				e.t.Errorf("send: %v", err)
			}
		})
	}
	must(e.t, cl.Flush(e.t.Context()))
}

// orders returns events: half of them are creates, half belong to HK orders with four events each.
func orders(n int) []order.Event {
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	var events []order.Event
	for i := range n / 2 {
		events = append(events, order.Event{
			ID: order.EventID(fmt.Sprintf("t%d", i)), Type: order.TypeCreated, OccurredAt: at, OrderNo: alipay.OutTradeNo(fmt.Sprintf("T%06d", i)),
			Account: "shop-trade", Channel: order.ChannelAccount, Total: &alipay.Money{Minor: int64(100 + i), Currency: "CNY"}, Subject: "tea", BuyerUserID: "2088102146225135",
		})
		k, step := i/4, i%4
		events = append(events, order.Event{
			ID: order.EventID(fmt.Sprintf("h%d-%d", k, step)), Type: []order.EventType{order.TypePaid, order.TypeAccepted, order.TypeShipped, order.TypeCompleted}[step],
			OccurredAt: at.Add(time.Duration(step) * time.Minute), OrderCreatedAt: &at, OrderNo: alipay.OutTradeNo(fmt.Sprintf("H%06d", k)),
			Account: "shop-hk", Channel: order.ChannelAccount, TradeNo: alipay.TradeNo(fmt.Sprintf("20260131%06d", k)), BuyerUserID: "2160123456789012",
			Total: &alipay.Money{Minor: 1000, Currency: "HKD"},
		})
	}
	return events
}

// await waits for a condition that depends on other processes.
func await(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", limit, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// asked repeats what asks the registry until it answers: on a busy machine it may take longer than one question may. What
// cannot be decoded is not asked again.
func asked[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for until := time.Now().Add(patience); ; {
		out, err := ask()
		_, final := order.IsUndecodable(err)
		if err == nil || final || ctx.Err() != nil || time.Now().After(until) {
			return out, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// checkExecutions checks in the simulator's journal that nothing took effect twice and that no repeat
// had other content. It returns how many requests were repeats.
func (e *environment) checkExecutions() (repeats int) {
	e.t.Helper()
	type call struct {
		method      simulator.Method
		no, request string
	}
	now := e.sim.Journal()
	seen := map[call]int{}
	for _, x := range slices.Concat(e.before.Executions, now.Executions) {
		c := call{x.Method, x.OrderNo, x.RequestNo}
		if seen[c]++; seen[c] > 1 {
			e.t.Errorf("%+v: took effect %d times", c, seen[c])
		}
	}
	content := map[call]simulator.Digest{}
	for _, r := range slices.Concat(e.before.Requests, now.Requests) {
		if r.Method == simulator.TradeQuery || r.OrderNo == "" { // refused before its content was read
			continue
		}
		c := call{r.Method, r.OrderNo, r.RequestNo}
		if before, again := content[c]; again {
			repeats++
			if before != r.Content {
				e.t.Errorf("%+v: repeated with other content", c)
			}
		}
		content[c] = r.Content
	}
	return repeats
}

// logged reports whether the log has a text.
func (p *process) logged(text string) bool { return strings.Contains(p.log.String(), text) }
