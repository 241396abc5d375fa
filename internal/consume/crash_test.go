package consume_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// spread gives every event its own time, so that they finish out of order.
func spread(key, value string) time.Duration {
	var h uint64 = 14695981039346656037
	for _, b := range []byte(key + value) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	if h%50 == 0 {
		return time.Second
	}
	return time.Duration(h%100) * time.Millisecond
}

// W0 to W5, three times: the process dies anywhere, the next one takes over. Without the
// window text every result beyond the first unfinished event would come again.
func TestCrashesLoseAndDoubleNothing(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				rnd := rand.New(rand.NewPCG(seed, 7))
				const n, keys, inFlight = 3000, 200, 128
				r.send(n, keys)
				o := earliest
				o.Started = map[string]int{"app": inFlight}
				for range 3 {
					e := r.start(setup{options: o, latency: spread})
					time.Sleep(time.Duration(200+rnd.IntN(1500)) * time.Millisecond)
					e.wire.cut()
					e.cancel() // from now on it does not reach the cluster
					time.Sleep(time.Minute)
					r.overlapsOver()
				}
				e := r.start(setup{options: o, latency: spread})
				r.wantEachOnce(n, keys)
				_ = e.stop()
				// A crash repeats what was in flight and one batch, not more.
				if repeats := r.called() - n; repeats > 3*(inFlight+1000) {
					t.Errorf("%d calls repeated", repeats)
				}
			})
		})
	}
}

// A second member joins and leaves: drained partitions repeat no call.
func TestRebalanceRepeatsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 4000, 100
		r.send(n, keys)
		a := r.start(setup{options: earliest, latency: fixed(50 * time.Millisecond)})
		time.Sleep(500 * time.Millisecond)
		b := r.start(setup{options: earliest, latency: fixed(50 * time.Millisecond), slot: "b"})
		time.Sleep(700 * time.Millisecond)
		_ = b.stop()
		r.wantEachOnce(n, keys)
		_ = a.stop()
		if got := r.called(); got != n {
			t.Errorf("%d calls, want %d", got, n)
		}
	})
}

// A call that outlives the revoke is not settled, and blocks its key in this process until
// it returns, also when the partition comes back meanwhile.
func TestCallThatOutlivesARevokeBlocksItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(80, 8)
		o := earliest
		o.RevokeBound = 4 * time.Second
		slow := func(key, value string) time.Duration {
			if value == "3" {
				return 90 * time.Second
			}
			return 10 * time.Millisecond
		}
		a := r.start(setup{options: o, latency: slow})
		time.Sleep(5 * time.Second)
		b := r.start(setup{options: o, latency: slow, slot: "b"})
		time.Sleep(20 * time.Second)
		_ = b.stop()
		r.wantEachOnce(80, 8)
		_ = a.stop()
	})
}

// flaky answers some commits with an error, before or after they took place.
type flaky struct {
	*produce.Transactor
	mu     sync.Mutex
	rnd    *rand.Rand
	before int // of 10
	after  int // of 10
	limit  int // faults in all
	faults int
}

var errLost = errors.New("answer lost")

func (f *flaky) Commit(ctx context.Context, b produce.Batch) error {
	f.mu.Lock()
	dice := f.rnd.IntN(10)
	fault := f.faults < f.limit && dice < f.before+f.after
	if fault {
		f.faults++
	}
	f.mu.Unlock()
	if fault && dice < f.before {
		return errLost
	}
	err := f.Transactor.Commit(ctx, b)
	if fault && err == nil {
		return errLost
	}
	return err
}

// W6: EndTxn was applied or not, and its answer is lost. Reading the position back shows
// which; nothing is called again.
func TestLostAnswerOfATransaction(t *testing.T) {
	for name, f := range map[string]*flaky{
		"lost before": {before: 5, limit: 20},
		"lost after":  {after: 5, limit: 20},
		"both":        {before: 3, after: 3, limit: 40},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				const n, keys = 2000, 100
				r.send(n, keys)
				f.rnd = rand.New(rand.NewPCG(1, 2))
				e := r.start(setup{options: earliest, latency: spread, wrap: func(tx *produce.Transactor) committer {
					f.Transactor = tx
					return f
				}})
				r.wantEachOnce(n, keys)
				_ = e.stop()
				if got := r.called(); got != n {
					t.Errorf("%d calls, want %d", got, n)
				}
				if f.faults == 0 {
					t.Error("no fault happened")
				}
			})
		})
	}
}

