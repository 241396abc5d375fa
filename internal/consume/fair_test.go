package consume_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/produce"
)

// shared is an engine for several merchants: a record's key is merchant-order. Those of
// "stuck" wait in their handling, those of "held" end without an outcome until fixed, and those of
// "sent" as well, after attempts that may have taken effect. Pools have the names of merchants
// without digits.
type shared struct {
	*engine
	fixed atomic.Bool
}

var errHeld = errors.New("this key is not known")

var errSent = errors.New("no permission")

func (r *rig) startShared(o consume.Options) *shared {
	s := &shared{}
	s.engine = r.start(setup{options: o, wrapPrepare: func(inner consume.PrepareFunc) consume.PrepareFunc {
		return func(ctx context.Context, in consume.Input) (consume.Task, error) {
			task, err := inner(ctx, in)
			merchant, _, _ := strings.Cut(string(in.Key), "-")
			task.Pool, task.Owner = consume.Pool{App: "app", Method: strings.TrimRight(merchant, "0123456789")}, merchant
			handle := task.Handle
			var attempts atomic.Int64
			task.Facts = func() look.Facts {
				n := int(attempts.Load())
				return look.Facts{Account: merchant, Attempts: n, Kept: n > 1}
			}
			task.Handle = func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
				for merchant == "stuck" && !s.fixed.Load() {
					select {
					case <-ctx.Done():
						return consume.Outcome{}, ctx.Err()
					case <-time.After(time.Second):
					}
				}
				if merchant == "held" && !s.fixed.Load() {
					return consume.Outcome{}, errHeld
				}
				if strings.HasPrefix(merchant, "sent") && !s.fixed.Load() {
					time.Sleep(time.Second)
					attempts.Add(2)
					return consume.Outcome{}, errSent
				}
				return handle(ctx, in)
			}
			return task, err
		}
	}})
	return s
}

// results counts the results of a merchant.
func (r *rig) results(merchant string) int {
	n := 0
	for _, rec := range r.read("out") {
		if strings.HasPrefix(string(rec.Key), merchant+"-") {
			n++
		}
	}
	return n
}

func (r *rig) putEach(p int32, n int, merchant string, size int) {
	r.t.Helper()
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	for i := range n {
		rec := &kgo.Record{Topic: "in", Partition: p, Key: fmt.Appendf(nil, "%s-%d", merchant, i), Value: []byte(strings.Repeat("x", size))}
		if err := cl.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// One merchant's events wait, far more of them than fit into memory, in the same partition as those
// of another and in front of them. The other's go on; afterwards all have their result, in order.
func TestWaitingEventsStopNoOthers(t *testing.T) {
	for _, tt := range []struct {
		merchant  string
		partition int32 // of the others
		started   int   // at most, for each pool
	}{{"stuck", 0, 20}, {"stuck", 1, 20}, {"held", 0, 20}, {"held", 1, 20}, {"stuck", 0, 768}, {"stuck", 1, 768}, {"held", 0, 768}} {
		merchant, partition := tt.merchant, tt.partition
		t.Run(fmt.Sprintf("%s, others in partition %d, %d started", merchant, partition, tt.started), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				o := earliest
				o.MaxBytes = 100_000
				o.Started = map[string]int{"app": tt.started}
				r.putEach(0, 400, merchant, 1000)
				s := r.startShared(o)
				time.Sleep(time.Minute)
				for i := range 10 {
					r.putEach(partition, 20, fmt.Sprintf("free%d", i), 1000)
				}
				time.Sleep(time.Minute)
				if n := r.results("free0") + r.results("free9"); n != 40 {
					t.Errorf("%d of 40 results of others; %+v", n, s.Stats())
				}
				counted, held := s.HeldBytes()
				if counted != held || held > 200_000 {
					t.Errorf("%d bytes are counted, %d held", counted, held)
				}
				if n := r.countLogged("level=WARN"); n > 3 {
					t.Errorf("%d warnings:\n%s", n, r.logs.String())
				}
				s.fixed.Store(true)
				time.Sleep(10 * time.Minute)
				if n := r.results(merchant); n != 400 {
					t.Errorf("%d of 400 results afterwards; %+v; log:\n%s", n, s.Stats(), r.logs.String())
				}
				if merchant == "held" && !r.logged("no event waits without an outcome any more") {
					t.Error("the end is not logged")
				}
				if counted, held := s.HeldBytes(); counted != 0 || held != 0 {
					t.Errorf("at the end %d bytes are counted, %d held", counted, held)
				}
				_ = s.stop()
			})
		})
	}
}

