package standing

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/schemas"
)

// rig is a cluster in virtual time, with an audit that makes a round each half minute, ten seconds after the minute
// or half minute.
type rig struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
	opts    []kgo.Opt
	codec   *order.Codec
	audit   *Audit
	mine    atomic.Bool
	counted Totals // guarded by mu

	mu  sync.Mutex
	log strings.Builder
}

func (r *rig) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(b)
}

func (r *rig) count(t Totals) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counted = r.counted.plus(t)
}

func (r *rig) sum() Totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counted
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(network.Listen), kfake.SeedTopics(2, "in", "results"), kfake.SeedTopics(1, "journal", "dead"))
	must(t, err)
	t.Cleanup(c.Close)
	registry, err := avro.NewFolder(schemas.FS, 0)
	must(t, err)
	r := &rig{t: t, cluster: c, opts: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(network.DialContext)}, codec: order.NewCodec(registry)}
	r.mine.Store(true)
	r.client, err = kgo.NewClient(append(r.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	must(t, err)
	t.Cleanup(r.client.Close)
	r.audit = New(Options{
		Client: r.opts, Codec: r.codec, Groups: []Group{{Name: "g", Topics: []string{"in"}}},
		Outputs: Outputs{Results: "results", Journal: "journal", DeadLetters: []string{"dead"}},
		Every:   30 * time.Second, Patient: time.Minute, Mine: r.mine.Load, Log: slog.New(slog.NewTextHandler(r, nil)),
	}, r.count)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.audit.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) produce(all ...*kgo.Record) {
	r.t.Helper()
	must(r.t, r.client.ProduceSync(r.t.Context(), all...).FirstErr())
}

// events puts n events into partition 0 of the input.
func (r *rig) events(n int) {
	for range n {
		r.produce(&kgo.Record{Topic: "in", Value: []byte("event")})
	}
}

func (r *rig) resultOf(offset int64, outcome order.CallOutcome) *kgo.Record {
	rec, err := resultRecord(r.t.Context(), r.codec, offset, outcome)
	must(r.t, err)
	return rec
}

func resultRecord(ctx context.Context, codec *order.Codec, offset int64, outcome order.CallOutcome) (*kgo.Record, error) {
	value, err := codec.EncodeResult(ctx, "results", order.Result{
		EventID: order.EventID(fmt.Sprint(offset)), EventType: order.TypeCreated, Account: "a", Environment: "simulator", Channel: order.ChannelTrade, OrderNo: "o",
		Outcome: outcome, CallClass: order.ClassNone, ResolvedBy: order.ResolvedByNone, Origin: order.Origin{Topic: "in", Offset: offset}, FinishedAt: time.Now(),
	})
	return &kgo.Record{Topic: "results", Partition: int32(offset % 2), Value: value}, err
}

func (r *rig) skips(first, last int64) *kgo.Record {
	value, err := r.codec.EncodeJournal(r.t.Context(), "journal", order.JournalEntry{
		Topic: "in", Group: "g", Skipped: []order.SkippedRange{{First: first, Last: last, Reason: "unmapped"}}, WrittenAt: time.Now(),
	})
	must(r.t, err)
	return &kgo.Record{Topic: "journal", Value: value}
}

func letter(offset int64) *kgo.Record {
	h := func(k, v string) kgo.RecordHeader { return kgo.RecordHeader{Key: k, Value: []byte(v)} }
	return &kgo.Record{Topic: "dead", Headers: []kgo.RecordHeader{h(records.HeaderDeadTopic, "in"), h(records.HeaderDeadPartition, "0"), h(records.HeaderDeadOffset, fmt.Sprint(offset))}}
}

// commit commits a position of partition 0 as the bridge does.
func (r *rig) commit(next int64, ahead ...window.Span) {
	r.t.Helper()
	r.commitTo(0, next, ahead...)
}

func (r *rig) commitTo(partition int32, next int64, ahead ...window.Span) {
	r.t.Helper()
	facts, err := offsets.AskFacts(r.t.Context(), r.client, []string{"in"})
	must(r.t, err)
	text, err := facts.Place("g", offsets.TopicPartition{Topic: "in", Partition: partition}).Text(window.Position{Next: next, Ahead: ahead}, 0)
	must(r.t, err)
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: "in", Partition: partition, At: next, LeaderEpoch: -1, Metadata: text})
	must(r.t, kadm.NewClient(r.client).CommitAllOffsets(r.t.Context(), "g", o))
}

// round waits until the next round is over.
func (r *rig) round() Report {
	time.Sleep(30 * time.Second)
	synctest.Wait()
	return r.audit.Report()
}

// begin lets the audit begin at a committed position.
func (r *rig) begin(next int64, ahead ...window.Span) {
	r.commit(next, ahead...)
	time.Sleep(35 * time.Second)
	if got := r.audit.Report(); got.AsOf.IsZero() || got.Events() != 0 {
		r.t.Fatalf("the audit begins with %+v\n%s", got, r.logged())
	}
}

func inBubble(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newRig(t)) })
}

