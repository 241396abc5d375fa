package produce_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"alipay-kafka-bridge/internal/produce"
)

// rig is a fake cluster with a group that has one member.
type rig struct {
	t       *testing.T
	net     *kfake.VirtualNetwork
	cluster *kfake.Cluster
	member  produce.Member
	topicID [16]byte // of "in"

	mu       sync.Mutex
	requests []kmsg.Key // of producers, in their order
}

func newRig(t *testing.T, opts ...kfake.Opt) *rig {
	t.Helper()
	r := &rig{t: t, net: &kfake.VirtualNetwork{}}
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.ListenFn(r.net.Listen), kfake.SeedTopics(3, "in"), kfake.SeedTopics(3, "out", "status"),
	}, opts...)...)
	must(t, err)
	r.cluster = c
	t.Cleanup(c.Close)
	cl := r.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit())
	t.Cleanup(cl.Close)
	r.eventually("a member", func() bool {
		r.member.ID, r.member.Generation = cl.GroupMetadata()
		return r.member.ID != "" && r.member.Generation > 0
	})
	topics, err := kadm.NewClient(cl).ListTopics(t.Context(), "in")
	must(t, err)
	r.topicID = topics["in"].ID
	time.Sleep(time.Second) // until the join is over
	r.cluster.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		switch key := kmsg.Key(req.Key()); key {
		case kmsg.InitProducerID, kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn:
			r.mu.Lock()
			r.requests = append(r.requests, key)
			r.mu.Unlock()
		}
		return nil, nil, false
	})
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) opts() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(r.cluster.ListenAddrs()...), kgo.Dialer(r.net.DialContext)}
}

func (r *rig) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	cl, err := kgo.NewClient(append(r.opts(), opts...)...)
	must(r.t, err)
	return cl
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.t.Fatalf("not within a minute: %s", what)
}

// transactor returns one that is open.
func (r *rig) transactor(manual ...string) *produce.Transactor {
	r.t.Helper()
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: r.opts(), Group: "g", TransactionalID: "g-0", ManualTopics: manual})
	must(r.t, err)
	must(r.t, tx.Recover(r.t.Context()))
	r.t.Cleanup(tx.Close)
	return tx
}

// batch has one record for each value, and commits next for partition 0 of "in".
func (r *rig) batch(next int64, values ...string) produce.Batch {
	b := produce.Batch{Member: r.member, Offsets: []produce.Offset{{Topic: "in", TopicID: r.topicID, Next: next, Metadata: fmt.Sprint("text ", next)}}}
	for _, v := range values {
		b.Records = append(b.Records, &kgo.Record{Topic: "out", Key: []byte("k"), Value: []byte(v)})
	}
	return b
}

// visible returns what a read_committed reader sees of a topic, as partition:value.
func (r *rig) visible(topic string) []string {
	r.t.Helper()
	cl := r.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	defer cl.Close()
	var out []string
	for {
		ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
		f := cl.PollFetches(ctx)
		noMore := ctx.Err() != nil // a poll may return without records earlier
		cancel()
		if noMore && f.NumRecords() == 0 {
			slices.Sort(out)
			return out
		}
		f.EachRecord(func(rec *kgo.Record) { out = append(out, fmt.Sprintf("%d:%s", rec.Partition, rec.Value)) })
	}
}

