package consume_test

import (
	"context"
	"errors"
	"slices"
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

// refuseFetches makes the committed offsets of the group, or those of one partition, unreadable.
func (r *rig) refuseFetches(count int, partitions ...int32) *kfake.FaultHandle {
	f := kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.GroupAuthorizationFailed, Count: count}
	if len(partitions) > 0 {
		f.Group, f.Topic, f.Partitions, f.Err = "", "in", partitions, kerr.TopicAuthorizationFailed
	}
	return r.cluster.Fault(f)
}

// loseOnce loses the answer of the first transaction that has a result, after it took place.
func loseOnce(lost func()) *commits {
	var once atomic.Bool
	return &commits{commit: func(_ context.Context, _ int, b produce.Batch, next func() error) error {
		err := next()
		if has(b, "out") && once.CompareAndSwap(false, true) {
			lost()
			return errLost
		}
		return err
	}}
}

// A doubt lasts until the positions could be read back, however often that fails.
func TestADoubtOutlastsFailedReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 8)
		o := earliest
		o.Settled = func(s consume.Settlement) {
			if len(s.Outcomes) == 0 {
				t.Errorf("%s: settled without an outcome", s.Input)
			}
		}
		e := r.start(setup{options: o, wrap: loseOnce(func() { r.refuseFetches(20) }).wrap})
		r.wantEachOnce(40, 8)
		time.Sleep(time.Minute)
		r.wantEachOnce(40, 8)
		_ = e.stop()
	})
}

// A transaction that was not ended blocks the positions: it is ended before they are read back, and
// not waited for.
func TestAPendingTransactionIsEndedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		settled := make(chan time.Time, 8)
		o := earliest
		o.Settled = func(consume.Settlement) { settled <- time.Now() }
		var pending time.Time
		c := &commits{}
		c.commit = func(_ context.Context, _ int, b produce.Batch, next func() error) error {
			if !has(b, "out") || !pending.IsZero() {
				return next()
			}
			h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError, Count: -1})
			err := next()
			h.Remove()
			pending = time.Now()
			return err
		}
		e := r.start(setup{options: o, wrap: c.wrap})
		r.put(0, "k", "v")
		at := <-settled
		if took := at.Sub(pending); pending.IsZero() || took > 2*time.Second {
			t.Errorf("settled %v after the transaction that was not ended (at %v)", took, pending)
		}
		_ = e.stop()
	})
}

// Positions that cannot be read back are asked for with growing pauses. One that was read back is
// not asked for again while its outcomes wait for something else.
func TestHeldPartitionsAreReadBackSeldom(t *testing.T) {
	for name, whole := range map[string]bool{"all positions are refused": true, "its outcomes wait for their topic": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				topic := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.TopicAuthorizationFailed, Count: -1})
				o := earliest
				o.Settled = func(s consume.Settlement) {
					if len(s.Outcomes) == 0 {
						t.Errorf("%s: settled without an outcome", s.Input)
					}
				}
				e := r.start(setup{options: o, wrap: loseOnce(func() { r.refuseFetches(1, 1) }).wrap, handle: func(in consume.Input) (consume.Outcome, error) {
					if string(in.Key) == "bad" {
						return refuse(in, "invalid", nil), nil
					}
					return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
				}})
				if !whole {
					r.put(1, "bad", "v")
				}
				time.Sleep(5 * time.Minute) // its pauses are long by now
				r.put(1, "k", "v")
				r.eventually("held back", func() bool { return r.logged("partition is held back") })
				var fault *kfake.FaultHandle
				if whole {
					fault = r.refuseFetches(-1)
				}
				asked := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Observe: true, Count: -1, When: func(kmsg.Request) bool { return true }})
				time.Sleep(2 * time.Minute)
				n := asked.Hits()
				if whole {
					n = fault.Hits()
					fault.Remove()
				}
				if n < 1 || n > 12 {
					t.Errorf("asked %d times in two minutes", n)
				}
				topic.Remove()
				time.Sleep(5 * time.Minute)
				if n := len(r.read("out")); n != 1 || !whole && len(r.read("dlq")) != 1 {
					t.Errorf("%d results, %d dead letters", n, len(r.read("dlq")))
				}
				_ = e.stop()
			})
		})
	}
}

// What is known to be committed is not held back any more, however that became known.
func TestWhatIsCommittedIsForgotten(t *testing.T) {
	for name, tt := range map[string]struct {
		keys    int
		refused int64 // transactions with a record of k1 that are refused
		lost    bool
	}{
		"suspects":                 {2, 1, false},
		"suspects, answer lost":    {2, 1, true},
		"held outcome":             {4, 3, false},
		"held outcome, lost":       {4, 3, true},
		"suspects alone in a lane": {1, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var n atomic.Int64
				lost := false
				c := &commits{}
				c.commit = func(_ context.Context, _ int, b produce.Batch, next func() error) error {
					bad := slices.DeleteFunc(slices.Clone(b.Records), func(rec *kgo.Record) bool { return string(rec.Key) != "k1" && tt.keys > 1 || rec.Topic == "journal" })
					if len(bad) == 0 {
						return next()
					}
					if n.Add(1) <= tt.refused {
						return &produce.RecordError{Records: bad, Topic: bad[0].Topic, Err: kerr.InvalidRecord}
					}
					err := next()
					if tt.lost && !lost {
						lost = true
						return errLost
					}
					return err
				}
				r.send(4, tt.keys)
				e := r.start(setup{options: earliest, wrap: c.wrap})
				time.Sleep(3 * time.Minute)
				if got := len(r.read("out")) + len(r.read("dlq")); got != 4 || n.Load() <= tt.refused {
					t.Errorf("%d records, want 4; %d tries", got, n.Load())
				}
				if left := e.HeldBack(); left != 0 {
					t.Errorf("%d outcomes are still held back", left)
				}
				_ = e.stop()
			})
		})
	}
}

