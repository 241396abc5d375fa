package status_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/audit"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/status/store"
	"alipay-kafka-bridge/schemas"
)

const (
	inTopic    = "trade-observations"
	outTopic   = "trade-status"
	sweepTopic = "bridge-sweep"
	partitions = 3
)

// rig is a cluster in memory with a folder for each slot.
type rig struct {
	t       *testing.T
	net     *kfake.VirtualNetwork
	cluster *kfake.Cluster
	codec   *order.Codec
	states  *state.Codec
	encoder *records.Encoder
	sender  *kgo.Client
	folders map[string]string
	foreign bool
	keys    *integrity.Keys // of the pipeline
	log     *lines
}

// lines are log lines.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newRig(t)) })
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, net: &kfake.VirtualNetwork{}, folders: map[string]string{}, log: &lines{}}
	var err error
	r.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(r.net.Listen),
		kfake.SeedTopics(partitions, inTopic, outTopic, sweepTopic), kfake.SeedTopics(1, "journal"))
	must(t, err)
	t.Cleanup(r.cluster.Close)
	registry, err := avro.NewFolder(schemas.FS, 1<<20)
	must(t, err)
	r.codec = order.NewCodec(registry)
	r.states = state.NewCodec(r.codec)
	r.encoder = records.NewEncoder(r.codec, records.Topics{Observations: inTopic, Journal: "journal"}, nil)
	r.sender, err = kgo.NewClient(r.client()...)
	must(t, err)
	t.Cleanup(r.sender.Close)
	return r
}

func (r *rig) client() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.Dialer(r.net.DialContext), kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.HeartbeatInterval(time.Second), kgo.SessionTimeout(10 * time.Second), kgo.RebalanceTimeout(time.Minute),
	}
}

// bridge is one running process.
type bridge struct {
	r        *rig
	pipeline *status.Pipeline
	cancel   context.CancelFunc
	done     chan struct{}
}

// start starts the pipeline of a slot, on the slot's folder.
func (r *rig) start(slot string, change ...func(*status.Options)) *bridge {
	r.t.Helper()
	if r.folders[slot] == "" {
		r.folders[slot] = r.t.TempDir()
	}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	folder := r.folders[slot]
	o := status.Options{
		Topics: status.Topics{Observations: inTopic, Status: outTopic, Sweep: sweepTopic}, Group: "g", Client: r.client(),
		OpenStore: func() (*store.Store, error) { return store.Open(folder, store.Options{Group: "g", Log: log}) }, Codec: r.codec, Encoder: r.encoder, Keys: r.keys, Foreign: func(order.Account) bool { return r.foreign },
		Schedule: state.DefaultSchedule,
		Keep:     state.DefaultRetention,
		Rate:     10, Stale: 84 * time.Hour, Tracer: noop.Tracer{}, Log: log, Now: time.Now,
	}
	for _, c := range change {
		c(&o)
	}
	p, err := status.New(o)
	must(r.t, err)
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: r.client(), Group: "g", TransactionalID: "g-" + slot, ManualTopics: []string{outTopic}})
	must(r.t, err)
	e, err := consume.New(p.Prepare, tx, consume.Options{
		Client: r.client(), Group: "g", Topics: []string{inTopic}, Start: consume.Start{Earliest: true}, Log: log, Inline: true,
		Refuse: p.Refuse, RefuseBare: p.RefuseBare, Journal: p.Journal,
		Hooks: consume.Hooks{Assigned: p.Assigned, Settled: p.Settled, Dropped: p.Dropped},
	})
	must(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	b := &bridge{r: r, pipeline: p, cancel: cancel, done: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.Run(ctx); err != nil {
			r.t.Error(err)
		}
	})
	running.Go(func() { p.Sweep(ctx) })
	go func() {
		running.Wait()
		if err := p.Close(); err != nil {
			r.t.Error(err)
		}
		close(b.done)
	}()
	r.t.Cleanup(b.stop)
	return b
}

func (b *bridge) stop() {
	b.cancel()
	<-b.done
}

// observe sends observations, in order.
func (r *rig) observe(all ...order.Observation) {
	r.t.Helper()
	for _, o := range all {
		rec, err := r.encoder.Observation(r.t.Context(), o)
		must(r.t, err)
		must(r.t, r.sender.ProduceSync(r.t.Context(), rec).FirstErr())
	}
}

// seen are the records of a topic that a read_committed reader sees.
func (r *rig) seen(topic string) []*kgo.Record {
	r.t.Helper()
	out, err := audit.ReadTopics(r.t.Context(), r.client(), topic)
	must(r.t, err)
	return out
}

// story is what trade-status says about an order: version and state of each record.
func (r *rig) story(key string) []string {
	r.t.Helper()
	var out []string
	var records []*kgo.Record
	for _, rec := range r.seen(outTopic) {
		if string(rec.Key) == key {
			records = append(records, rec)
		}
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int { return int(a.Offset - b.Offset) })
	for _, rec := range records {
		if rec.Value == nil {
			out = append(out, "tombstone")
			continue
		}
		s, err := r.states.Decode(r.t.Context(), outTopic, rec.Value)
		if _, final := order.IsUndecodable(err); final {
			out = append(out, "unreadable")
			continue
		}
		must(r.t, err)
		text := fmt.Sprintf("%d %s", s.Version, s.State)
		if len(s.Anomalies) > 0 {
			text += " " + strings.Join(s.Anomalies, ",")
		}
		out = append(out, text)
	}
	return out
}

// await waits until the story of an order has a last record. What else is under way ends meanwhile.
func (r *rig) await(key, last string) {
	r.t.Helper()
	for range 60 {
		time.Sleep(2 * time.Second)
		if s := r.story(key); len(s) > 0 && s[len(s)-1] == last {
			return
		}
	}
	r.t.Fatalf("%s: %q, want %q at the end; log:\n%s", key, r.story(key), last, r.log)
}

func yuan(n int64) *alipay.Money { return &alipay.Money{Minor: n * 100, Currency: alipay.CNY} }

// created is the result of a create.
func created(no string) order.Observation {
	return order.Observation{
		Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: alipay.OutTradeNo(no), TradeNo: alipay.TradeNo("T" + no),
		Kind: order.ObservedInResult, CauseID: "e-" + no, Method: alipay.MethodTradeCreate, Outcome: order.OutcomeApplied, Total: yuan(88),
		ObservedAt: time.Now().Truncate(time.Millisecond), CreateEventID: order.EventID("e-" + no), CreateTraceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

// notified is a notification.
func notified(no, word string) order.Observation {
	at := time.Now().Truncate(time.Millisecond)
	o := created(no)
	o.Kind, o.CauseID, o.Method, o.Outcome, o.CreateEventID, o.CreateTraceparent = order.ObservedInNotification, "n-"+word, "", "", "", ""
	o.AlipayStatus, o.ObservedAt, o.PaidAt = word, at, &at
	return o
}