// values are visible ones without their partition.
func (r *rig) values(topic string) string {
	var out []string
	for _, v := range r.visible(topic) {
		_, value, _ := strings.Cut(v, ":")
		out = append(out, value)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// committed returns offset and metadata of partition 0 of "in"; -1 when there is none.
func (r *rig) committed() (int64, string) {
	r.t.Helper()
	cl := r.client()
	defer cl.Close()
	o, err := kadm.NewClient(cl).FetchOffsets(r.t.Context(), "g")
	must(r.t, err)
	if c, ok := o.Lookup("in", 0); ok {
		return c.At, c.Metadata
	}
	return -1, ""
}

// seen returns the producers' requests so far, in their order, and forgets them.
func (r *rig) seen() []kmsg.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.requests
	r.requests = nil
	return out
}

func TestRequiredOptions(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    produce.TransactorOptions
		ok   bool
	}{
		{"both", produce.TransactorOptions{Group: "g", TransactionalID: "t"}, true},
		{"no group", produce.TransactorOptions{TransactionalID: "t"}, false},
		{"no transactional id", produce.TransactorOptions{Group: "g"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := produce.NewTransactor(tt.o); (err == nil) != tt.ok {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// Records and offsets become visible together, and in this order: records, offsets, end. Offsets
// before an acknowledged record would outlive an abort (delivery.md 2.7).
func TestCommitOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []kfake.Opt
		want []kmsg.Key
	}{
		{"current broker", nil, []kmsg.Key{kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn}},
		// Before Kafka 4.0 both partitions and offsets have to be announced.
		{"old broker", []kfake.Opt{kfake.MaxVersions(kversion.V3_5_0())}, []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, tt.opts...)
				tx := r.transactor()
				for next := range int64(3) { // one transaction leaves nothing behind for the next
					r.seen()
					must(t, tx.Commit(t.Context(), r.batch(next+1, fmt.Sprint("a", next), fmt.Sprint("b", next))))
					if got := slices.Compact(r.seen()); !slices.Equal(got, tt.want) {
						t.Errorf("requests = %v, want %v", got, tt.want)
					}
				}
				if got := r.values("out"); got != "a0 a1 a2 b0 b1 b2" {
					t.Errorf("visible: %s", got)
				}
				if at, text := r.committed(); at != 3 || text != "text 3" {
					t.Errorf("committed %d %q", at, text)
				}
			})
		})
	}
}

// An old broker that refuses the announcement of offsets has refused the batch.
func TestRefusedAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, kfake.MaxVersions(kversion.V3_5_0()))
		tx := r.transactor()
		r.cluster.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
			if _, ok := req.(*kmsg.AddOffsetsToTxnRequest); !ok {
				r.cluster.KeepControl()
				return nil, nil, false
			}
			resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
			resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
			return resp, nil, true
		})
		if err := tx.Commit(t.Context(), r.batch(1, "a")); !errors.Is(err, kerr.GroupAuthorizationFailed) {
			t.Errorf("Commit = %v", err)
		}
		if slices.Contains(r.seen(), kmsg.TxnOffsetCommit) {
			t.Error("offsets were sent that are not part of the transaction")
		}
	})
}

// A batch without offsets is possible, one without a record is not: its offsets would be part of
// a transaction that kgo does not know of.
func TestWhatABatchNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		if err := tx.Commit(t.Context(), r.batch(1)); err == nil {
			t.Error("an empty batch is committed")
		}
		if at, _ := r.committed(); at != -1 {
			t.Errorf("committed %d", at)
		}
		b := r.batch(0, "a")
		b.Offsets = nil
		must(t, tx.Commit(t.Context(), b)) // the refusal of the empty batch left nothing open
		if got := r.values("out"); got != "a" {
			t.Errorf("visible: %s", got)
		}
	})
}

// A stale generation: aborted, nothing visible, and the same producer goes on.
func TestFenced(t *testing.T) {
	for name, err := range map[string]*kerr.Error{
		"generation":  kerr.IllegalGeneration,
		"member":      kerr.UnknownMemberID,
		"rebalance":   kerr.RebalanceInProgress,
		"fenced id":   kerr.FencedInstanceID,
		"stale epoch": kerr.StaleMemberEpoch,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tx := r.transactor()
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: err, Count: 1})
				if err := tx.Commit(t.Context(), r.batch(1, "a")); !errors.Is(err, produce.ErrFenced) {
					t.Fatalf("Commit = %v, want ErrFenced", err)
				}
				if at, _ := r.committed(); at != -1 || r.values("out") != "" {
					t.Errorf("committed %d, visible %q", at, r.values("out"))
				}
				must(t, tx.Commit(t.Context(), r.batch(1, "a")))
				if at, _ := r.committed(); at != 1 || r.values("out") != "a" {
					t.Errorf("afterwards: committed %d, visible %q", at, r.values("out"))
				}
			})
		})
	}
}

