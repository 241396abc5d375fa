package consume_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// countFetches counts how often a partition is read again from an offset that was read before. None is empty.
func (r *rig) countFetches() (again *atomic.Int64) {
	again = &atomic.Int64{}
	next := map[string]int64{}
	r.cluster.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		for _, topic := range kreq.(*kmsg.FetchRequest).Topics {
			for _, p := range topic.Partitions {
				key := fmt.Sprint(topic.TopicID, topic.Topic, p.Partition)
				last, read := next[key]
				if p.FetchOffset < last || read && p.FetchOffset == 0 {
					again.Add(1)
				}
				next[key] = max(next[key], p.FetchOffset)
			}
		}
		return nil, nil, false
	})
	return again
}

// What does not fit into the memory of an inline engine stays in its topic: nothing is dropped and read again, however
// little memory there is, while transactions make room. Another engine parks.
func TestInlineReadsNothingTwice(t *testing.T) {
	for _, inline := range []bool{true, false} {
		t.Run(fmt.Sprint("inline ", inline), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				const n, keys = 2000, 500
				r.send(n, keys)
				again := r.countFetches()
				o := earliest
				o.Inline, o.MaxBytes, o.SettleCount = inline, 4000, 50
				o.Started = map[string]int{"app": 2}
				e := r.start(setup{options: o, latency: fixed(100 * time.Microsecond), wrap: func(tx *produce.Transactor) committer { return takesTime{tx, time.Millisecond} }})
				r.wantEachOnce(n, keys)
				_ = e.stop()
				if n := again.Load(); inline == (n > 0) {
					t.Errorf("%d times records were read again", n)
				}
			})
		})
	}
}

// A record without an outcome holds its own lane alone, in order, also in an inline engine.
func TestInlineHoldKeepsTheKeyAndFreesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 400, 8
		r.send(n, keys)
		o := earliest
		o.Inline = true
		begin := time.Now()
		e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "k1" && string(in.Value) == "3" && time.Since(begin) < 30*time.Second {
				return consume.Outcome{}, errors.New("the registry is down")
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("the other keys", func() bool { return r.called() >= n-n/keys && time.Since(begin) < 20*time.Second })
		r.wantEachOnce(n, keys)
		_ = e.stop()
	})
}

// A partition of an inline engine whose records cannot be prepared, or whose handling lasts, is paused at last, and the
// others go on.
func TestInlineCrowdedPartitionStopsNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		o := earliest
		o.Inline, o.MaxBytes = true, 50_000
		r.putEach(0, 300, "dark", 1000)
		e := r.start(setup{options: o, wrapPrepare: func(inner consume.PrepareFunc) consume.PrepareFunc {
			return func(ctx context.Context, in consume.Input) (consume.Task, error) {
				if in.Partition == 0 {
					return consume.Task{}, errors.New("the disk is full")
				}
				return inner(ctx, in)
			}
		}})
		time.Sleep(time.Minute)
		if counted, held := e.HeldBytes(); counted != held || counted > 150_000 {
			t.Errorf("%d bytes are counted, %d held, of 300,000 that wait", counted, held)
		}
		r.putEach(1, 100, "free", 1000)
		r.eventually("the others", func() bool { return r.results("free") == 100 })
		_ = e.stop()
	})
}

// Outcomes that wait to be settled are bounded, and what waits for them goes on at once when they are.
func TestInlineWaitsForTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 1000, 300
		r.send(n, keys)
		o := earliest
		o.Inline, o.SettleCount = true, 10
		most := 0
		e := r.start(setup{options: o, wrap: func(tx *produce.Transactor) committer { return takesTime{tx, 10 * time.Millisecond} }})
		began := time.Now()
		r.eventually("all", func() bool {
			most = max(most, e.Stats().Unsettled)
			return r.called() == n
		})
		if took := time.Since(began); took > 5*time.Second { // 100 batches of 10 ms
			t.Errorf("took %v", took)
		}
		if most > 40+parts*64 {
			t.Errorf("%d outcomes wait, want at most four batches and what is handled", most)
		}
		r.wantEachOnce(n, keys)
		_ = e.stop()
	})
}

// While handlings wait for something, they wait together, not one after the other.
func TestInlineHandlingsWaitTogether(t *testing.T) {
	for name, n := range map[string]int{"one batch": 200, "many batches": 800} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.send(n, n)
				o := earliest
				o.Inline = true
				begin := time.Now()
				e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
					if time.Since(begin) < time.Minute {
						time.Sleep(5 * time.Second)
						return consume.Outcome{}, errors.New("the registry does not answer")
					}
					return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
				}})
				time.Sleep(12 * time.Second)
				if got := r.called(); got < n {
					t.Errorf("%d of %d have begun", got, n)
				}
				time.Sleep(2 * time.Minute)
				r.wantEachOnce(n, n)
				_ = e.stop()
			})
		})
	}
}

// A partition whose outcomes cannot be settled may use what the others leave free.
func TestInlineUsesWhatOthersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{0}, Err: kerr.TopicAuthorizationFailed, Count: 1 << 30})
		for p := range parts {
			r.putEach(int32(p), 300, fmt.Sprint("p", p), 10)
		}
		o := earliest
		o.Inline, o.SettleCount = true, 100
		e := r.start(setup{options: o, latency: fixed(time.Millisecond), wrap: func(tx *produce.Transactor) committer { return takesTime{tx, 10 * time.Millisecond} }})
		time.Sleep(30 * time.Second)
		if got := r.called(); got < parts*300 {
			t.Errorf("%d of %d are handled", got, parts*300)
		}
		e.wire.cut()
	})
}

// Handlings by the feeds take no place of those that wait for a start.
func TestInlineFloodStopsNoSecondRecordOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		o := earliest
		o.Inline, o.Started = true, map[string]int{"": 1, "app": 1}
		twice := &kgo.Record{Topic: "in", Partition: 0, Key: []byte("twice-0"), Value: []byte("x")}
		cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		if err := cl.ProduceSync(t.Context(), twice, &kgo.Record{Topic: "in", Partition: 0, Key: twice.Key, Value: twice.Value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for p := 1; p < parts; p++ {
			r.putEach(int32(p), 3000, fmt.Sprint("flood", p), 10)
		}
		var both atomic.Int32
		e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
			time.Sleep(time.Millisecond)
			if string(in.Key) == "twice-0" {
				both.Add(1)
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("the second", func() bool { return both.Load() == 2 })
		if got := r.called(); got > 3000 {
			t.Errorf("%d others were handled first", got)
		}
		_ = e.stop()
	})
}