// A started handling keeps its record; the events behind it are parked and come back as they were.
func TestParkedRecordsComeBackAsTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		want := map[int64]*kgo.Record{}
		for i := range 200 {
			rec := &kgo.Record{Topic: "in", Key: fmt.Appendf(nil, "stuck-%d", i), Value: []byte(strings.Repeat(fmt.Sprint(i), 300)), Headers: []kgo.RecordHeader{{Key: "h", Value: fmt.Append(nil, i)}, {Key: "empty"}}}
			switch i % 10 {
			case 3:
				rec.Value = nil
			case 4:
				rec.Value = []byte{}
			}
			if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
				t.Fatal(err)
			}
			want[rec.Offset] = rec
		}
		cl.Close()
		o := earliest
		o.MaxBytes, o.Started = 20_000, map[string]int{"app": 5}
		var wrong atomic.Int64
		e := r.start(setup{options: o, latency: fixed(time.Second), handle: func(in consume.Input) (consume.Outcome, error) {
			w := want[in.Offset]
			if string(in.Value) != string(w.Value) || (in.Value == nil) != (w.Value == nil) || string(in.Key) != string(w.Key) || len(in.Headers) != 2 || string(in.Headers[0].Value) != string(w.Headers[0].Value) || in.Headers[1].Value != nil || !in.Timestamp.Equal(w.Timestamp) {
				wrong.Add(1)
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("all", func() bool { return len(r.read("out")) == 200 })
		if n := wrong.Load(); n > 0 {
			t.Errorf("%d records differ from what was sent", n)
		}
		_ = e.stop()
	})
}

// The topic loses the records that wait: their partition stops with an alert, and nothing else.
func TestParkedRecordsThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		o := earliest
		o.MaxBytes, o.Started = 20_000, map[string]int{"app": 5}
		r.putEach(0, 100, "stuck", 1000)
		s := r.startShared(o)
		time.Sleep(time.Minute)
		cl := r.client()
		defer cl.Close()
		var cut kadm.Offsets
		cut.Add(kadm.Offset{Topic: "in", Partition: 0, At: 60})
		if _, err := kadm.NewClient(cl).DeleteRecords(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
		s.fixed.Store(true)
		r.eventually("alert", func() bool { return r.logged("partition stopped; an operator must decide") })
		r.putEach(1, 10, "free", 1000)
		r.eventually("the others", func() bool { return r.results("free") == 10 })
		if counted, held := s.HeldBytes(); counted != held {
			t.Errorf("%d bytes are counted, %d held", counted, held)
		}
		_ = s.stop()
	})
}

// A parked record cannot be read again for a while.
func TestParkedRecordsOutlastABrokerFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		o := earliest
		o.MaxBytes, o.Started = 20_000, map[string]int{"app": 5}
		r.putEach(0, 100, "stuck", 1000)
		s := r.startShared(o)
		time.Sleep(time.Minute)
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.NotLeaderForPartition, Count: -1})
		s.fixed.Store(true)
		time.Sleep(5 * time.Minute)
		h.Remove()
		time.Sleep(5 * time.Minute)
		if n := r.results("stuck"); n != 100 {
			t.Errorf("%d of 100 results", n)
		}
		_ = s.stop()
	})
}

// takesTime makes a transaction take its time.
type takesTime struct {
	committer
	d time.Duration
}

func (s takesTime) Commit(ctx context.Context, b produce.Batch) error {
	time.Sleep(s.d)
	return s.committer.Commit(ctx, b)
}

// A flood in some partitions does not delay the outcome of another.
func TestSettleIsFairToPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for p := range int32(3) {
			r.putN(p, 8_000, fmt.Sprint("flood", p), "v")
		}
		r.put(3, "quiet", "v")
		o := earliest
		o.SettleCount = 100
		start := time.Now()
		e := r.start(setup{options: o, wrap: func(tx *produce.Transactor) committer { return takesTime{tx, 200 * time.Millisecond} }})
		r.eventually("the quiet one", func() bool { return r.committed()[3].At == 1 })
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the outcome of another partition waited %v", took)
		}
		_ = e.stop()
	})
}