// When the abort fails too, it is not known that nothing is open: not ErrFenced.
func TestFailedAbortIsNotFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: kerr.IllegalGeneration, Count: 1})
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.InvalidTxnState, Count: 1})
		if err := tx.Commit(t.Context(), r.batch(1, "a")); err == nil || errors.Is(err, produce.ErrFenced) {
			t.Fatalf("Commit = %v", err)
		}
		if err := tx.Commit(t.Context(), r.batch(1, "a")); err == nil {
			t.Error("committed without Recover")
		}
		must(t, tx.Recover(t.Context()))
		must(t, tx.Commit(t.Context(), r.batch(1, "a")))
		if at, _ := r.committed(); at != 1 || r.values("out") != "a" {
			t.Errorf("committed %d, visible %q", at, r.values("out"))
		}
	})
}

// The outcome is unknown: the transactor refuses work until Recover. Then what was open is
// settled, and nothing of it is part of a later transaction.
func TestUnknownOutcomeThenRecover(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   kfake.Fault
		visible string // after the failure
	}{
		{"produce fails", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: kerr.InvalidProducerIDMapping, Count: 1}, ""},
		{"offsets fail", kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: kerr.InvalidTxnState, Count: 1}, ""},
		{"end fails", kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.InvalidTxnState, Count: 1}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tx := r.transactor()
				r.cluster.Fault(tt.fault)
				err := tx.Commit(t.Context(), r.batch(1, "a"))
				var refused *produce.RecordError
				if err == nil || errors.Is(err, produce.ErrFenced) || errors.As(err, &refused) {
					t.Fatalf("Commit = %v", err)
				}
				r.seen()
				if err := tx.Commit(t.Context(), r.batch(1, "a")); err == nil || !strings.Contains(err.Error(), "call Recover first") || len(r.seen()) > 0 {
					t.Errorf("Commit before Recover = %v", err)
				}
				must(t, tx.Recover(t.Context()))
				if at, _ := r.committed(); at != -1 || r.values("out") != tt.visible {
					t.Errorf("after Recover: committed %d, visible %q", at, r.values("out"))
				}
				b := r.batch(0, "b")
				b.Offsets = nil
				must(t, tx.Commit(t.Context(), b))
				if at, _ := r.committed(); at != -1 || r.values("out") != "b" {
					t.Errorf("a later batch: committed %d, visible %q", at, r.values("out"))
				}
			})
		})
	}
}

// The first transaction of a producer is committed, however soon its records are acknowledged
// after their topic became known.
func TestFirstCommitsAreVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		const n = 500
		for i := range n {
			must(t, tx.Recover(t.Context()))
			must(t, tx.Commit(t.Context(), r.batch(int64(i+1), fmt.Sprint(i))))
		}
		if got := len(r.visible("out")); got != n {
			t.Errorf("%d records are visible, want %d", got, n)
		}
	})
}

// The answer of EndTxn is lost although the broker committed: Recover does not undo it.
func TestLostAnswerOfACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		ctx, cancel := context.WithCancel(t.Context())
		r.cluster.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
			cancel() // the request is at the broker; no one waits for its answer any more
			return nil, nil, false
		})
		err := tx.Commit(ctx, r.batch(1, "a"))
		if err == nil {
			t.Fatal("the answer came")
		}
		must(t, tx.Recover(t.Context()))
		if at, _ := r.committed(); at != 1 || r.values("out") != "a" {
			t.Errorf("committed %d, visible %q", at, r.values("out"))
		}
	})
}

// A busy coordinator is asked again: right after an EndTxn it may still be finishing it.
func TestBusyCoordinatorIsAskedAgain(t *testing.T) {
	for name, err := range map[string]*kerr.Error{
		"concurrent transactions": kerr.ConcurrentTransactions,
		"loading":                 kerr.CoordinatorLoadInProgress,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tx := r.transactor()
				h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: err, Count: 5})
				must(t, tx.Commit(t.Context(), r.batch(1, "a")))
				if at, _ := r.committed(); at != 1 || h.Hits() != 5 {
					t.Errorf("committed %d after %d faults", at, h.Hits())
				}
			})
		})
	}
}