// Events = results + skips + dead letters, over all partitions of the outputs.
func TestEventsAreAccountedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(8)
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(1, order.OutcomeRejected), r.skips(2, 4), r.resultOf(5, order.OutcomeInvalid), letter(5), letter(6))
		r.commit(7)
		got := r.round()
		want := Totals{Results: 2, Skips: 3, DeadLetters: 2}
		if got.Totals != want || got.Trouble != "" || !got.AsOf.Equal(got.Since.Add(30*time.Second)) || r.sum() != want {
			t.Errorf("%+v, want %+v; counted %+v", got, want, r.sum())
		}
		r.produce(r.resultOf(7, order.OutcomeApplied))
		if got := r.round(); got.Totals != want {
			t.Errorf("%+v, want %+v: event 7 is not committed", got.Totals, want)
		}
		r.commit(8)
		want.Results++
		if got := r.round(); got.Totals != want || r.sum() != want {
			t.Errorf("%+v, want %+v", got.Totals, want)
		}
	})
}

// An event that the group has passed without an outcome is found, told, and counted once.
func TestLostEventsAreFound(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(6)
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(3, order.OutcomeApplied))
		r.commit(5)
		for range 2 {
			if got, want := r.round().Totals, (Totals{Results: 2, Unaccounted: 3}); got != want || r.sum() != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		if n := strings.Count(r.logged(), "level=ERROR"); n != 1 || !strings.Contains(r.logged(), "topic=in partition=0 events=3 first=1 last=4 committed=5") {
			t.Errorf("%d lines, want one:\n%s", n, r.logged())
		}
	})
}

// Markers of transactions and aborted records are no events.
func TestGapsWithoutEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		tx, err := kgo.NewClient(append(r.opts, kgo.TransactionalID("producer"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		must(t, err)
		defer tx.Close()
		for _, commit := range []bool{true, false, true} {
			must(t, tx.BeginTransaction())
			must(t, tx.ProduceSync(t.Context(), &kgo.Record{Topic: "in"}).FirstErr())
			must(t, tx.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)))
		}
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(4, order.OutcomeApplied))
		r.commit(6)
		if got, want := r.round(), (Totals{Results: 2}); got.Totals != want || got.Trouble != "" {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// What was finished ahead of the committed position before the audit began has its outcome below.
func TestFinishedBeforeTheAuditBegan(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(6)
		r.produce(r.resultOf(2, order.OutcomeApplied), r.resultOf(3, order.OutcomeApplied))
		r.begin(0, window.Span{From: 2, To: 4})
		r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(1, order.OutcomeApplied), r.resultOf(4, order.OutcomeApplied))
		r.commit(6)
		if got, want := r.round().Totals, (Totals{Results: 3, Unaccounted: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// A group that does not exist yet has nothing to audit.
func TestAuditBeforeTheGroup(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(2)
		r.round()
		if got := r.round(); got.Trouble != "" || got.AsOf.IsZero() || got.Totals != (Totals{}) {
			t.Errorf("%+v, want a complete round of nothing", got)
		}
	})
}

// A group whose first offset is committed while the audit runs is followed from there.
func TestFirstCommitWhileAuditing(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(5)
		r.commitTo(1, 0)
		time.Sleep(35 * time.Second)
		r.commit(2, window.Span{From: 3, To: 4})
		r.produce(r.resultOf(3, order.OutcomeApplied)) // in the same transaction as the commit
		r.round()
		r.produce(r.resultOf(2, order.OutcomeApplied))
		r.commit(4)
		if got := r.round().Totals; got != (Totals{Results: 2}) {
			t.Errorf("%+v, want two results", got)
		}
	})
}

// Results twice: once audited, once not; those of a group that was set back say so.
func TestRepeatsAreFound(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(4)
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied))
		r.commit(1)
		r.round()
		r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(1, order.OutcomeApplied), r.resultOf(1, order.OutcomeApplied))
		r.commit(2)
		if got, want := r.round().Totals, (Totals{Results: 2, Repeated: 2}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// While a transaction of the outputs is open, what lies behind it is not visible: the round waits for it, and
// is not complete if it takes too long. Nothing is called lost meanwhile.
func TestOpenTransactionOfTheOutputs(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(2)
		r.begin(0)
		tx, err := kgo.NewClient(append(r.opts, kgo.TransactionalID("other"), kgo.TransactionTimeout(5*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		must(t, err)
		defer tx.Close()
		must(t, tx.BeginTransaction())
		must(t, tx.ProduceSync(t.Context(), &kgo.Record{Topic: "results"}).FirstErr())
		r.produce(r.resultOf(0, order.OutcomeApplied))
		r.commit(1)
		time.Sleep(2 * time.Minute)
		if got := r.audit.Report(); got.Totals != (Totals{}) || !strings.Contains(got.Trouble, "open for 1m0s") {
			t.Errorf("%+v, want trouble with a transaction", got)
		}
		must(t, tx.EndTransaction(t.Context(), kgo.TryAbort))
		time.Sleep(2 * time.Minute)
		if got := r.audit.Report(); got.Totals != (Totals{Results: 1}) || got.Trouble != "" {
			t.Errorf("%+v, want one result", got)
		}
	})
}

// Events that retention has deleted cannot be told from lost ones; they are not called lost.
func TestEventsThatWereDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(6)
		r.begin(0)
		var cut kadm.Offsets
		cut.Add(kadm.Offset{Topic: "in", At: 3})
		_, err := kadm.NewClient(r.client).DeleteRecords(t.Context(), cut)
		must(t, err)
		r.commit(4)
		if got := r.round(); got.Totals != (Totals{Unaccounted: 1}) || got.Trouble != "" {
			t.Errorf("%+v, want event 3 alone", got)
		}
	})
}
