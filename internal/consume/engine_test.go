package consume_test

import (
	"context"
	"errors"
	"strings"
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

var earliest = consume.Options{Start: consume.Start{Earliest: true}}

func TestEveryEventOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(400, 40)
		e := r.start(setup{options: earliest, latency: fixed(50 * time.Millisecond)})
		r.wantEachOnce(400, 40)
		if err := e.stop(); err != nil {
			t.Fatal(err)
		}
		if n := r.called(); n != 400 {
			t.Errorf("%d calls, want 400", n)
		}
	})
}

// A broker before Kafka 4.0 wants AddOffsetsToTxn and an older TxnOffsetCommit.
func TestOldBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, kfake.MaxVersions(kversion.V3_5_0()))
		r.send(50, 5)
		e := r.start(setup{options: earliest})
		r.wantEachOnce(50, 5)
		if err := e.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A new group must not guess where to begin: it could lose records, or make their calls twice.
func TestNoPositionNoStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(10, 2)
		e := r.start(setup{})
		var refused *consume.StartError
		if err := <-e.done; !errors.As(err, &refused) {
			t.Fatalf("Run = %v, want a StartError", err)
		}
		if n := r.called(); n != 0 {
			t.Errorf("%d calls without a start position", n)
		}
	})
}

// start: latest is resolved once and committed: what arrives after it is never skipped,
// not even when the first instance dies before its first result.
func TestLatestIsCommittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(8, 8)
		latest := consume.Options{Start: consume.Start{Latest: true}}
		e := r.start(setup{options: latest})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		e.wire.cut()
		cl := r.client(kgo.DefaultProduceTopic("in"))
		defer cl.Close()
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord("late")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		e2 := r.start(setup{options: latest, slot: "b"})
		r.eventually("the late event's result", func() bool { return len(r.read("out")) == 1 })
		_ = e.stop()
		_ = e2.stop()
	})
}

// A partition that is added to a topic later begins at its start, in spite of the start setting.
func TestAddedPartitionIsReadFromItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		latest := consume.Options{Start: consume.Start{Latest: true}}
		e := r.start(setup{options: latest})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		_ = e.stop()
		cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		if _, err := kadm.NewClient(cl).CreatePartitions(t.Context(), 1, "in"); err != nil {
			t.Fatal(err)
		}
		rec := &kgo.Record{Topic: "in", Partition: parts, Key: []byte("k0"), Value: []byte("0")}
		r.eventually("produced to the new partition", func() bool { return cl.ProduceSync(t.Context(), rec).FirstErr() == nil })
		e = r.start(setup{options: latest})
		r.wantEachOnce(1, 1)
		_ = e.stop()
	})
}

// Records that retention deleted before they were read: that partition stops, the others go on.
func TestLostRangeStopsItsPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 40)
		e := r.start(setup{options: earliest})
		r.wantEachOnce(40, 40)
		_ = e.stop()
		r.send(40, 40)
		cl := r.client()
		defer cl.Close()
		adm := kadm.NewClient(cl)
		var cut kadm.Offsets
		cut.Add(kadm.Offset{Topic: "in", Partition: 0, At: r.committed()[0].At + 1})
		if _, err := adm.DeleteRecords(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
		e = r.start(setup{options: earliest})
		r.eventually("alert", func() bool { return r.logged("records were deleted before they were read") })
		r.eventually("the other partitions", func() bool { return e.Stats().Waiting+e.Stats().Running == 0 && len(r.read("out")) > 60 })
		before := len(r.read("out"))
		_ = e.stop()
		if before == 79 {
			t.Error("the stopped partition was read")
		}
		accept := earliest
		accept.AcceptLoss = true
		e = r.start(setup{options: accept})
		r.eventually("the rest but the lost one", func() bool { return len(r.read("out")) == 79 })
		_ = e.stop()
	})
}

// An offset that was set by hand stops its partition until an operator accepts it; then
// results that may come twice are marked.
func TestForeignPositionStopsItsPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 40)
		e := r.start(setup{options: earliest})
		r.wantEachOnce(40, 40)
		_ = e.stop()
		cl := r.client()
		defer cl.Close()
		var moved kadm.Offsets
		moved.Add(kadm.Offset{Topic: "in", Partition: 1, At: 2, Metadata: r.committed()[1].Metadata})
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "g", moved); err != nil {
			t.Fatal(err)
		}
		e = r.start(setup{options: earliest})
		r.eventually("alert", func() bool { return r.logged("accept=in/1@2") })
		if n := r.called(); n != 40 {
			t.Errorf("%d calls, want 40", n)
		}
		_ = e.stop()
		accept := earliest
		accept.AcceptPosition = []consume.AcceptedPosition{{Topic: "in", Partition: 1, Offset: 2}}
		e = r.start(setup{options: accept})
		again := int(r.committed()[1].At)
		r.eventually("read again", func() bool { return r.called() > 40 && e.Stats() == consume.Stats{Partitions: parts} })
		_ = e.stop()
		rewound := 0
		for _, rec := range r.read("out") {
			if len(rec.Headers) == 1 && rec.Headers[0].Key == "rewound" {
				rewound++
			}
		}
		if rewound == 0 || rewound != r.called()-40 {
			t.Errorf("%d results marked rewound, want %d (position %d)", rewound, r.called()-40, again)
		}
	})
}

