package sight

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/telemetry"
)

// Sight watches one process.
type Sight struct {
	Accounts *Accounts
	Stable   Stable

	Retention Retention

	Notifications Notifications

	metrics *metrics.Set // nil: there are none
	tracer  trace.Tracer
	process Process // set before the ports are opened
	scale   scale

	failures    failures
	letters     letters
	connections connections
	gateways    map[string]address // by app
	began       time.Time

	mu        sync.Mutex
	pipelines []*Pipeline // guarded by mu until all are built
}

// New returns a sight that makes metrics in m and spans with tracer; nil makes none.
func New(m *metrics.Set, tracer trace.Tracer) *Sight {
	if tracer == nil {
		tracer = noop.Tracer{}
	}
	s := &Sight{Accounts: NewAccounts(), metrics: m, tracer: tracer, connections: connections{metrics: m}, began: time.Now()}
	m.Observe(s.observe)
	return s
}

// Metrics makes the instruments of a process with these settings. push are readers that push; resource describes the
// process to those who take what is pushed.
func Metrics(cfg config.Config, resource *resource.Resource, push ...sdkmetric.Reader) (*metrics.Set, error) {
	values := map[string][]string{}
	for name, a := range cfg.Apps {
		at := addressOf(a.URL)
		values["app"] = append(values["app"], name)
		values["server.address"] = append(values["server.address"], at.host)
		values["server.port"] = append(values["server.port"], at.port)
	}
	for name := range cfg.Accounts {
		values["account"] = append(values["account"], name)
	}
	letters, refused, sent := metrics.DeadLetters.Name+"/topic", metrics.DeadLettersRefused.Name+"/topic", metrics.MessagesSent.Name+"/messaging.destination.name"
	for group, inputs := range map[string][]config.Input{cfg.Kafka.Group: cfg.Topics.Inputs, cfg.Kafka.QueriesGroup(): cfg.Topics.Queries} {
		for _, in := range inputs {
			values["topic"] = append(values["topic"], in.Name)
			values["messaging.destination.name"] = append(values["messaging.destination.name"], in.Name)
			values[letters] = append(values[letters], in.DeadLetters)
		}
		if len(inputs) > 0 {
			values["messaging.consumer.group.name"] = append(values["messaging.consumer.group.name"], group)
		}
	}
	values[refused] = values[letters]
	t := cfg.Topics
	internal := []string{t.Observations, t.Sweep}
	values["topic"] = append(values["topic"], internal...)
	values["messaging.destination.name"] = append(values["messaging.destination.name"], internal...)
	values["messaging.consumer.group.name"] = append(values["messaging.consumer.group.name"], cfg.Kafka.SweepGroup(), cfg.Kafka.StatusGroup())
	values[sent] = append([]string{t.Results, t.Snapshots, t.Observations, t.Notifications, t.Status, t.Sweep, t.Journal}, values[letters]...)
	return metrics.New(metrics.Options{Values: values, Resource: resource, Push: push})
}

// Pipeline watches one pipeline.
type Pipeline struct {
	Name  string
	Group string
	Tx    *Transactor

	Letters  map[string]string // the topic for dead letters of each input topic
	Internal bool              // the bridge itself writes its topics

	sight  *Sight
	log    *slog.Logger
	breaks map[string]*breakers // by app
	guards map[string]*breaker.Guard
	limits map[string]int
	engine engine

	means      means
	able       atomic.Bool
	trouble    atomic.Pointer[string] // why it can make no progress
	finished   atomic.Uint64          // events whose outcome was committed
	finishedAt atomic.Int64           // when the last of them was, as Unix time in nanoseconds
}

// NewPipeline returns the watch over a pipeline with this transactor.
func (s *Sight) NewPipeline(name, group string, tx *produce.Transactor, log *slog.Logger) *Pipeline {
	p := &Pipeline{Name: name, Group: group, sight: s, log: log, breaks: map[string]*breakers{}, guards: map[string]*breaker.Guard{}, limits: map[string]int{}}
	p.Tx = newTransactor(tx, p)
	return p
}

