//go:build bench

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

// The benchmarks measure this process alone: Kafka, registry and a gateway of constant
// latency run in a child, so that their memory and their CPU are not counted as ours.

const (
	benchLatency    = 50 * time.Millisecond
	benchPartitions = 8
	benchBurst      = 4 // events per order, one after the other
	serversEnv      = "BRIDGE_BENCH_SERVERS"
)

// BenchmarkServers is the child of BenchmarkBridge; by itself it measures nothing.
func BenchmarkServers(b *testing.B) {
	if os.Getenv(serversEnv) == "" {
		b.Skip("serves BenchmarkBridge")
	}
	noError(b, benchServers())
}

// servers is what the child reports to the benchmark, and what it does for it.
type servers struct {
	Brokers  []string
	Registry string
	Gateway  string
	Control  string
	Alipay   []byte // PEM, verifies the gateway's answers

	pid int
}

// benchServers serves until standard input ends.
func benchServers() error {
	kafka, err := localkafka.Start(localkafka.Options{})
	if err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	gateway := &benchGateway{key: key}
	s := servers{Brokers: kafka.Addrs(), Registry: kafka.RegistryURL()}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	s.Alipay = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if s.Gateway, err = serveBench(gateway); err != nil {
		return err
	}
	control := http.NewServeMux()
	control.HandleFunc("POST /load", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		if err := load(r.Context(), kafka, gateway, r.FormValue("prefix"), n); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	control.HandleFunc("GET /connections", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, gateway.connections.Swap(0))
	})
	control.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, gateway.calls.Load())
	})
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

func serveBench(h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h}
	if g, ok := h.(*benchGateway); ok {
		srv.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				g.connections.Add(1)
			}
		}
	}
	go func() { _ = srv.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}

// benchGateway answers alipay.trade.create after a constant time with answers that were
// signed before the measurement.
type benchGateway struct {
	key         *rsa.PrivateKey
	answers     atomic.Pointer[map[string][]byte]
	connections atomic.Int64
	calls       atomic.Int64 // answered
}

// outTradeNo begins the number in a form body. It is looked for as it stands there, so that
// the gateway takes little of the processors that it shares with what is measured.
var outTradeNo = []byte(url.QueryEscape(`"out_trade_no":"`))