// Waiting for a coordinator ends with the context.
func TestBusyCoordinatorIsNotAskedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: kerr.ConcurrentTransactions, Count: -1})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := tx.Commit(ctx, r.batch(1, "a")); !errors.Is(err, kerr.ConcurrentTransactions) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Commit = %v", err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// Another process with the same slot: once may be our own previous producer, twice within a
// minute is not.
func TestSlotTaken(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pause time.Duration
		final bool
	}{
		{"twice at once", 0, true},
		{"twice in half a minute", 30 * time.Second, true},
		{"an hour apart", time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tx := r.transactor()
				r.transactor()
				if err := tx.Commit(t.Context(), r.batch(1, "a")); !errors.Is(err, produce.ErrOtherProducer) || errors.Is(err, produce.ErrSlotTaken) {
					t.Fatalf("first: Commit = %v", err)
				}
				must(t, tx.Recover(t.Context()))
				time.Sleep(tt.pause)
				r.transactor()
				if err := tx.Commit(t.Context(), r.batch(1, "a")); err == nil || errors.Is(err, produce.ErrSlotTaken) != tt.final {
					t.Errorf("second: Commit = %v, ErrSlotTaken: want %v", err, tt.final)
				}
			})
		})
	}
}

// A transaction that the broker timed out has a stale epoch too. No one took the slot.
func TestTimedOutTransactionIsNotATakenSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx, err := produce.NewTransactor(produce.TransactorOptions{Client: r.opts(), Group: "g", TransactionalID: "g-0", Timeout: 2 * time.Second})
		must(t, err)
		defer tx.Close()
		for range 2 {
			must(t, tx.Recover(t.Context()))
			r.cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
				r.cluster.SleepControl(func() { time.Sleep(5 * time.Second) })
				resp := req.ResponseKind().(*kmsg.EndTxnResponse)
				resp.Version, resp.ErrorCode = req.GetVersion(), kerr.InvalidProducerEpoch.Code // as a real broker answers
				return resp, nil, true
			})
			err := tx.Commit(t.Context(), r.batch(1, "a"))
			if !errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, produce.ErrSlotTaken) || errors.Is(err, produce.ErrOtherProducer) {
				t.Fatalf("Commit = %v", err)
			}
			synctest.Wait() // the cluster's wait is over before it waits again
		}
	})
}

// A refusal of the record itself is named, so that the engine can look for it. The other
// records of the batch are not visible either.
func TestRefusedRecord(t *testing.T) {
	for _, tt := range []struct {
		name   string
		record *kgo.Record
		fault  *kerr.Error
	}{
		{"too large for the client", &kgo.Record{Topic: "out", Value: make([]byte, 2<<20)}, nil},
		{"too large for the broker", &kgo.Record{Topic: "status", Value: []byte("x")}, kerr.MessageTooLarge},
		{"not valid", &kgo.Record{Topic: "status", Value: []byte("x")}, kerr.InvalidRecord},
		{"time not valid", &kgo.Record{Topic: "status", Value: []byte("x")}, kerr.InvalidTimestamp},
		{"no such partition", &kgo.Record{Topic: "status", Partition: 3, Value: []byte("x")}, nil},
		{"negative partition", &kgo.Record{Topic: "status", Partition: -1, Value: []byte("x")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tx := r.transactor("status")
				if tt.fault != nil {
					r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "status", Err: tt.fault, Count: 1})
				}
				b := r.batch(1, "a")
				b.Records = append(b.Records, tt.record, &kgo.Record{Topic: "out", Value: []byte("b")})
				before := *tt.record
				var refused *produce.RecordError
				if err := tx.Commit(t.Context(), b); !errors.As(err, &refused) || refused.Topic != tt.record.Topic {
					t.Fatalf("Commit = %v, want a RecordError for %s", err, tt.record.Topic)
				}
				if tt.record.Partition != before.Partition {
					t.Error("the batch's record was changed: it may be tried again")
				}
				must(t, tx.Recover(t.Context()))
				if at, _ := r.committed(); at != -1 || r.values("out") != "" || r.values("status") != "" {
					t.Errorf("committed %d, visible %q, %q", at, r.values("out"), r.values("status"))
				}
				must(t, tx.Commit(t.Context(), r.batch(1, "a")))
			})
		})
	}
}