// One slow event fills its own window only.
func TestFullPartitionDoesNotStarveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(2000, 40)
		slow := func(key, value string) time.Duration {
			if key == "k0" {
				return time.Hour
			}
			return 10 * time.Millisecond
		}
		o := earliest
		o.Started = map[string]int{"app": 64}
		e := r.start(setup{options: o, latency: slow})
		r.eventually("the other 39 keys", func() bool { return r.called() >= 39*50 })
		e.wire.cut()
	})
}

// A key's events are handled one after the other; the next starts when the last is finished.
func TestHoldKeepsTheKeyAndFreesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 4)
		var failures atomic.Int32
		e := r.start(setup{options: earliest, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "k1" && string(in.Value) == "3" && failures.Add(1) <= 5 {
				return consume.Outcome{}, errors.New("permission missing")
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("the other keys' results", func() bool { return len(r.read("out")) >= 30 })
		r.wantEachOnce(40, 4)
		_ = e.stop()
		if n := r.called(); n != 45 {
			t.Errorf("%d handlings, want 40 and 5 without outcome", n)
		}
	})
}

func TestPanicBecomesADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(8, 4)
		e := r.start(setup{options: earliest, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "k1" {
				panic("secret")
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("results", func() bool { return len(r.read("out")) == 6 && len(r.read("dlq")) == 2 })
		_ = e.stop()
		if reason := string(r.read("dlq")[0].Headers[0].Value); reason != "panic" {
			t.Errorf("reason = %q", reason)
		}
		if r.logged("secret") {
			t.Error("the panic's text is logged")
		}
	})
}

// Two records that no topic accepts: one is known to be too large, one the client refuses.
func TestUnpublishableOutcomeIsReplaced(t *testing.T) {
	for name, maxRecord := range map[string]int{"known before": 100_000, "refused on produce": 10 << 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.send(40, 4)
				o := earliest
				o.MaxRecord = maxRecord
				e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
					out := result(in)
					if string(in.Key) == "k2" && string(in.Value) == "5" {
						out.Value = make([]byte, 2<<20)
					}
					return consume.Outcome{Records: []*kgo.Record{out}}, nil
				}})
				r.eventually("results", func() bool { return len(r.read("out")) == 39 && len(r.read("dlq")) == 1 })
				_ = e.stop()
				if n := r.called(); n != 40 {
					t.Errorf("%d calls, want 40", n)
				}
			})
		})
	}
}

// A dead letter that is refused too holds its offset and stops its partition alone.
func TestRefusedDeadLetterHoldsTheOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 4)
		huge := &kgo.Record{Topic: "dlq", Value: make([]byte, 2<<20)}
		o := earliest
		o.MaxRecord = 10 << 20
		o.Refuse = func(consume.Input, string, error) consume.Outcome {
			return consume.Outcome{Records: []*kgo.Record{huge}}
		}
		o.RefuseBare = o.Refuse
		e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "k2" && string(in.Value) == "5" {
				return consume.Outcome{Records: []*kgo.Record{huge}}, nil
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("alert", func() bool { return r.logged("not even the dead letter") })
		r.eventually("the others' results", func() bool { return len(r.read("out")) >= 20 })
		_ = e.stop()
		if n := len(r.read("dlq")); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// Skips are journalled with their reasons, together at most once a second, and their
// offsets are committed with it.
func TestSkipsAreJournalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(200, 20)
		e := r.start(setup{options: earliest, latency: fixed(100 * time.Millisecond), handle: func(consume.Input) (consume.Outcome, error) {
			return consume.Outcome{Skip: "unmapped"}, nil
		}})
		r.eventually("everything committed", func() bool {
			var sum int64
			for _, c := range r.committed() {
				sum += c.At
			}
			return sum >= 200
		})
		_ = e.stop()
		entries := r.read("journal")
		n := 0
		for _, j := range entries {
			n += strings.Count(string(j.Value), "unmapped")
		}
		if n != 200 || len(entries) > 6 {
			t.Errorf("%d skips in %d journal records, want 200 in few", n, len(entries))
		}
	})
}

// Registry down: the partition waits, nothing is lost, the others go on.
func TestUnreadableRecordHoldsItsPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 8)
		s := setup{options: earliest}
		ready := time.Now().Add(30 * time.Second)
		tx, err := produce.NewTransactor(produce.TransactorOptions{Client: r.opts(), Group: "g", TransactionalID: "t"})
		if err != nil {
			t.Fatal(err)
		}
		inner := r.prepare(s)
		o := earliest
		o.Client, o.Group, o.Topics, o.Refuse, o.RefuseBare, o.Journal = r.opts(), "g", []string{"in"}, refuse, refuseBare, journal
		e, err := consume.New(func(ctx context.Context, in consume.Input) (consume.Task, error) {
			if in.Partition == 2 && time.Now().Before(ready) {
				return consume.Task{}, errors.New("registry is down")
			}
			return inner(ctx, in)
		}, tx, o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		r.eventually("the other partitions' results", func() bool { return len(r.read("out")) >= 10 })
		if !time.Now().Before(ready) {
			t.Error("the other partitions waited too")
		}
		r.wantEachOnce(40, 8)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A busy coordinator is asked again; the batch is not given up.
func TestConcurrentTransactionsIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 4)
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: kerr.ConcurrentTransactions, Count: 5})
		e := r.start(setup{options: earliest})
		r.wantEachOnce(40, 4)
		_ = e.stop()
		if h.Hits() != 5 || r.logged("settle failed") {
			t.Errorf("%d hits, log:\n%s", h.Hits(), r.logs.String())
		}
	})
}
