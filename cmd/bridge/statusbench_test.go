//go:build bench

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status/state"
)

const (
	restoreEnv = "BRIDGE_BENCH_RESTORE"
	ordersEnv  = "BRIDGE_BENCH_ORDERS" // live orders that are restored; empty: 100,000
	restored   = "trade status is restored"
	benchTail  = 1000 // changes that a restart finds in the topic
	pollOfBare = 2000 // records that the bare loop takes at once
)

// With them, trade status is measured on servers that run already, for example those of integration/kafka.sh.
const (
	realKafkaEnv    = "BRIDGE_BENCH_BROKERS"
	realRegistryEnv = "BRIDGE_BENCH_REGISTRY"
)

// create makes empty topics on these servers.
func (s *servers) create(b *testing.B, prefix string) config.Topics {
	b.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	noError(b, err)
	defer cl.Close()
	registry, topics := s.registry(b), benchTopics(prefix)
	for _, t := range kafka.Topics(topics) {
		_, err := kadm.NewClient(cl).CreateTopic(b.Context(), benchPartitions, 1, nil, t.Name)
		noError(b, err)
		if t.Schema == "" {
			continue // dead letters have the bytes of their records
		}
		_, err = registry.Register(b.Context(), t.Name, avro.MustCodec(t.Schema))
		noError(b, err)
	}
	return topics
}

// BenchmarkStatus prints how many observations a second become trade status, over how many a loop copies that does
// nothing else, with transactions and without. All read the same records, in turns.
func BenchmarkStatus(b *testing.B) {
	const observations, rounds = 40_000, 3
	s := startServers(b)
	topics := s.load(b, 0)
	s.observe(b, topics, observations)
	var bare, once, merged, copyCPU, mergeCPU []float64
	for b.Loop() {
		for range rounds {
			bare = append(bare, s.copies(b, topics, observations, false))
			began := ownCPU(b)
			once = append(once, s.copies(b, topics, observations, true))
			copied := ownCPU(b)
			merged = append(merged, s.merges(b, topics, observations))
			copyCPU, mergeCPU = append(copyCPU, (copied-began)/observations), append(mergeCPU, (ownCPU(b)-copied)/observations)
		}
	}
	b.ReportMetric(median(bare), "bare/s")
	b.ReportMetric(median(once), "bare-exactly-once/s")
	b.ReportMetric(median(merged), "status/s")
	b.ReportMetric(median(merged)/median(bare), "of-bare")
	b.ReportMetric(median(merged)/median(once), "of-bare-exactly-once")
	b.ReportMetric(median(copyCPU), "bare-exactly-once-cpu-µs") // of this process; other work on the machine does not change it
	b.ReportMetric(median(mergeCPU), "status-cpu-µs")
	b.ReportMetric(residentMB(), "MB-resident")
	b.ReportMetric(0, "ns/op")
}

