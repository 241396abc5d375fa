package consume_test

import (
	"context"
	"fmt"
	"log/slog"
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

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// free is an engine whose handlings of keys stuck* wait until their context ends, as at an
// open breaker. It keeps the keys of the others.
type free struct {
	e    *consume.Engine
	stop func() error
	mu   sync.Mutex
	keys []string
}

func (r *rig) startFree(slot string, o consume.Options) *free {
	z := &free{}
	opts := r.opts()
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: opts, Group: "g", TransactionalID: "g-" + slot})
	if err != nil {
		r.t.Fatal(err)
	}
	o.Client, o.Group, o.Topics, o.Refuse, o.RefuseBare, o.Journal = opts, "g", []string{"in"}, refuse, refuseBare, journal
	o.Log = slog.New(slog.NewTextHandler(lockedWriter{r}, nil))
	z.e, err = consume.New(func(_ context.Context, in consume.Input) (consume.Task, error) {
		return consume.Task{Key: string(in.Key), Pool: consume.Pool{App: "app", Method: string(in.Key)}, Handle: func(ctx context.Context, in consume.Input) (consume.Outcome, error) {
			if strings.HasPrefix(string(in.Key), "stuck") {
				<-ctx.Done()
				return consume.Outcome{}, context.Cause(ctx)
			}
			z.mu.Lock()
			z.keys = append(z.keys, fmt.Sprintf("%s p%d", in.Key, in.Partition))
			z.mu.Unlock()
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}}, nil
	}, tx, o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- z.e.Run(ctx) }()
	z.stop = func() error { cancel(); return <-done }
	r.t.Cleanup(func() { cancel(); time.Sleep(time.Hour) })
	return z
}

// handled says how many were handled.
func (z *free) handled() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return len(z.keys)
}

func (r *rig) put(p int32, key, value string) {
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8<<20))
	defer cl.Close()
	if err := cl.ProduceSync(r.t.Context(), &kgo.Record{Topic: "in", Partition: p, Key: []byte(key), Value: []byte(value)}).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) putN(p int32, n int, key, value string) {
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	for range n {
		cl.Produce(r.t.Context(), &kgo.Record{Topic: "in", Partition: p, Key: []byte(key), Value: []byte(value)}, nil)
	}
	if err := cl.Flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// The backlog drains into the window while nothing settles: the partition is resumed.
func TestEmptiedBacklogIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.putN(0, 4000, "stuck", "v")
		r.putN(0, 10, "free", "v")
		z := r.startFree("a", earliest)
		time.Sleep(10 * time.Minute)
		n := z.handled()
		_ = z.stop()
		if n != 10 {
			t.Error("partition is paused for ever with an empty backlog")
		}
	})
}

// A revoke frees bytes: partitions are resumed.
func TestBytesFreedByARevokeAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for p := range int32(parts) {
			r.put(p, fmt.Sprintf("stuck%d", p), strings.Repeat("x", 250-6))
		}
		o := earliest
		o.MaxBytes = 1000
		a := r.startFree("a", o)
		time.Sleep(time.Minute)
		b := r.startFree("b", o)
		time.Sleep(2 * time.Minute)
		for p := range int32(parts) {
			r.put(p, fmt.Sprintf("free%d", p), "v")
		}
		time.Sleep(10 * time.Minute)
		n := a.handled() + b.handled()
		_, _ = a.stop(), b.stop()
		if n != 4 {
			t.Errorf("%d of 4 handled", n)
		}
	})
}

// Start latest with two instances: the one that asks later must not believe that the topic had
// only the other's partitions.
func TestTwoInstancesStartAtLatestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for p := range int32(parts) {
			r.put(p, "old", "0")
		}
		first := true
		r.cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			if first { // the first to ask is slow by 300 ms
				first = false
				r.cluster.SleepControl(func() { time.Sleep(300 * time.Millisecond) })
			}
			return nil, nil, false
		})
		o := consume.Options{Start: consume.Start{Latest: true}}
		a, b := r.startFree("a", o), r.startFree("b", o)
		time.Sleep(time.Minute)
		if a.handled()+b.handled() > 0 {
			t.Error("events from before the start were handled")
		}
		_, _ = a.stop(), b.stop()
	})
}

