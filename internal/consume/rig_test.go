package consume_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// rig is a fake cluster inside a synctest bubble, and what a test needs around it.
type rig struct {
	t       testing.TB
	net     *kfake.VirtualNetwork
	cluster *kfake.Cluster
	slow    atomic.Bool // every request of an engine takes time: kgo repeats some without a pause, and virtual time would stand still
	byID    bool        // offsets are committed by the id of the topic, as no Kafka does yet, not by its name

	mu       sync.Mutex
	calls    []string // "key:value" of every handling that ran to its end
	inFlight map[string]int
	overlaps int
	logs     strings.Builder
}

const parts = 4

func newRig(t testing.TB, opts ...kfake.Opt) *rig {
	t.Helper()
	r := &rig{t: t, net: &kfake.VirtualNetwork{}, inFlight: map[string]int{}}
	opts = append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.ListenFn(r.net.Listen),
		kfake.SeedTopics(parts, "in"), kfake.SeedTopics(1, "out", "journal", "dlq"),
	}, opts...)
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	r.cluster = c
	t.Cleanup(c.Close)
	return r
}

func (r *rig) opts() []kgo.Opt {
	versions := kversion.Stable()
	if !r.byID {
		versions.SetMaxKeyVersion((*kmsg.TxnOffsetCommitRequest)(nil).Key(), 5)
	}
	return []kgo.Opt{kgo.MaxVersions(versions), kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.Dialer(r.net.DialContext), kgo.HeartbeatInterval(time.Second), kgo.SessionTimeout(10 * time.Second), kgo.RebalanceTimeout(60 * time.Second)}
}

func (r *rig) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	cl, err := kgo.NewClient(append(r.opts(), opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return cl
}

// send produces n events over the given number of keys, numbered per key.
func (r *rig) send(n, keys int) {
	r.t.Helper()
	cl := r.client(kgo.DefaultProduceTopic("in"))
	defer cl.Close()
	for i := range n {
		rec := &kgo.Record{Key: fmt.Appendf(nil, "k%d", i%keys), Value: fmt.Appendf(nil, "%d", i/keys)}
		if err := cl.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// engine options that tests change.
type setup struct {
	options consume.Options
	slot    string
	latency func(key, value string) time.Duration
	handle  func(in consume.Input) (consume.Outcome, error)
	wrap    func(*produce.Transactor) committer

	wrapPrepare func(consume.PrepareFunc) consume.PrepareFunc
}

type committer interface {
	Commit(context.Context, produce.Batch) error
	Recover(context.Context) error
	Close()
}

// engine is a running engine; stop ends it in order.
type engine struct {
	*consume.Engine
	cancel context.CancelFunc
	done   chan error
	wire   *wire

	stopped bool
	err     error
}

// wire is an engine's connection to the cluster. After cut the cluster sees what it would see
// after a kill -9: everything the engine had under way ends there.
type wire struct {
	net   *kfake.VirtualNetwork
	slow  *atomic.Bool
	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

func (w *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return nil, errors.New("wire is cut")
	}
	c, err := w.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.conns = append(w.conns, c)
	return slowConn{c, w.slow}, nil
}

type slowConn struct {
	net.Conn
	slow *atomic.Bool
}

func (c slowConn) Write(p []byte) (int, error) {
	if c.slow.Load() {
		time.Sleep(10 * time.Millisecond)
	}
	return c.Conn.Write(p)
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for _, c := range w.conns {
		_ = c.Close()
	}
}

func (e *engine) stop() error {
	e.cancel()
	if !e.stopped {
		e.stopped = true
		e.err = <-e.done
	}
	return e.err
}

func (r *rig) start(s setup) *engine {
	r.t.Helper()
	if s.slot == "" {
		s.slot = "a"
	}
	w := &wire{net: r.net, slow: &r.slow}
	opts := append(r.opts(), kgo.Dialer(w.dial))
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: opts, Group: "g", TransactionalID: "g-" + s.slot})
	if err != nil {
		r.t.Fatal(err)
	}
	var c committer = tx
	if s.wrap != nil {
		c = s.wrap(tx)
	}
	o := s.options
	o.Client, o.Group, o.Topics = opts, "g", []string{"in"}
	if o.Refuse == nil {
		o.Refuse = refuse
	}
	if o.RefuseBare == nil {
		o.RefuseBare = refuseBare
	}
	if o.Journal == nil {
		o.Journal = journal
	}
	o.Log = slog.New(slog.NewTextHandler(lockedWriter{r}, nil))
	prepare := r.prepare(s)
	if s.wrapPrepare != nil {
		prepare = s.wrapPrepare(prepare)
	}
	e, err := consume.New(prepare, c, o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	run := &engine{Engine: e, cancel: cancel, done: make(chan error, 1), wire: w}
	go func() { run.done <- e.Run(ctx) }()
	r.t.Cleanup(func() {
		run.cancel()
		time.Sleep(2 * time.Hour) // what still runs ends
	})
	return run
}

type lockedWriter struct{ r *rig }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.r.logs.Write(p)
}

func (r *rig) logged(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.logs.String(), s)
}