// Guard builds the guard of an app, and watches it.
func (p *Pipeline) Guard(app string, o breaker.Options) *breaker.Guard {
	log := p.log.With("app", app)
	p.breaks[app] = newBreakers(log, o.Open)
	p.limits[app] = o.InFlight
	o.OnState = p.breaks[app].changed
	o.OnTrust = func(trusted bool, why error) {
		switch {
		case trusted && why == nil:
			log.Warn("answers of an app are believed again; its events go on")
		case trusted:
			log.Warn("answers of an app fail in other ways now; its events go on with the usual budgets", "error", why)
		default:
			log.Error("no answer of an app is provably Alipay's; its events wait, and one at a time probes: compare the keys or certificates of the app with those that Alipay shows, and look for a proxy", "error", why)
		}
	}
	o.OnStep = func(ctx context.Context, m alipay.Method, step breaker.Step, took time.Duration) {
		if why := waits[step]; why != "" {
			telemetry.Waited(ctx, why, took)
		}
		p.sight.metrics.Record(context.Background(), &metrics.StepDuration, took.Seconds(), app, string(m), step.String())
	}
	p.guards[app] = breaker.New(o)
	return p.guards[app]
}

// waits are the names of spans for the steps of a call that are no exchange: that has a span of its own.
var waits = map[breaker.Step]string{
	breaker.StepBreaker: "wait breaker", breaker.StepRate: "wait rate", breaker.StepSlot: "wait slot", breaker.StepSign: "sign", breaker.StepBackOff: "wait backoff",
}

// Client watches the client of an account.
func (p *Pipeline) Client(app string, account order.Account, c sealer) Client {
	return Client{c, app, account, p.sight.gateways[app], p.breaks[app], p.sight}
}

// engine is a *consume.Engine.
type engine interface {
	Look(limit int) look.Engine
}

// Watch begins to watch an engine, when the pipeline is complete.
func (p *Pipeline) Watch(e engine) {
	p.engine = e
	p.sight.mu.Lock()
	defer p.sight.mu.Unlock()
	p.sight.pipelines = append(p.sight.pipelines, p)
}

// Progress notes whether the pipeline can make progress, and why not.
func (p *Pipeline) Progress(able bool, trouble string) {
	p.able.Store(able)
	p.trouble.Store(&trouble)
}

// Settled counts outcomes that are known to be committed. It is a hook of the engine.
func (p *Pipeline) Settled(s consume.Settlement) {
	m := p.sight.metrics
	now := time.Now()
	p.finished.Add(uint64(len(s.Outcomes)))
	p.finishedAt.Store(now.UnixNano())
	p.Tx.success.Store(now.UnixNano()) // also where the answer of the transaction was lost
	for _, o := range s.Outcomes {
		kind := "skip" // an outcome of the engine itself has no note: its offset was journalled
		if note, ok := o.Note.(interface{ Kind() string }); ok {
			kind = note.Kind()
		}
		m.Add(context.Background(), &metrics.Events, 1, s.Input.Topic, kind)
		end, _ := o.Note.(handle.End)
		if end.Dead != "" {
			m.Add(context.Background(), &metrics.DeadLetters, 1, p.Letters[s.Input.Topic], end.Dead)
			p.sight.letters.note(admin.DeadLetter{
				At: now, Topic: p.Letters[s.Input.Topic], Reason: end.Dead, Account: string(end.Account),
				Source: s.Input.Topic, Partition: s.Input.Partition, Offset: o.Offset,
			})
		}
		if end.Outcome != "" {
			m.Add(context.Background(), &metrics.Results, 1, string(end.Account), strings.ToLower(string(end.Outcome)))
		}
		if end.Produced.Unix() > 0 { // a record may have no timestamp
			m.Record(context.Background(), &metrics.EventAge, max(0, now.Sub(end.Produced)).Seconds(), string(end.Account))
		}
	}
}