func (g *benchGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	time.Sleep(benchLatency)
	_, rest, _ := bytes.Cut(body, outTradeNo)
	no, _, found := bytes.Cut(rest, []byte("%22"))
	if !found {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = w.Write((*g.answers.Load())[string(no)])
	g.calls.Add(1)
}

func (g *benchGateway) sign(orders []string) error {
	answers := make(map[string][]byte, len(orders))
	for _, no := range orders {
		node := fmt.Sprintf(`{"code":"10000","msg":"Success","out_trade_no":"%s","trade_no":"2026%s"}`, no, no)
		digest := sha256.Sum256([]byte(node))
		sig, err := rsa.SignPKCS1v15(nil, g.key, crypto.SHA256, digest[:])
		if err != nil {
			return err
		}
		answers[no] = fmt.Appendf(nil, `{"alipay_trade_create_response":%s,"sign":"%s"}`, node, base64.StdEncoding.EncodeToString(sig))
	}
	g.answers.Store(&answers)
	return nil
}

// load makes topics and fills the input with n events of 1 KB, in bursts per order.
func load(ctx context.Context, cluster *localkafka.Cluster, g *benchGateway, prefix string, n int) error {
	topics := benchTopics(prefix)
	for _, t := range kafka.Topics(topics) {
		if err := cluster.CreateTopic(localkafka.Topic{Name: t.Name, Partitions: benchPartitions, Schema: t.Schema}); err != nil {
			return err
		}
	}
	registry, err := avro.NewRegistry(cluster.RegistryOptions())
	if err != nil {
		return err
	}
	defer registry.Close()
	cl, err := kgo.NewClient(cluster.ClientOptions()...)
	if err != nil {
		return err
	}
	defer cl.Close()
	var events []order.Event
	var orders []string
	for i := range n {
		no := fmt.Sprintf("B%08d", i/benchBurst)
		if i%benchBurst == 0 {
			orders = append(orders, no)
		}
		events = append(events, order.Event{
			ID: order.EventID(fmt.Sprintf("e%d", i)), Type: order.TypeCreated, OccurredAt: time.Unix(int64(1.7e9)+int64(i), 0), OrderNo: alipay.OutTradeNo(no),
			Channel: order.ChannelAccount, Total: &alipay.Money{Minor: 8888, Currency: "CNY"}, Subject: "tea", Body: strings.Repeat("b", 128),
			BuyerUserID: "2088102146225135", BusinessParamsJSON: `{"a":"` + strings.Repeat("x", 500) + `"}`, PassbackParams: strings.Repeat("p", 170),
		})
	}
	if err := g.sign(orders); err != nil {
		return err
	}
	return records.SendEvents(ctx, cl, order.NewCodec(registry), topics.Inputs[0].Name, events)
}

func benchTopics(prefix string) config.Topics {
	t := config.Default().Topics
	t.Queries = nil
	t.Inputs[0].Name, t.Inputs[0].DeadLetters = prefix+"events", prefix+"dlq"
	t.Results, t.Snapshots, t.Observations, t.Journal = prefix+"results", prefix+"snapshots", prefix+"observations", prefix+"journal"
	t.Notifications, t.Status, t.Sweep = prefix+"notifications", prefix+"status", prefix+"sweep"
	return t
}

func startServers(b *testing.B) *servers {
	b.Helper()
	s := &servers{}
	s.pid = startChild(b, "BenchmarkServers", serversEnv, s)
	if brokers := os.Getenv(realKafkaEnv); brokers != "" {
		s.Brokers, s.Registry = strings.Split(brokers, ","), os.Getenv(realRegistryEnv)
	}
	return s
}

// startChild runs a benchmark in a child that serves until the end of this one, reads what it
// says of itself into s, and returns its process id. The child's memory does not matter,
// but the processors that it collects garbage with are those that are measured.
func startChild(b *testing.B, name, env string, s any) int {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^"+name+"$")
	cmd.Env = append(os.Environ(), env+"=1", "GOGC=400")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	noError(b, err)
	stdout, err := cmd.StdoutPipe()
	noError(b, err)
	noError(b, cmd.Start())
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() { // the testing package talks before
		if json.Unmarshal(lines.Bytes(), s) == nil {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return cmd.Process.Pid
		}
	}
	b.Fatal(name + " did not start")
	return 0
}

func noError(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

var benchRuns atomic.Int64

// load fills new topics and returns them.
func (s *servers) load(b *testing.B, n int) config.Topics {
	b.Helper()
	prefix := fmt.Sprintf("b%d-", benchRuns.Add(1))
	if os.Getenv(realKafkaEnv) != "" {
		return s.create(b, fmt.Sprintf("%d-%s", time.Now().UnixNano(), prefix))
	}
	resp, err := http.PostForm(s.Control+"/load", url.Values{"prefix": {prefix}, "n": {strconv.Itoa(n)}})
	noError(b, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		b.Fatalf("load: %s", text)
	}
	s.connections(b)
	return benchTopics(prefix)
}

// connections is how many were opened since the last call.
func (s *servers) connections(b *testing.B) int {
	b.Helper()
	return s.ask(b, "/connections")
}

// calls is how many the gateway has answered.
func (s *servers) calls(b *testing.B) int {
	b.Helper()
	return s.ask(b, "/calls")
}

func (s *servers) ask(b *testing.B, path string) int {
	b.Helper()
	resp, err := http.Get(s.Control + path)
	noError(b, err)
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	n, _ := strconv.Atoi(string(text))
	return n
}

func (s *servers) app(b *testing.B, inFlight int, signer keys.Signer) *gateway.App {
	b.Helper()
	theirs, err := keys.ParsePublic(s.Alipay)
	noError(b, err)
	app, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{URL: s.Gateway, AppID: "2021000000000001", Signer: signer, AlipayKey: theirs, InFlight: inFlight})
	noError(b, err)
	return app
}

func (s *servers) registry(b *testing.B) *avro.Registry {
	b.Helper()
	r, err := avro.NewRegistry(avro.RegistryOptions{URL: s.Registry})
	noError(b, err)
	return r
}

func (s *servers) kafka(b *testing.B) []kgo.Opt {
	b.Helper()
	limits, err := kafka.FetchLimits()
	noError(b, err)
	opts, err := kafka.ClientOptions(config.Kafka{Brokers: s.Brokers, SessionTimeout: 10 * time.Second, Heartbeat: 3 * time.Second, RebalanceTimeout: time.Minute}, nil, slog.New(slog.DiscardHandler))
	noError(b, err)
	return append(opts, limits...)
}

// settings are those of a bridge at these servers.
func (s *servers) settings(topics config.Topics, inFlight int, folder string) config.Config {
	c := config.Default()
	c.Status.Folder = folder
	c.Kafka.Brokers, c.Kafka.Group, c.Kafka.Slot, c.Kafka.Start = s.Brokers, topics.Results, "bench", "earliest"
	c.Registry.URL, c.Topics = s.Registry, topics
	c.Topics.Inputs[0].Accounts, c.Topics.Inputs[0].DefaultAccount = []string{"shop"}, "shop"
	a := config.NewApp(config.OpenAPI)
	a.Environment, a.URL, a.AppID, a.InFlight, a.Queries.InFlight = config.Simulator, s.Gateway, "2021000000000001", inFlight, inFlight/8
	a.PrivateKeyFile = config.SecretFile{Path: "own", Text: config.NewSecret(apptest.PrivatePEM(apptest.OwnKey()))}
	a.AlipayPublicKeyFile = config.File{Path: "alipay", Text: string(s.Alipay)}
	c.Apps = map[string]config.App{"main": a}
	c.Accounts = map[string]config.Account{"shop": config.NewAccount("main", "TRADE")}
	return c
}

// bridge handles n events and returns calls per second, 0 where the gateway is another's.
func (s *servers) bridge(b *testing.B, n, inFlight int, signer keys.Signer) float64 {
	b.Helper()
	topics := s.load(b, n)
	cfg := s.settings(topics, inFlight, b.TempDir())
	app.LimitMemory(cfg)
	service, err := app.New(b.Context(), cfg, app.Options{
		WrapSigner: func(keys.Signer) keys.Signer { return signer },
		Log:        slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	noError(b, err)
	defer service.Close()
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	ours, theirs := cpu(b, os.Getpid()), cpu(b, s.pid)
	go func() { ended <- service.Run(ctx, func(bool) {}) }()
	rate := s.await(b, topics.Results, n)
	b.ReportMetric(float64((cpu(b, os.Getpid())-ours).Microseconds())/float64(n), "cpu-us/event")
	b.ReportMetric(float64((cpu(b, s.pid)-theirs).Microseconds())/float64(n), "servers-cpu-us/event")
	stop()
	noError(b, <-ended)
	return rate
}

// await waits until the group has committed n events: their results are readable then. (Offsets
// of the results themselves would count the markers of transactions, too.) It returns the calls
// per second between a tenth and nine tenths of them: joining the group and the last events of
// each order, when there is less to do than may be in flight, are no part of a rate.
func (s *servers) await(b *testing.B, group string, n int) (rate float64) {
	b.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	noError(b, err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	before := s.calls(b)
	var from time.Time
	first := 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		switch now, done := time.Now(), s.calls(b)-before; {
		case rate > 0 || done < n/10:
		case from.IsZero():
			from, first = now, done
		case done >= n*9/10:
			rate = float64(done-first) / now.Sub(from).Seconds()
		}
		offsets, err := adm.FetchOffsets(b.Context(), group)
		noError(b, err)
		var committed int64
		offsets.Each(func(o kadm.OffsetResponse) { committed += o.At })
		if committed >= int64(n) {
			break
		}
	}
	return rate
}

// naive is the loop that one would write first: poll, call, produce, commit, one by one.
func (s *servers) naive(b *testing.B, n int, key *rsa.PrivateKey) float64 {
	b.Helper()
	topics := s.load(b, n)
	client := s.app(b, 1, keys.NewRSASigner(key)).Client(alipay.Merchant{})
	codec := order.NewCodec(s.registry(b))
	planner := order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.ChannelTrade})
	cl, err := kgo.NewClient(append(s.kafka(b), kgo.ConsumerGroup(topics.Results), kgo.ConsumeTopics(topics.Inputs[0].Name), kgo.DisableAutoCommit())...)
	noError(b, err)
	defer cl.Close()
	var start time.Time // of the first event: joining the group is no part of a rate
	for done := 0; done < n; {
		for _, r := range cl.PollFetches(b.Context()).Records() {
			if done == 0 {
				start = time.Now()
			}
			ev, err := codec.DecodeEvent(b.Context(), r.Topic, r.Value)
			noError(b, err)
			req, err := planner.Plan(ev)
			noError(b, err)
			reply, err := client.Do(b.Context(), req)
			noError(b, err)
			value, err := codec.EncodeResult(b.Context(), topics.Results, order.ResultOf(order.Handling{Event: ev, Request: req}, reply, nil, time.Now()))
			noError(b, err)
			noError(b, cl.ProduceSync(b.Context(), &kgo.Record{Topic: topics.Results, Key: r.Key, Value: value}).FirstErr())
			noError(b, cl.CommitRecords(b.Context(), r))
			done++
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// BenchmarkBridge prints, of one run: events per second over in flight / latency, over the
// naive loop, connections over in flight, and resident memory.
func BenchmarkBridge(b *testing.B) {
	s := startServers(b)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	noError(b, err)
	var naive float64
	b.Run("naive", func(b *testing.B) {
		for b.Loop() {
			naive = s.naive(b, 100, key)
		}
		b.ReportMetric(naive, "events/s")
	})
	for _, v := range []struct {
		name     string
		inFlight int
		events   int
		signer   keys.Signer
	}{
		{"64 in flight", 64, 16_000, keys.NewRSASigner(key)},
		{"256 in flight, signing stubbed", 256, 60_000, keys.NewStubSigner(key.Public())},
		{"256 in flight", 256, 20_000, keys.NewRSASigner(key)},
	} {
		b.Run(v.name, func(b *testing.B) {
			rate := 0.0
			residentMB()
			for b.Loop() {
				rate = s.bridge(b, v.events, v.inFlight, v.signer)
			}
			b.ReportMetric(rate, "events/s")
			b.ReportMetric(rate/(float64(v.inFlight)/benchLatency.Seconds()), "of-ideal")
			if naive > 0 {
				b.ReportMetric(rate/naive, "x-naive")
			}
			b.ReportMetric(float64(s.connections(b))/float64(v.inFlight), "connections/in-flight")
			b.ReportMetric(residentMB(), "MB-resident")
		})
	}
}

// cpu is the time that a process has spent on processors: fields 14 and 15 of its stat, in
// hundredths of a second (proc_pid_stat(5)).
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	noError(b, err)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// residentMB is the most memory that this process had resident since the last call.
func residentMB() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc_pid_clear_refs(5): the peak begins anew
	for line := range bytes.Lines(text) {
		var kb float64
		if n, _ := fmt.Sscanf(string(line), "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}
