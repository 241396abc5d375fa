package demo

import (
	"context"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"alipay-kafka-bridge/examples"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
	"alipay-kafka-bridge/internal/simulator/wire"
	"alipay-kafka-bridge/internal/telemetry"
)

var (
	jobApp = sync.OnceValues(func() (standalone.GeneratedApp, error) { return standalone.GenerateApp(classicAppID) })
	jobHK  = sync.OnceValues(func() (standalone.GeneratedHKApp, error) { return standalone.GenerateHKApp(hkClientID) })
)

// job is the whole service inside a synctest bubble: only Kafka's and Alipay's servers are fakes.
type job struct {
	stage   *stage
	spans   *tracetest.InMemoryExporter
	results []order.Result // of run
}

func newJob(t *testing.T, seed uint64, faults ...simulator.Fault) *job {
	t.Helper()
	// A bubble begins with the year 2000, and the examples would lie in its future.
	time.Sleep(time.Until(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)))
	classic, err := jobApp()
	apptest.NoError(t, err)
	hk, err := jobHK()
	apptest.NoError(t, err)
	network := &kfake.VirtualNetwork{}
	s := &stage{topics: config.Default().Topics}
	s.kafka, err = localkafka.Start(localkafka.Options{Topics: localTopics(s.topics), Network: network})
	apptest.NoError(t, err)
	t.Cleanup(s.kafka.Close)
	registry, err := avro.NewRegistry(s.kafka.RegistryOptions())
	apptest.NoError(t, err)
	s.codec = order.NewCodec(registry)
	s.events, err = parseOrders(examples.Orders, s.codec)
	apptest.NoError(t, err)
	trades, orders := standalone.Prerequisites(s.events, classic.App.ID, time.Now())
	s.sim, err = simulator.New(simulator.Options{
		Apps: []simulator.App{classic.App}, HKApps: []simulator.HKApp{hk.App}, Seed: seed, Faults: faults, Trades: trades, ItemOrders: orders,
		Quirks:  wire.AllQuirks(),
		Latency: simulator.Latency{Fixed: 20 * time.Millisecond, Jitter: 200 * time.Millisecond},
	})
	apptest.NoError(t, err)
	pipe := simulator.NewPipe()
	s.server = &http.Server{Handler: s.sim}
	go func() { _ = s.server.Serve(pipe) }()
	t.Cleanup(func() { _ = s.server.Close() })

	s.url = "http://sim"
	j := &job{stage: s, spans: tracetest.NewInMemoryExporter()}
	p, err := s.parts(registry, classic, hk, t.Output())
	apptest.NoError(t, err)
	p.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	p.Tracer = telemetry.TracingTo(sdktrace.NewSimpleSpanProcessor(j.spans), telemetry.TracingOptions{Service: "bridge"}).Tracer()
	guard := breaker.Options{}
	main, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{URL: "http://sim", AppID: classic.App.ID, Signer: keys.NewRSASigner(classic.MerchantKey), AlipayKey: &classic.App.SigningKey.PublicKey, DialContext: pipe.DialContext, Tracer: p.Tracer})
	apptest.NoError(t, err)
	hkApp, err := gateway.NewHK(gateway.HKOptions{URL: "http://sim", ClientID: hk.App.ClientID, Signer: keys.NewRSASigner(hk.MerchantKey), PlatformKeys: map[string]*rsa.PublicKey{"1": &hk.App.PlatformKey.PublicKey}, DialContext: pipe.DialContext, Tracer: p.Tracer})
	apptest.NoError(t, err)
	p.Apps = map[string]app.AlipayParts{"main": {App: main, Calls: guard, Queries: guard}, "hk": {App: hkApp, Calls: guard, Queries: guard}}
	p.Options.Start = consume.Start{Earliest: true}
	s.service, err = app.NewService(p)
	apptest.NoError(t, err)
	t.Cleanup(s.service.Close)
	return j
}