// ownCPU is how many microseconds of processors this process has used.
func ownCPU(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	noError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e3
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// observe sends n observations: each order is created and, a thousand orders later, paid.
func (s *servers) observe(b *testing.B, topics config.Topics, n int) {
	b.Helper()
	encoder := records.NewEncoder(order.NewCodec(s.registry(b)), records.Topics{Observations: topics.Observations, Journal: topics.Journal}, nil)
	const apart = 1000
	var all []*kgo.Record
	for first := 0; first < n/2; first += apart {
		for i := range 2 * apart {
			o := benchObservation(first + i%apart)
			if i >= apart {
				o.Kind, o.CauseID, o.Method, o.Outcome, o.CreateEventID, o.CreateTraceparent = order.ObservedInNotification, "n-"+o.CauseID, "", "", "", ""
				o.AlipayStatus, o.PaidAt = "TRADE_SUCCESS", &o.ObservedAt
			}
			r, err := encoder.Observation(b.Context(), o)
			noError(b, err)
			all = append(all, r)
		}
	}
	s.send(b, all)
}

func benchObservation(i int) order.Observation {
	no := fmt.Sprintf("B%08d", i)
	return order.Observation{
		Account: "shop", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: alipay.OutTradeNo(no), TradeNo: alipay.TradeNo("2026111922001425130500" + no[3:]),
		Kind: order.ObservedInResult, CauseID: "e-" + no, Method: alipay.MethodTradeCreate, Outcome: order.OutcomeApplied, Total: &alipay.Money{Minor: 8888, Currency: alipay.CNY},
		ObservedAt: time.Now().Truncate(time.Millisecond), CreateEventID: order.EventID("e-" + no), CreateTraceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

func (s *servers) send(b *testing.B, all []*kgo.Record) {
	b.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	noError(b, err)
	defer cl.Close()
	noError(b, cl.ProduceSync(b.Context(), all...).FirstErr())
}

// copies is how many observations a second a group reads, writes to another topic and commits, a poll at a time: in a
// transaction for each, as exactly once needs, or without any.
func (s *servers) copies(b *testing.B, topics config.Topics, n int, exactlyOnce bool) float64 {
	b.Helper()
	group, to := fmt.Sprint("bare-", benchRuns.Add(1)), s.load(b, 0).Status
	opts := append(s.kafka(b), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topics.Observations), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var poll func() kgo.Fetches
	var produce func(*kgo.Record)
	var settle func([]*kgo.Record) error
	if exactlyOnce {
		tx, err := kgo.NewGroupTransactSession(append(opts, kgo.TransactionalID(group))...)
		noError(b, err)
		defer tx.Close()
		poll = func() kgo.Fetches { return tx.PollRecords(b.Context(), pollOfBare) }
		produce = func(r *kgo.Record) { tx.Produce(b.Context(), r, nil) }
		settle = func([]*kgo.Record) error {
			committed, err := tx.End(b.Context(), kgo.TryCommit)
			if err == nil && !committed {
				err = errors.New("the transaction was aborted")
			}
			return err
		}
		begin := poll
		poll = func() kgo.Fetches {
			got := begin()
			noError(b, tx.Begin())
			return got
		}
	} else {
		cl, err := kgo.NewClient(append(opts, kgo.DisableAutoCommit())...)
		noError(b, err)
		defer cl.Close()
		poll = func() kgo.Fetches { return cl.PollRecords(b.Context(), pollOfBare) }
		produce = func(r *kgo.Record) { cl.Produce(b.Context(), r, nil) }
		settle = func(all []*kgo.Record) error {
			return errors.Join(cl.Flush(b.Context()), cl.CommitRecords(b.Context(), all...))
		}
	}
	var began time.Time
	for done := 0; done < n; {
		got := poll()
		noError(b, got.Err())
		if began.IsZero() {
			began = time.Now()
		}
		all := got.Records()
		for _, r := range all {
			produce(&kgo.Record{Topic: to, Key: r.Key, Value: r.Value})
		}
		noError(b, settle(all))
		done += len(all)
	}
	return float64(n) / time.Since(began).Seconds()
}

// merges is how many observations a second the bridge merges, with a store on disk.
func (s *servers) merges(b *testing.B, topics config.Topics, n int) float64 {
	b.Helper()
	to := s.load(b, 0)
	to.Observations = topics.Observations
	cfg := s.settings(to, 64, b.TempDir())
	app.LimitMemory(cfg)
	service, err := app.New(b.Context(), cfg, app.Options{Only: []string{"status"}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	noError(b, err)
	defer service.Close()
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, func(bool) {}) }()
	rate := s.committed(b, cfg.Kafka.StatusGroup(), n)
	stop()
	noError(b, <-ended)
	return rate
}

// committed waits until a group has committed n records, and returns how many a second it did, from the first ones on.
func (s *servers) committed(b *testing.B, group string, n int) float64 {
	b.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	noError(b, err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	var from time.Time
	first := 0
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		offsets, err := adm.FetchOffsets(b.Context(), group)
		if errors.Is(err, kerr.GroupIDNotFound) {
			continue // it was not joined yet
		}
		noError(b, err)
		done := 0
		offsets.Each(func(o kadm.OffsetResponse) { done += int(max(o.At, 0)) })
		switch now := time.Now(); {
		case done >= n:
			return float64(done-first) / now.Sub(from).Seconds()
		case from.IsZero() && done > 0:
			from, first = now, done
		}
	}
	return 0
}

// restoring is what BenchmarkRestoreChild does: it reads the topic of trade status, and nothing else where it has no folder.
type restoring struct {
	Servers servers
	Topics  config.Topics
	Orders  int
	Folder  string
}

// restoration is how it went.
type restoration struct {
	Seconds float64
	Records int
	MB      float64 // resident, at most
}

// BenchmarkRestoreChild is the child of BenchmarkRestore; by itself it measures nothing.
func BenchmarkRestoreChild(b *testing.B) {
	text := os.Getenv(restoreEnv)
	if text == "" {
		b.Skip("restores for BenchmarkRestore")
	}
	var r restoring
	noError(b, json.Unmarshal([]byte(text), &r))
	cfg := r.Servers.settings(r.Topics, 64, r.Folder)
	app.LimitMemory(cfg)
	var out restoration
	if r.Folder == "" {
		out = r.read(b)
	} else {
		out = r.restore(b, cfg)
	}
	out.MB = float64(apptest.PeakResident(b, "self")) / 1024
	line, err := json.Marshal(out)
	noError(b, err)
	fmt.Printf("\n%s\n", line)
}

// read consumes the topic and forgets it.
func (r restoring) read(b *testing.B) (out restoration) {
	b.Helper()
	began := time.Now()
	cl, err := kgo.NewClient(append(r.Servers.kafka(b), kgo.ConsumeTopics(r.Topics.Status), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	noError(b, err)
	defer cl.Close()
	for out.Records < r.Orders {
		out.Records += cl.PollFetches(b.Context()).NumRecords()
	}
	out.Seconds = time.Since(began).Seconds()
	return out
}

// restore runs the bridge until it has restored all partitions, and stops it in an orderly way.
func (r restoring) restore(b *testing.B, cfg config.Config) restoration {
	b.Helper()
	log := &restoreLog{done: make(chan struct{})}
	service, err := app.New(b.Context(), cfg, app.Options{Only: []string{"status"}, Log: slog.New(log)})
	noError(b, err)
	defer service.Close()
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, func(bool) {}) }()
	<-log.done
	stop()
	noError(b, <-ended)
	return restoration{Seconds: log.last.Sub(log.first).Seconds(), Records: log.records}
}

// restoreLog reads from log lines when the first partition began to be restored, and when the last one was.
type restoreLog struct {
	done chan struct{}

	mu          sync.Mutex
	first, last time.Time
	partitions  int
	records     int
}

func (*restoreLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *restoreLog) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l *restoreLog) WithGroup(string) slog.Handler          { return l }

func (l *restoreLog) Handle(_ context.Context, line slog.Record) error {
	if line.Message != restored {
		if line.Level >= slog.LevelWarn {
			fmt.Fprintln(os.Stderr, line.Message)
		}
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	began := line.Time
	line.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "seconds":
			began = line.Time.Add(-time.Duration(a.Value.Float64() * float64(time.Second)))
		case "records":
			l.records += int(a.Value.Int64())
		}
		return true
	})
	if l.first.IsZero() || began.Before(l.first) {
		l.first = began
	}
	l.last = line.Time
	if l.partitions++; l.partitions == benchPartitions {
		close(l.done)
	}
	return nil
}