// Records of manual topics go to the partition that they name; the others go by their key.
func TestPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor("status")
		b := r.batch(1)
		for p := range int32(3) {
			b.Records = append(b.Records,
				&kgo.Record{Topic: "status", Partition: p, Key: []byte("same"), Value: fmt.Append(nil, "to ", p)},
				&kgo.Record{Topic: "out", Partition: p, Key: []byte("same"), Value: fmt.Append(nil, "to ", p)})
		}
		must(t, tx.Commit(t.Context(), b))
		if got, want := r.visible("status"), []string{"0:to 0", "1:to 1", "2:to 2"}; !slices.Equal(got, want) {
			t.Errorf("status: %v, want %v", got, want)
		}
		out := r.visible("out")
		if len(out) != 3 || out[0][:1] != out[1][:1] || out[1][:1] != out[2][:1] {
			t.Errorf("out: %v, want one partition for one key", out)
		}
	})
}

// A partition is added while a producer is open, which does not know it yet: its records are not
// refused, but sent by the next producer.
func TestAddedPartitionIsNotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor("status")
		to := func(p int32) produce.Batch {
			b := r.batch(1)
			b.Records = []*kgo.Record{{Topic: "status", Partition: p, Value: fmt.Append(nil, "to ", p)}}
			return b
		}
		must(t, tx.Commit(t.Context(), to(0)))
		cl := r.client()
		defer cl.Close()
		_, err := kadm.NewClient(cl).CreatePartitions(t.Context(), 1, "status")
		must(t, err)
		var refused *produce.RecordError
		if err := tx.Commit(t.Context(), to(3)); err == nil || errors.As(err, &refused) {
			t.Errorf("Commit by a producer that does not know the partition = %v", err)
		}
		must(t, tx.Recover(t.Context()))
		must(t, tx.Commit(t.Context(), to(3)))
		must(t, tx.Recover(t.Context()))
		if err := tx.Commit(t.Context(), to(4)); !errors.As(err, &refused) {
			t.Errorf("Commit to a partition that does not exist = %v", err)
		}
	})
}

// A restart aborts what the previous process left open, at once.
func TestRestartAbortsLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.UnknownServerError, Count: 1})
		if err := tx.Commit(t.Context(), r.batch(1, "left open")); err == nil || h.Hits() != 1 {
			t.Fatalf("Commit = %v", err)
		}
		start := time.Now()
		next := r.transactor()
		must(t, next.Commit(t.Context(), r.batch(2, "next")))
		if got := r.values("out"); got != "next" {
			t.Errorf("visible: %s", got)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v: the transaction timed out at the broker", took)
		}
	})
}

// Several records fail, one of them for its own sake: that one is named.
func TestRefusedRecordAmongOtherFailures(t *testing.T) {
	for own, other := range map[string]string{"out": "status", "status": "out"} {
		t.Run(own, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tx := r.transactor()
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: own, Err: kerr.MessageTooLarge, Count: -1})
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: other, Err: kerr.TopicAuthorizationFailed, Count: -1})
				b := r.batch(1)
				for range 5 {
					b.Records = append(b.Records, &kgo.Record{Topic: "status", Value: []byte("s")}, &kgo.Record{Topic: "out", Value: []byte("o")})
				}
				var refused *produce.RecordError
				if err := tx.Commit(t.Context(), b); !errors.As(err, &refused) || refused.Topic != own {
					t.Errorf("Commit = %v", err)
				}
			})
		})
	}
}