// Bytes are counted exactly, whatever happens: after each step the count is the sum over what is held.
func TestBytesAreCountedExactly(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				rnd := rand.New(rand.NewPCG(seed, 3))
				o := earliest
				o.MaxBytes, o.Started, o.RevokeBound = 50_000, map[string]int{"app": 10}, 4*time.Second
				check := func(s *shared) {
					if counted, held := s.HeldBytes(); counted != held {
						t.Errorf("%d bytes are counted, %d held", counted, held)
					}
					if counted, held := s.KeptBytes(); counted != held {
						t.Errorf("%d bytes of requests are counted, %d held", counted, held)
					}
				}
				s := r.startShared(o)
				var other *engine
				for step := range 20 {
					merchant := []string{"free", "held", "stuck", "sent"}[rnd.IntN(4)]
					r.putEach(int32(rnd.IntN(parts)), 20+rnd.IntN(30), fmt.Sprintf("%s-%d", merchant, step), rnd.IntN(1500))
					switch rnd.IntN(5) {
					case 0:
						s.fixed.Store(!s.fixed.Load())
					case 1:
						r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.MessageTooLarge, kerr.UnknownServerError}[rnd.IntN(3)], Count: 1 + rnd.IntN(3)})
					case 2:
						if other == nil {
							other = r.start(setup{options: o, slot: "b"})
						} else {
							_ = other.stop()
							other = nil
						}
					case 3:
						r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Partitions: []int32{int32(rnd.IntN(parts))}, Err: kerr.UnknownServerError, Count: 1})
					}
					time.Sleep(time.Duration(rnd.IntN(20_000)) * time.Millisecond)
					synctest.Wait()
					check(s)
				}
				s.fixed.Store(true)
				if other != nil {
					_ = other.stop()
				}
				time.Sleep(10 * time.Minute)
				if counted, held := s.HeldBytes(); counted != 0 || held != 0 {
					t.Errorf("at the end %d bytes are counted, %d held; %+v", counted, held, s.Stats())
				}
				if counted, held := s.KeptBytes(); counted != 0 || held != 0 {
					t.Errorf("at the end %d bytes of requests are counted, %d held", counted, held)
				}
				_ = s.stop()
			})
		})
	}
}

// Where only one partition has outcomes, it has the whole batch.
func TestALonePartitionHasTheWholeBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.putN(0, 2_000, "flood", "v")
		o := earliest
		o.SettleCount = 100
		start := time.Now()
		e := r.start(setup{options: o, wrap: func(tx *produce.Transactor) committer { return takesTime{tx, 200 * time.Millisecond} }})
		r.eventually("all", func() bool { return r.committed()[0].At == 2_000 })
		if took := time.Since(start); took > 10*time.Second { // 20 batches
			t.Errorf("took %v", took)
		}
		_ = e.stop()
	})
}

// A partition that cannot be read on keeps what was fetched of it, and no other from being read.
func TestUnreadablePartitionStopsNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		o := earliest
		o.MaxBytes = 50_000
		r.putEach(0, 300, "dark", 1000)
		e := r.start(setup{options: o, wrapPrepare: func(inner consume.PrepareFunc) consume.PrepareFunc {
			return func(ctx context.Context, in consume.Input) (consume.Task, error) {
				if in.Partition == 0 {
					return consume.Task{}, errors.New("registry is down")
				}
				return inner(ctx, in)
			}
		}})
		time.Sleep(time.Minute)
		r.putEach(1, 100, "free", 1000)
		r.eventually("the others", func() bool { return r.results("free") == 100 })
		_ = e.stop()
	})
}

// Brokers without topic ids: a topic that was created again is known by its records.
func TestParkedRecordsOfAnotherTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, kfake.MaxVersions(kversion.V2_6_0()))
		o := earliest
		o.MaxBytes, o.Started = 20_000, map[string]int{"app": 5}
		r.putEach(0, 100, "stuck", 1000)
		s := r.startShared(o)
		time.Sleep(time.Minute)
		cl := r.client()
		defer cl.Close()
		adm := kadm.NewClient(cl)
		// Nothing is fetched while the new topic is empty: a position that does not exist is another alert.
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.NotLeaderForPartition, Count: -1})
		if _, err := adm.DeleteTopics(t.Context(), "in"); err != nil {
			t.Fatal(err)
		}
		if _, err := adm.CreateTopics(t.Context(), parts, 1, nil, "in"); err != nil {
			t.Fatal(err)
		}
		r.putEach(0, 100, "other", 1000)
		h.Remove()
		s.fixed.Store(true)
		time.Sleep(time.Minute)
		for _, rec := range r.read("out") {
			if key := string(rec.Key); strings.HasPrefix(key, "stuck") && !strings.HasPrefix(string(rec.Value), "xxx") {
				t.Errorf("%s: result of another record", key)
			}
		}
		if !r.logged("the topic has another record at its offset") && !r.logged("its position does not exist in the topic any more") { // whichever is noticed first
			t.Errorf("no alert:\n%s", r.logs.String())
		}
		_ = s.stop()
	})
}