// BenchmarkRestore prints how trade status of many live orders is restored: from its topic, over how fast a client
// reads the same topic and forgets it, and after a restart, from disk and the tail of the topic. Each runs in a process
// of its own, whose memory is printed.
func BenchmarkRestore(b *testing.B) {
	orders := 100_000
	if text := os.Getenv(ordersEnv); text != "" {
		var err error
		orders, err = strconv.Atoi(text)
		noError(b, err)
	}
	s := startServers(b)
	topics := s.load(b, 0)
	s.publish(b, topics, 0, orders)
	var bare, topic, disk, memory []float64
	for b.Loop() {
		folder := b.TempDir()
		child := restoring{Servers: *s, Topics: topics, Orders: orders}
		bare = append(bare, child.run(b).Seconds)
		child.Folder = folder
		fromTopic := child.run(b)
		s.publish(b, topics, 0, benchTail)
		fromDisk := child.run(b)
		orders += benchTail // in the topic
		if fromTopic.Records != child.Orders || fromDisk.Records != benchTail {
			b.Fatalf("%d and %d records were read, want %d and then the tail, %d", fromTopic.Records, fromDisk.Records, child.Orders, benchTail)
		}
		topic, disk = append(topic, fromTopic.Seconds), append(disk, fromDisk.Seconds)
		memory = append(memory, fromTopic.MB, fromDisk.MB)
	}
	b.ReportMetric(float64(orders)/median(bare), "bare/s")
	b.ReportMetric(float64(orders)/median(topic), "topic/s")
	b.ReportMetric(median(bare)/median(topic), "ratio")
	b.ReportMetric(median(topic), "s-topic")
	b.ReportMetric(median(disk), "s-disk")
	b.ReportMetric(slices.Max(memory), "MB-resident")
	b.ReportMetric(0, "ns/op")
}

// run runs a restoration in a child.
func (r restoring) run(b *testing.B) (out restoration) {
	b.Helper()
	text, err := json.Marshal(r)
	noError(b, err)
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkRestoreChild$", "-test.benchtime=1x")
	cmd.Env = append(os.Environ(), restoreEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	printed, err := cmd.Output()
	for line := range bytes.Lines(printed) {
		if json.Unmarshal(line, &out) == nil && out.Records > 0 {
			return out
		}
	}
	b.Fatalf("the child ended without a restoration: %v\n%s", err, printed)
	return out
}

// publish writes trade status of live orders as the pipeline does.
func (s *servers) publish(b *testing.B, topics config.Topics, from, to int) {
	b.Helper()
	codec := state.NewCodec(order.NewCodec(s.registry(b)))
	due := strconv.AppendInt(nil, time.Now().Add(time.Hour).UnixMilli(), 10)
	const atOnce = 10_000
	for first := from; first < to; first += atOnce {
		var all []*kgo.Record
		for i := first; i < min(first+atOnce, to); i++ {
			after, _ := state.Merge(nil, benchObservation(i), state.Rules{})
			value, err := codec.Encode(b.Context(), topics.Status, after)
			noError(b, err)
			all = append(all, &kgo.Record{Topic: topics.Status, Key: []byte(after.Key()), Value: value, Headers: []kgo.RecordHeader{
				{Key: "state", Value: []byte(after.State)}, {Key: "version", Value: []byte("1")}, {Key: "due", Value: due},
			}})
		}
		s.send(b, all)
	}
}