// run sends the events, lets the service work until each has an outcome, and proves.
func (j *job) run(t *testing.T) *report {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.stage.service.Run(ctx, func() {}) }()
	cl, err := kgo.NewClient(j.stage.kafka.ClientOptions()...)
	apptest.NoError(t, err)
	defer cl.Close()
	apptest.NoError(t, records.SendEvents(ctx, cl, j.stage.codec, inputTopic, j.stage.events))
	reader, err := j.stage.outcomeReader()
	apptest.NoError(t, err)
	defer reader.Close()
	limit, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	apptest.NoError(t, reader.ReadUntil(limit, len(j.stage.events)))
	stop()
	apptest.NoError(t, <-ended)
	apptest.NoError(t, reader.ReadRest(t.Context()))
	published := reader.Outcomes()
	j.results = published.Results
	return newReport(j.stage, published)
}

// seeds are those of TestMainJob: the first five, or those of BRIDGE_SEEDS, "100" for the
// first hundred and "17-17" for one that failed.
func seeds(t *testing.T) (from, to uint64) {
	t.Helper()
	text := os.Getenv("BRIDGE_SEEDS")
	if text == "" {
		return 0, 5
	}
	if first, last, ok := strings.Cut(text, "-"); ok {
		from, err := strconv.ParseUint(first, 10, 32)
		apptest.NoError(t, err)
		to, err := strconv.ParseUint(last, 10, 32)
		apptest.NoError(t, err)
		return from, to + 1
	}
	to, err := strconv.ParseUint(text, 10, 32)
	apptest.NoError(t, err)
	return 0, to
}

// The main job, with all quirks and the seed's losses of requests and answers: every promise
// holds. A failing seed is in the subtest's name.
func TestMainJob(t *testing.T) {
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 3))
				var faults []simulator.Fault
				for _, m := range []simulator.Method{simulator.TradeCreate, simulator.TradeQuery, simulator.OrderInfoSync, simulator.ItemOrderQuery, simulator.HKOrderSync} {
					p := rnd.Float64() / 8
					faults = append(faults, simulator.CutBefore(m).Probability(p), simulator.CutAfter(m).Probability(p), simulator.SystemError(m).AfterEffect().Probability(p/2), simulator.Unsigned(m).Probability(p/4))
				}
				j := newJob(t, seed, faults...)
				r := j.run(t)
				for _, p := range r.proofs {
					for _, bad := range p.Violations {
						t.Errorf("%s: %s", p.Text, bad)
					}
				}
				time.Sleep(5 * time.Minute)
			})
		})
	}
}

// An outage of an hour ends with a catch-up: nothing is given up.
func TestOutageOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, 1)
		j.stage.sim.StartOutage()
		time.AfterFunc(50*time.Minute, j.stage.sim.StopOutage)
		r := j.run(t)
		if !r.proven() {
			t.Errorf("%+v", r.proofs)
		}
		for kind, row := range r.rows {
			if row["EXHAUSTED"] > 0 {
				t.Errorf("%v: %d events given up", kind, row["EXHAUSTED"])
			}
		}
		time.Sleep(5 * time.Minute)
	})
}

// Every handling is a span, every attempt one below it, and none tells a URL's query, a body
// or a person's data.
func TestSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, 1)
		j.run(t)
		process, attempts := map[string]bool{}, 0
		for _, s := range j.spans.GetSpans() {
			if s.Name == "process "+inputTopic {
				process[s.SpanContext.SpanID().String()] = true
			}
		}
		for _, s := range j.spans.GetSpans() {
			if process[s.Parent.SpanID().String()] {
				attempts++
			}
			for _, a := range s.Attributes {
				if v := a.Value.String(); strings.Contains(v, "sign=") || strings.Contains(v, "2088") || strings.Contains(v, "biz_content") {
					t.Errorf("span %s: %s = %s", s.Name, a.Key, v)
				}
			}
		}
		if len(process) < 380 || attempts < 300 {
			t.Errorf("%d handlings, %d attempts below them", len(process), attempts)
		}
		time.Sleep(5 * time.Minute)
	})
}