// A transaction error before anything of ours is committed leaves the operator's position.
func TestAcceptedPositionSurvivesAFailedTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.put(0, "k", "0")
		r.put(0, "k", "1")
		cl := r.client()
		defer cl.Close()
		var o kadm.Offsets
		o.Add(kadm.Offset{Topic: "in", Partition: 0, At: 1, LeaderEpoch: -1})
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "g", o); err != nil {
			t.Fatal(err)
		}
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: kerr.InvalidTxnState, Count: 1})
		opt := earliest
		opt.AcceptPosition = []consume.AcceptedPosition{{Topic: "in", Partition: 0, Offset: 1}}
		z := r.startFree("a", opt)
		time.Sleep(time.Minute)
		got := len(r.read("out"))
		_ = z.stop()
		if got != 1 || r.logged("changed by someone else") {
			t.Errorf("%d results; log:\n%s", got, r.logs.String())
		}
	})
}

// A stopped partition leaves its memory to the others.
func TestStoppedPartitionHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 20 {
			r.put(0, fmt.Sprintf("k%d", i), strings.Repeat("x", 40))
		}
		o := earliest
		o.MaxBytes = 1200
		e := r.start(setup{options: o, latency: func(key, _ string) time.Duration {
			if strings.HasPrefix(key, "k") {
				return 10 * time.Minute
			}
			return 0
		}})
		time.Sleep(time.Minute)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Partitions: []int32{0}, Err: kerr.OffsetOutOfRange, Count: 1})
		r.put(0, "last", "v")
		r.eventually("alert", func() bool { return r.logged("partition stopped") })
		if counted, _ := e.HeldBytes(); counted != 0 {
			t.Errorf("%d bytes are counted as held", counted)
		}
		before := len(r.read("out"))
		for i := range 30 {
			r.put(1, fmt.Sprintf("o%d", i), strings.Repeat("y", 400))
		}
		time.Sleep(30 * time.Minute) // the handlings that were started end in the meantime
		if len(r.read("out")) < before+30 {
			t.Error("the others are not read on")
		}
		_ = e.stop()
	})
}

// kgo goes on by itself after most errors.
func TestOneFetchErrorStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.start(setup{options: earliest})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.UnknownServerError, Count: 1})
		r.send(40, 40)
		time.Sleep(10 * time.Minute)
		n := len(r.read("out"))
		if n != 40 {
			t.Errorf("log:\n%s", r.logs.String())
		}
		_ = e.stop()
	})
}

// A partition without a leader cannot be asked for its bounds; the others are read on.
func TestLeaderlessPartitionHoldsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 40)
		e := r.start(setup{options: earliest})
		r.wantEachOnce(40, 40)
		_ = e.stop()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "in", Partitions: []int32{3}, Err: kerr.UnknownServerError, Count: -1})
		for p := range int32(parts) {
			r.put(p, fmt.Sprintf("p%d", p), "0")
		}
		e = r.start(setup{options: earliest})
		r.eventually("the others' results", func() bool { return r.called() >= 43 })
		_ = e.stop()
	})
}

// A partition is paused while much of it waits. A fetch for partitions that have nothing must
// not hold it up once it is resumed.
func TestIdlePartitionsHoldUpNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const records, each = 4000, time.Millisecond
		r := newRig(t)
		r.putN(0, records, "k", strings.Repeat("v", 1000))
		start := time.Now()
		e := r.start(setup{options: earliest, latency: func(string, string) time.Duration { return each }})
		r.eventually("all are handled", func() bool { return r.called() == records })
		if took := time.Since(start); took > 2*records*each {
			t.Errorf("%v for %v of handlings", took, records*each)
		}
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	})
}
