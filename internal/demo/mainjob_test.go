package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
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
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/wire"
	"alipay-kafka-bridge/internal/telemetry"
)

// jobKeys are made once for all tests.
var jobKeys = sync.OnceValues(generateKeys)

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
	j := &job{spans: tracetest.NewInMemoryExporter()}
	var err error
	j.stage, err = newStage(t.Context(), setup{
		orders: examples.Orders, keys: jobKeys, network: &kfake.VirtualNetwork{},
		simulator: simulator.Options{
			Seed: seed, Faults: faults, Quirks: wire.AllQuirks(),
			Latency: simulator.Latency{Fixed: 20 * time.Millisecond, Jitter: 200 * time.Millisecond},
		},
		service: app.Options{
			Log:    newErrorLog(t.Output()),
			Tracer: telemetry.TracingTo(sdktrace.NewSimpleSpanProcessor(j.spans), telemetry.TracingOptions{Process: telemetry.Process{Service: "bridge"}}).Tracer(),
		},
	})
	apptest.NoError(t, err)
	t.Cleanup(j.stage.close)
	return j
}

// run sends the events, lets the service work until each has an outcome, and proves.
func (j *job) run(t *testing.T) *report {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.stage.service.Run(ctx, func(bool) {}) }()
	cl, err := kgo.NewClient(j.stage.kafka.ClientOptions()...)
	apptest.NoError(t, err)
	defer cl.Close()
	apptest.NoError(t, records.SendEvents(ctx, cl, j.stage.codec, j.stage.topics.Inputs[0].Name, j.stage.events))
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

// seeds are those of TestMainJob: the first five (-short: two), or those of BRIDGE_SEEDS, "100" for the
// first hundred and "17-17" for one that failed.
func seeds(t *testing.T) (from, to uint64) {
	t.Helper()
	text := os.Getenv("BRIDGE_SEEDS")
	if text == "" && testing.Short() {
		return 0, 2
	}
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

// Every handling is a span, every attempt one below it, and none shows a URL's query, a body
// or a person's data.
func TestSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, 1)
		j.run(t)
		process, attempts := map[string]bool{}, 0
		for _, s := range j.spans.GetSpans() {
			if s.Name == "process "+j.stage.topics.Inputs[0].Name {
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