// prepare gives every record a handling that lasts its latency and has one result.
func (r *rig) prepare(s setup) consume.PrepareFunc {
	return func(_ context.Context, in consume.Input) (consume.Task, error) {
		key := string(in.Key)
		pool := consume.Pool{App: "app"}
		if s.options.Inline {
			pool = consume.Pool{}
		}
		return consume.Task{Key: key, Pool: pool, Handle: func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
			if ctx.Err() != nil {
				return consume.Outcome{}, context.Cause(ctx)
			}
			r.enter(s.slot + string(in.Key))
			defer r.leave(s.slot + string(in.Key))
			if s.latency != nil {
				time.Sleep(s.latency(string(in.Key), string(in.Value))) // a call that is never cut short
			}
			r.mu.Lock()
			r.calls = append(r.calls, string(in.Key)+":"+string(in.Value))
			r.mu.Unlock()
			if s.handle != nil {
				return s.handle(in)
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}}, nil
	}
}

func (r *rig) enter(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inFlight[key]++; r.inFlight[key] > 1 {
		r.overlaps++
	}
}

func (r *rig) leave(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight[key]--
}

func (r *rig) called() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

func result(in consume.Input) *kgo.Record {
	out := &kgo.Record{Topic: "out", Key: in.Key, Value: in.Value}
	if in.Rewound {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: "rewound", Value: []byte("true")})
	}
	return out
}

func refuse(in consume.Input, reason string, _ error) consume.Outcome {
	return consume.Outcome{Records: []*kgo.Record{{Topic: "dlq", Key: in.Key, Value: in.Value, Headers: []kgo.RecordHeader{{Key: "reason", Value: []byte(reason)}}}}}
}

// refuseBare leaves the record's value out.
func refuseBare(in consume.Input, reason string, err error) consume.Outcome {
	out := refuse(in, reason, err)
	out.Records[0].Value = nil
	return out
}

func journal(skips []consume.Skipped) ([]*kgo.Record, error) {
	var s []string
	for _, k := range skips {
		s = append(s, fmt.Sprintf("%d@%d %s", k.Partition, k.Offset, k.Reason))
	}
	return []*kgo.Record{{Topic: "journal", Value: []byte(strings.Join(s, ","))}}, nil
}

// read returns what a read_committed reader sees of a topic.
func (r *rig) read(topic string) []*kgo.Record {
	r.t.Helper()
	cl := r.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	defer cl.Close()
	var out []*kgo.Record
	for {
		ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Second)
		f := cl.PollFetches(ctx)
		noMore := ctx.Err() != nil // a poll may return without records earlier
		cancel()
		if noMore && f.NumRecords() == 0 {
			return out
		}
		out = append(out, f.Records()...)
	}
}

// wantEachOnce waits until the reader sees n results or a minute has passed, and checks
// that every event has exactly one, in order per key.
func (r *rig) wantEachOnce(n, keys int) {
	r.t.Helper()
	var got []*kgo.Record
	for range 20 {
		if got = r.read("out"); len(got) >= n {
			break
		}
		time.Sleep(2 * time.Second)
	}
	next := map[string]int{}
	seen := 0
	for _, rec := range got {
		key, value := string(rec.Key), string(rec.Value)
		if value != fmt.Sprint(next[key]) {
			r.t.Errorf("key %s: result %s, want %d", key, value, next[key])
		}
		next[key]++
		seen++
	}
	if seen != n || len(next) != min(n, keys) {
		r.t.Errorf("%d results of %d keys, want %d of %d", seen, len(next), n, keys)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.overlaps > 0 {
		r.t.Errorf("%d times two handlings of one key at once", r.overlaps)
	}
}

// committed returns the group's offsets.
func (r *rig) committed() map[int32]kadm.OffsetResponse {
	r.t.Helper()
	cl := r.client()
	defer cl.Close()
	o, err := kadm.NewClient(cl).FetchOffsets(r.t.Context(), "g")
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return maps.Clone(o["in"])
}

// eventually waits in virtual time.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
	}
	r.t.Fatalf("not within a minute: %s", what)
}

func fixed(d time.Duration) func(string, string) time.Duration {
	return func(string, string) time.Duration { return d }
}

// overlapsOver forgets handlings of a process that is dead by now.
func (r *rig) overlapsOver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.inFlight)
}

// countLogged says how many lines of the log have s.
func (r *rig) countLogged(s string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.logs.String(), s)
}