// Every request of a settle fails now and then.
func TestSettleSurvivesBrokerErrors(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"produce refused":         {Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: kerr.InvalidProducerIDMapping, Count: 3},
		"offsets refused":         {Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: kerr.InvalidTxnState, Count: 3},
		"end refused":             {Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: kerr.InvalidTxnState, Count: 3},
		"read-back not stable":    {Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.UnstableOffsetCommit, Count: 5},
		"no producer id at first": {Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: kerr.CoordinatorNotAvailable, Count: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				const n, keys = 500, 50
				r.send(n, keys)
				h := r.cluster.Fault(fault)
				e := r.start(setup{options: earliest, latency: spread})
				r.wantEachOnce(n, keys)
				_ = e.stop()
				if got := r.called(); got != n {
					t.Errorf("%d calls, want %d", got, n)
				}
				if h.Hits() == 0 {
					t.Error("no fault happened")
				}
			})
		})
	}
}

// A batch of a stale generation is aborted, kept, and settled under the next one.
func TestFencedBatchIsSettledLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 400, 40
		r.send(n, keys)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: kerr.IllegalGeneration})
		a := r.start(setup{options: earliest, latency: fixed(50 * time.Millisecond)})
		r.eventually("a fenced settle", func() bool { return r.logged("another generation") })
		b := r.start(setup{options: earliest, latency: fixed(50 * time.Millisecond), slot: "b"})
		r.wantEachOnce(n, keys)
		_ = b.stop()
		_ = a.stop()
	})
}

// The coordinator forgets a member while it rejoins, and kgo joins anew under another id
// without calling lost. Everything it held belongs to another member: nothing is settled, and
// the group is joined from the beginning.
func TestSilentRejoinDropsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 1000, 50
		r.send(n, keys)
		a := r.start(setup{options: earliest, latency: fixed(100 * time.Millisecond)})
		r.eventually("a works", func() bool { return r.called() > 50 })
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: "g", TopLevel: true, Err: kerr.UnknownMemberID, When: func(req kmsg.Request) bool {
			return req.(*kmsg.JoinGroupRequest).MemberID != "" && len(req.(*kmsg.JoinGroupRequest).Protocols) > 0 && owns(req.(*kmsg.JoinGroupRequest))
		}})
		b := r.start(setup{options: earliest, latency: fixed(100 * time.Millisecond), slot: "b"})
		r.wantEachOnce(n, keys)
		_ = a.stop()
		_ = b.stop()
		if h.Hits() == 0 {
			t.Error("no fault happened")
		}
		if !r.logged("joining again") {
			t.Error("a went on under another member id")
		}
	})
}

// owns says whether a member that joins says that it holds partitions.
func owns(req *kmsg.JoinGroupRequest) bool {
	for _, p := range req.Protocols {
		var m kmsg.ConsumerMemberMetadata
		if m.ReadFrom(p.Metadata) == nil && len(m.OwnedPartitions) > 0 {
			return true
		}
	}
	return false
}

// A member is forgotten between two heartbeats (frozen process): its results are fenced.
func TestForgottenMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 1000, 50
		r.send(n, keys)
		a := r.start(setup{options: earliest, latency: fixed(100 * time.Millisecond)})
		b := r.start(setup{options: earliest, latency: fixed(100 * time.Millisecond), slot: "b"})
		time.Sleep(time.Second)
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: "g", TopLevel: true, Err: kerr.UnknownMemberID, Count: 2})
		r.wantEachOnce(n, keys)
		_ = a.stop()
		_ = b.stop()
		if h.Hits() == 0 {
			t.Error("no fault happened")
		}
	})
}

// Two processes with one slot take the transactional id from each other; one of them says so.
func TestSlotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(4000, 50)
		o := consume.Options{Start: consume.Start{Earliest: true}}
		a := r.start(setup{options: o, latency: fixed(500 * time.Millisecond)})
		b := r.start(setup{options: o, latency: fixed(500 * time.Millisecond)})
		select {
		case a.err = <-a.done:
			a.stopped = true
		case b.err = <-b.done:
			b.stopped = true
		}
		if err := errors.Join(a.err, b.err); !errors.Is(err, produce.ErrSlotTaken) {
			t.Errorf("Run = %v, want ErrSlotTaken", err)
		}
	})
}
