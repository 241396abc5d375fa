package consume_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/produce"
)

// hang lets requests of a key wait for which is is true, until the returned function is called. It
// counts them.
func (r *rig) hang(key kmsg.Key, is func(kmsg.Request) bool) (hung *atomic.Int64, release func()) {
	hung = &atomic.Int64{}
	over := make(chan struct{})
	r.cluster.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		select {
		case <-over:
		default:
			if is(req) {
				hung.Add(1)
				r.cluster.SleepControl(func() { <-over })
			}
		}
		return nil, nil, false
	})
	return hung, func() { close(over) }
}

// The leader of a partition does not answer when its parked records are read again. The read ends
// after 5 s, all that wait for it end with it, the log says so once, and other partitions go on.
func TestSilentLeaderOfParkedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094))
		for p := range int32(parts) {
			if err := r.cluster.MoveTopicPartition("in", p, p%3); err != nil {
				t.Fatal(err)
			}
		}
		o := earliest
		o.MaxBytes, o.Started = 20_000, map[string]int{"app": 5}
		r.putEach(0, 100, "stuck", 1000)
		r.putEach(1, 100, "held", 1000)
		s := r.startShared(o)
		time.Sleep(time.Minute)
		before := r.countLogged("events wait without an outcome")
		reads, release := r.hang(kmsg.Fetch, func(req kmsg.Request) bool {
			f := req.(*kmsg.FetchRequest)
			return f.SessionEpoch == -1 && len(f.Topics) == 1 && f.Topics[0].Partitions[0].Partition == 0 // a second reading
		})
		s.fixed.Store(true)
		r.eventually("a read that hangs", func() bool { return reads.Load() == 1 })
		held := func() (n int) {
			for _, w := range s.Look(1000).Records {
				if w.Partition == 0 && w.Cause == look.Retry {
					n++
				}
			}
			return n
		}
		time.Sleep(4500 * time.Millisecond)
		if n := held(); n != 0 {
			t.Errorf("%d handlings ended before the read did", n)
		}
		time.Sleep(time.Second)
		if n := held(); n < 3 || reads.Load() != 2 { // at least the share of a pool was started
			t.Errorf("%d handlings ended with the read that all waited for; %d reads", n, reads.Load())
		}
		time.Sleep(2 * time.Minute)
		if n := r.results("held"); n != 100 {
			t.Errorf("%d of 100 results of another partition", n)
		}
		if n := r.countLogged("events wait without an outcome") - before; n != 1 {
			t.Errorf("%d lines in the log:\n%s", n, r.logs.String())
		}
		release()
		time.Sleep(5 * time.Minute)
		if n := r.results("stuck"); n != 100 {
			t.Errorf("%d of 100 results afterwards", n)
		}
		_ = s.stop()
	})
}

// A transaction hangs on the offset of one partition while it is read back. For two seconds all
// wait for it; then that partition is held back, and the others go on.
func TestHangingTransactionHoldsItsPartition(t *testing.T) {
	for _, tt := range []struct {
		lasts time.Duration
		holds bool
	}{{1500 * time.Millisecond, false}, {5 * time.Minute, true}} {
		t.Run(tt.lasts.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				var left atomic.Int64
				left.Store(-1)
				e := r.start(setup{options: earliest, wrap: func(tx *produce.Transactor) committer { return answerLost{tx, &left} }})
				r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
				h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "in", Partitions: []int32{2}, Err: kerr.UnstableOffsetCommit, Count: -1,
					When: func(req kmsg.Request) bool { return req.(*kmsg.OffsetFetchRequest).RequireStable }})
				left.Store(1) // the next answer is lost: read back
				r.putEach(0, 5, "lost", 10)
				time.Sleep(200 * time.Millisecond)
				for p := range int32(parts) {
					r.putEach(p, 5, fmt.Sprint("late", p), 10)
				}
				time.Sleep(tt.lasts)
				if tt.holds {
					if others, its := r.results("late0")+r.results("late1")+r.results("late3"), r.results("late2"); others != 15 || its != 0 {
						t.Errorf("%d of 15 results of the other partitions while the transaction hangs, and %d of its own", others, its)
					}
				}
				h.Remove()
				if got := r.logged("partition is held back"); got != tt.holds || h.Hits() == 0 {
					t.Errorf("held back: %t, want %t; %d hits", got, tt.holds, h.Hits())
				}
				time.Sleep(2 * time.Minute)
				if n := len(r.read("out")); n != 25 {
					t.Errorf("%d results in the end, want 25", n)
				}
				_ = e.stop()
			})
		})
	}
}

// The committed offset of a partition is refused, and answers to the question for it leave it out:
// nothing begins again before it is there.
func TestOmittedOffsetIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		first := r.startFree("a", earliest)
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		_ = first.stop()
		for p := range int32(parts) {
			r.put(p, fmt.Sprintf("k%d", p), "v")
		}
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "in", Partitions: []int32{2}, Err: kerr.UnknownServerError, Count: -1})
		var omitted atomic.Int64
		var over atomic.Bool
		r.cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			f := req.(*kmsg.OffsetFetchRequest)
			if over.Load() || len(f.Groups) != 1 || len(f.Groups[0].Topics) != 1 || len(f.Groups[0].Topics[0].Partitions) != 1 {
				return nil, nil, false
			}
			omitted.Add(1)
			resp := f.ResponseKind().(*kmsg.OffsetFetchResponse)
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group = f.Groups[0].Group
			resp.Groups = append(resp.Groups, g)
			return resp, nil, true
		})
		z := r.startFree("a", earliest)
		time.Sleep(10 * time.Minute)
		if n := z.handled(); n != 3 || omitted.Load() < 10 || r.logged("joining the group again") {
			t.Errorf("%d of 3 others handled; %d answers left the offset out; log:\n%s", n, omitted.Load(), r.logs.String())
		}
		h.Remove()
		over.Store(true)
		time.Sleep(2 * time.Minute)
		if n := z.handled(); n != 4 || r.countLogged("joining the group again") != 1 {
			t.Errorf("%d of 4 handled in the end; log:\n%s", n, r.logs.String())
		}
		_ = z.stop()
	})
}