// observe gives the values of all gauges.
func (s *Sight) observe(o *metrics.Observer) {
	o.Gauge(&metrics.ReplicasWanted, s.ReplicasWanted())
	o.Gauge(&metrics.KafkaConnections, float64(max(0, s.connections.open.Load())))
	for _, p := range s.all() {
		p.observe(o)
	}
	s.Accounts.mu.Lock()
	defer s.Accounts.mu.Unlock()
	for name, l := range s.Accounts.last {
		o.Gauge(&metrics.AccountStopped, metrics.State(l.waits(time.Now())), l.app, string(name), "misconfigured")
	}
}

func (p *Pipeline) observe(o *metrics.Observer) {
	e := p.Look(0)
	p.observeEngine(o, &e)
	p.observeHotKeys(o, &e)
	o.Gauge(&metrics.Progressing, metrics.State(p.able.Load()), p.Name)
	last := p.sight.began
	if n := p.Tx.success.Load(); n > 0 {
		last = time.Unix(0, n)
	}
	o.Gauge(&metrics.SettleLastSuccess, unix(last), p.Name)
	for app, g := range p.guards {
		gs := g.Stats()
		o.Gauge(&metrics.CallsInFlight, float64(gs.InFlight), app, p.Name)
		o.Gauge(&metrics.CallsLimit, float64(p.limits[app]), app, p.Name)
		o.Gauge(&metrics.AnswersUntrusted, metrics.State(gs.Untrusted), app, p.Name)
		for method, state := range gs.Breakers {
			o.Gauge(&metrics.BreakerState, breakerState(state), app, p.Name, string(method))
		}
	}
}

func breakerState(state string) float64 {
	switch state {
	case "closed":
		return 0
	case "half-open":
		return 1
	}
	return 2
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// recordsDeleted is in the reason of a partition that is stopped because records were deleted before they were read.
const recordsDeleted = "deleted"

func (p *Pipeline) observeEngine(o *metrics.Observer, e *look.Engine) {
	o.Gauge(&metrics.PartitionsAssigned, float64(len(e.Partitions)), p.Name)
	o.Gauge(&metrics.SettlePending, float64(e.Unsettled), p.Name)
	o.Gauge(&metrics.HeldBytes, float64(e.Bytes), p.Name)
	o.Gauge(&metrics.HeldBytesLimit, float64(e.MaxBytes), p.Name)
	o.Gauge(&metrics.Stalled, metrics.State(p.stalled(e)), p.Name)
	for _, t := range e.Topics {
		for _, cause := range look.Causes() {
			o.Gauge(&metrics.Lag, float64(t.Lag[cause]), t.Name, string(cause))
		}
	}
	for _, w := range e.Oldest {
		o.Max(&metrics.OldestWaiting, e.At.Sub(w.Since).Seconds(), w.Account, string(w.Cause))
	}
	for _, d := range e.Doubts {
		o.Max(&metrics.UnknownOutcomeOldest, e.At.Sub(d.Since).Seconds(), d.Account, d.Method)
	}
	restoring := 0
	for i := range e.Partitions {
		part := &e.Partitions[i]
		if part.State == "restoring" {
			restoring++
		}
		number := strconv.Itoa(int(part.Partition))
		o.Gauge(&metrics.PartitionStopped, metrics.State(part.State == "stopped"), part.Topic, number)
		o.Gauge(&metrics.InputLost, metrics.State(part.State == "stopped" && strings.Contains(part.Reason, recordsDeleted)), part.Topic, number)
		if end, known := p.sight.Retention.of(part.Topic, part.Partition); known {
			o.Gauge(&metrics.RetentionLeft, end.Sub(e.At).Seconds(), part.Topic, number)
		}
		if stuck, known := p.sight.Stable.of(part.Topic, part.Partition, e.At); known {
			o.Gauge(&metrics.StableStuck, stuck.Seconds(), part.Topic, number)
		}
		o.Gauge(&metrics.WindowUsed, part.Window, part.Topic, number)
		age := 0.0
		if !part.HeadSince.IsZero() {
			age = e.At.Sub(part.HeadSince).Seconds()
		}
		o.Gauge(&metrics.HeadAge, age, part.Topic, number)
	}
	o.Gauge(&metrics.PartitionsRestoring, float64(restoring), p.Name)
}