// No journal record can be made: skips wait, and nothing else does.
func TestAJournalThatCannotBeMadeHoldsUpSkipsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var broken atomic.Bool
		var tries atomic.Int64
		o := earliest
		o.Journal = func(skips []consume.Skipped) ([]*kgo.Record, error) {
			if broken.Load() {
				tries.Add(1)
				return nil, errors.New("too large")
			}
			return journal(skips)
		}
		e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "k1" {
				return consume.Outcome{Skip: "not_wanted"}, nil
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		broken.Store(true)
		r.send(40, 4)
		time.Sleep(2 * time.Minute)
		if n := len(r.read("out")); n != 30 || tries.Load() > 10 {
			t.Errorf("%d results while skips cannot be journalled, want 30; %d tries", n, tries.Load())
		}
		broken.Store(false)
		time.Sleep(2 * time.Minute)
		if s := e.Stats(); s.Unsettled != 0 {
			t.Errorf("%d outcomes are left", s.Unsettled)
		}
		_ = e.stop()
	})
}

// Events that wait go away with their partition: the line that none waits any more comes from each
// engine, as soon as it is true.
func TestWaitsEndWithTheirPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var broken atomic.Bool
		broken.Store(true)
		s := setup{options: earliest, handle: func(in consume.Input) (consume.Outcome, error) {
			if broken.Load() {
				return consume.Outcome{}, errors.New("permission missing")
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}}
		for p := range int32(parts) {
			r.put(p, string(rune('a'+p)), "v")
		}
		first := r.start(s)
		time.Sleep(10 * time.Second)
		s.slot = "b"
		second := r.start(s)
		time.Sleep(time.Minute)
		broken.Store(false)
		time.Sleep(3 * time.Minute)
		if n := r.countLogged("no event waits without an outcome any more"); n != 2 {
			t.Errorf("%d lines that no event waits, want one of each engine", n)
		}
		_ = second.stop()
		_ = first.stop()
	})
}

// Positions that cannot be read back for a pending transaction take their share of a settle, and
// leave the rest to the others.
func TestReadingBackLeavesTimeForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var settled []time.Time
		o := earliest
		o.Settled = func(consume.Settlement) { settled = append(settled, time.Now()) }
		e := r.start(setup{options: o, wrap: loseOnce(func() { r.refuseFetches(1, 1) }).wrap})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		r.put(1, "k", "v")
		r.eventually("held back", func() bool { return r.logged("partition is held back") })
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.UnstableOffsetCommit, Count: -1})
		for range 60 {
			r.put(2, "other", "v")
			time.Sleep(time.Second)
		}
		h.Remove()
		_ = e.stop()
		for i := range len(settled) - 1 {
			if gap := settled[i+1].Sub(settled[i]); gap > 5*time.Second {
				t.Errorf("no outcome was settled for %v", gap)
			}
		}
		if len(settled) < 30 {
			t.Errorf("settled %d times", len(settled))
		}
	})
}

// A partition stays held back while its outcomes wait: there is one line, and not one for each try.
func TestAHeldPartitionIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.start(setup{options: earliest})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		r.put(1, "k", "v")
		time.Sleep(10 * time.Minute)
		if n := r.countLogged("partition is held back"); n != 1 || h.Hits() < 5 || h.Hits() > 20 {
			t.Errorf("%d lines, %d tries", n, h.Hits())
		}
		h.Remove()
		time.Sleep(2 * time.Minute)
		if n := len(r.read("out")); n != 1 || !r.logged("partition is committed again") {
			t.Errorf("%d results", n)
		}
		_ = e.stop()
	})
}

// A pending transaction on one offset is waited for, for two seconds, and asked for every 20 ms. Then its
// partition is held back. A coordinator that says so of the whole group has said nothing of any partition.
func TestHowLongAPendingTransactionIsWaitedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		fault kfake.Fault
		lasts time.Duration
		asked int // until the partition is held back; 0: it is not
	}{
		"one partition, for long": {kfake.Fault{Topic: "in", Partitions: []int32{1}}, time.Minute, 102},
		"one partition, shortly":  {kfake.Fault{Topic: "in", Partitions: []int32{1}}, time.Second, 0},
		"the whole group":         {kfake.Fault{Group: "g"}, 5 * time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tt.fault.Keys, tt.fault.Err, tt.fault.Count = []kmsg.Key{kmsg.OffsetFetch}, kerr.UnstableOffsetCommit, -1
				var lost atomic.Pointer[kfake.FaultHandle]
				e := r.start(setup{options: earliest, wrap: loseOnce(func() { lost.Store(r.cluster.Fault(tt.fault)) }).wrap})
				r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
				if n := r.countLogged("partitions assigned"); n != 1 {
					t.Errorf("%d lines of an assignment", n)
				}
				for p := range int32(parts) {
					r.put(p, "k"+string(rune('0'+p)), "0")
				}
				r.eventually("a lost answer", func() bool { return lost.Load() != nil })
				h := lost.Load()
				if tt.asked > 0 {
					r.eventually("held back", func() bool { return r.logged("partition is held back") })
					if n := h.Hits(); n != tt.asked {
						t.Errorf("asked %d times, want %d", n, tt.asked)
					}
				}
				time.Sleep(tt.lasts)
				h.Remove()
				if held := r.logged("partition is held back"); held != (tt.asked > 0) {
					t.Errorf("held back: %t", held)
				}
				time.Sleep(2 * time.Minute)
				r.wantEachOnce(4, 4)
				_ = e.stop()
			})
		})
	}
}
