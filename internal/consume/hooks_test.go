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

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// A partition is not read before its state is restored; the others are. An error is logged
// once and restoring is tried again.
func TestAssignedComesBeforeTheFirstRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for p := range int32(parts) {
			r.put(p, fmt.Sprint("k", p), "0")
		}
		h := newHooked(t)
		ready := time.Now().Add(20 * time.Second)
		h.assigned = func(_ context.Context, p consume.TopicPartition) error {
			if p.Partition == 2 && time.Now().Before(ready) {
				return errors.New("high watermark not reached")
			}
			return nil
		}
		e := r.start(setup{options: h.on(earliest), handle: noted})
		r.eventually("the other partitions' results", func() bool { return len(r.read("out")) == parts-1 })
		if !time.Now().Before(ready) {
			t.Error("the other partitions waited too")
		}
		if n := h.called(input(2), "settled"); n != 0 {
			t.Errorf("in/2 was settled %d times before it was restored", n)
		}
		// Where it begins is committed all the same: a crash must not move it.
		if at, ok := r.committed()[2]; !ok || at.At != 0 {
			t.Errorf("start of in/2 is committed at %v, %v", at.At, ok)
		}
		r.wantEachOnce(parts, parts)
		if err := e.stop(); err != nil {
			t.Error(err)
		}
		wantNotesOnce(t, parts, true, h)
		h.wantAllDropped()
		if n := r.countLogged("cannot be restored"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}

// Settled is called for each outcome, with its note, once it is committed.
func TestSettledForEachOutcomeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 1000, 50
		r.send(n, keys)
		h := newHooked(t)
		o := h.on(earliest)
		o.SettleCount = 20
		e := r.start(setup{options: o, latency: spread, handle: noted})
		r.wantEachOnce(n, keys)
		if err := e.stop(); err != nil {
			t.Fatal(err)
		}
		wantNotesOnce(t, n, true, h)
		h.wantAllDropped()
		for p, at := range r.committed() {
			if got := h.next[input(p)]; got != at.At {
				t.Errorf("last settlement of in/%d at %d, committed %d", p, got, at.At)
			}
		}
	})
}

// A transaction whose answer is lost: Settled waits for the read-back, and is called once,
// whether the transaction took effect or not.
func TestSettledAfterAnUnknownTransaction(t *testing.T) {
	for name, f := range map[string]*flaky{
		"lost before": {before: 5, limit: 20},
		"lost after":  {after: 5, limit: 20},
		"both":        {before: 3, after: 3, limit: 40},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				const n, keys = 600, 60
				r.send(n, keys)
				h := newHooked(t)
				f.rnd = rand.New(rand.NewPCG(1, 2))
				e := r.start(setup{options: h.on(earliest), latency: spread, handle: noted, wrap: func(tx *produce.Transactor) committer {
					f.Transactor = tx
					return f
				}})
				r.wantEachOnce(n, keys)
				_ = e.stop()
				wantNotesOnce(t, n, true, h)
				h.wantAllDropped()
				if f.faults == 0 {
					t.Error("no fault happened")
				}
			})
		})
	}
}

// A process dies. What it was called for is visible, and its successor is not called for it
// again; what it was not called for may be visible or not.
func TestSettledBeforeACrashIsVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 1000, 100
		r.send(n, keys)
		first, second := newHooked(t), newHooked(t)
		a := r.start(setup{options: first.on(earliest), latency: spread, handle: noted})
		time.Sleep(700 * time.Millisecond)
		a.wire.cut()
		before := first.notes()
		a.cancel()
		time.Sleep(time.Minute)
		r.overlapsOver()
		visible := map[string]bool{}
		for _, rec := range r.read("out") {
			visible[note{string(rec.Key), string(rec.Value)}.String()] = true
		}
		for note := range before {
			if !visible[note] {
				t.Errorf("%s was settled and is not visible", note)
			}
		}
		if len(before) == 0 || len(before) == n {
			t.Errorf("%d of %d settled before the crash", len(before), n)
		}
		b := r.start(setup{options: second.on(earliest), latency: spread, handle: noted})
		r.wantEachOnce(n, keys)
		_ = b.stop()
		wantNotesOnce(t, n, false, first, second)
		if got := len(first.notes()) + len(second.notes()); got < n-len(visible)+len(before) {
			t.Errorf("%d events settled, want at least what was not visible at the crash", got)
		}
		first.wantAllDropped()
	})
}

// Partitions move to another process and back: Dropped ends each assignment after its last
// Settled, and the two processes together are called once for each event.
func TestDroppedOnRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const n, keys = 2000, 100
		r.send(n, keys)
		ha, hb := newHooked(t), newHooked(t)
		a := r.start(setup{options: ha.on(earliest), latency: fixed(50 * time.Millisecond), handle: noted})
		time.Sleep(500 * time.Millisecond)
		b := r.start(setup{options: hb.on(earliest), latency: fixed(50 * time.Millisecond), slot: "b", handle: noted})
		r.eventually("b has partitions", func() bool { return b.Stats().Partitions > 0 })
		moved := 0
		for p := range int32(parts) {
			if ha.called(input(p), "dropped") == 1 {
				moved++
			}
		}
		if moved != 2 {
			t.Errorf("a dropped %d partitions, want 2", moved)
		}
		time.Sleep(300 * time.Millisecond)
		_ = b.stop()
		hb.wantAllDropped()
		r.wantEachOnce(n, keys)
		_ = a.stop()
		ha.wantAllDropped()
		wantNotesOnce(t, n, true, ha, hb)
	})
}

// Partitions are lost without a callback, or with one: what was finished and not settled is
// dropped, and Settled is never called for it.
func TestDroppedOnLoss(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"member forgotten": {Keys: []kmsg.Key{kmsg.Heartbeat}, Group: "g", TopLevel: true, Err: kerr.UnknownMemberID, Count: 2},
		"silent rejoin": {Keys: []kmsg.Key{kmsg.JoinGroup}, Group: "g", TopLevel: true, Err: kerr.UnknownMemberID, When: func(req kmsg.Request) bool {
			return req.(*kmsg.JoinGroupRequest).MemberID != "" && owns(req.(*kmsg.JoinGroupRequest))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				const n, keys = 1000, 50
				r.send(n, keys)
				ha, hb := newHooked(t), newHooked(t)
				a := r.start(setup{options: ha.on(earliest), latency: fixed(100 * time.Millisecond), handle: noted})
				r.eventually("a works", func() bool { return r.called() > 50 })
				fh := r.cluster.Fault(fault)
				b := r.start(setup{options: hb.on(earliest), latency: fixed(100 * time.Millisecond), slot: "b", handle: noted})
				r.wantEachOnce(n, keys)
				_ = a.stop()
				_ = b.stop()
				ha.wantAllDropped()
				hb.wantAllDropped()
				wantNotesOnce(t, n, true, ha, hb)
				if fh.Hits() == 0 {
					t.Error("no fault happened")
				}
			})
		})
	}
}

// A partition that stops for an operator is dropped at once, not at the end of the process.
func TestDroppedOnStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.put(0, "good", "0")
		r.put(1, "other", "0")
		h := newHooked(t)
		e := r.start(setup{options: h.on(earliest), handle: noted, latency: func(key, _ string) time.Duration {
			if key == "bad" {
				return time.Minute
			}
			return 0
		}})
		r.eventually("the good one", func() bool { return h.called(input(0), "settled") == 1 })
		r.put(0, "bad", "0")
		time.Sleep(time.Second)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Partitions: []int32{0}, Err: kerr.OffsetOutOfRange, Count: 1})
		r.put(0, "more", "0")
		r.eventually("in/0 is dropped", func() bool { return h.called(input(0), "dropped") == 1 })
		r.put(1, "other", "1")
		r.eventually("the others go on", func() bool { return h.called(input(1), "settled") == 2 })
		if err := e.stop(); err != nil {
			t.Error(err)
		}
		h.wantAllDropped()
		if n := h.called(input(0), "dropped"); n != 1 {
			t.Errorf("in/0 dropped %d times", n)
		}
		if h.notes()["bad:0"] != 0 {
			t.Error("Settled was called for the dropped outcome")
		}
	})
}

// A partition that is stopped while its outcome is in a transaction: the transaction is known to
// be committed, so Settled comes, and Dropped after it.
func TestStopDuringATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.put(0, "k", "0")
		h := newHooked(t)
		slow := &slowCommit{}
		e := r.start(setup{options: h.on(earliest), handle: noted, wrap: func(tx *produce.Transactor) committer {
			slow.Transactor = tx
			return slow
		}})
		r.eventually("the first transaction", func() bool { return len(r.committed()) == parts })
		slow.on(3 * time.Second)
		r.put(0, "k", "1")
		r.eventually("in a transaction", slow.busy)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Partitions: []int32{0}, Err: kerr.OffsetOutOfRange, Count: 1})
		r.put(0, "k", "2")
		r.eventually("stopped", func() bool { return r.logged("partition stopped") })
		if !slow.busy() {
			t.Error("the transaction ended before the partition stopped")
		}
		r.eventually("dropped", func() bool { return h.called(input(0), "dropped") == 1 })
		if h.notes()["k:1"] != 1 {
			t.Error("the committed outcome was not settled")
		}
		_ = e.stop()
		wantNotesOnce(t, 2, false, h)
		h.wantAllDropped()
	})
}

// slowCommit delays commits after on.
type slowCommit struct {
	*produce.Transactor
	mu    sync.Mutex
	delay time.Duration
	at    int
}

func (s *slowCommit) on(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

func (s *slowCommit) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at > 0
}

func (s *slowCommit) Commit(ctx context.Context, b produce.Batch) error {
	s.mu.Lock()
	d := s.delay
	if d > 0 {
		s.at++
	}
	s.mu.Unlock()
	time.Sleep(d)
	err := s.Transactor.Commit(ctx, b)
	if d > 0 {
		s.mu.Lock()
		s.at--
		s.mu.Unlock()
	}
	return err
}

// Assigned does not return when its assignment ends: the revoke does not wait for ever, Dropped
// comes when it has returned, and Assigned of the next assignment waits for both.
func TestAssignedThatOutlivesItsAssignment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for p := range int32(parts) {
			r.put(p, fmt.Sprint("k", p), "0")
		}
		ha, hb := newHooked(t), newHooked(t)
		first := true
		ha.assigned = func(ctx context.Context, _ consume.TopicPartition) error {
			ha.mu.Lock()
			slow := first
			ha.mu.Unlock()
			if slow {
				time.Sleep(60 * time.Second) // does not look at ctx
			}
			return ctx.Err()
		}
		o := ha.on(earliest)
		o.RevokeBound = 4 * time.Second
		a := r.start(setup{options: o, handle: noted})
		time.Sleep(5 * time.Second)
		b := r.start(setup{options: hb.on(earliest), handle: noted, slot: "b"})
		r.eventually("b has partitions", func() bool { return b.Stats().Partitions == 2 })
		ha.mu.Lock()
		first = false
		ha.mu.Unlock()
		_ = b.stop() // its partitions come back to a while Assigned of their last life still runs
		r.wantEachOnce(parts, parts)
		_ = a.stop()
		time.Sleep(2 * time.Minute)
		ha.wantAllDropped()
		wantNotesOnce(t, parts, true, ha, hb)
		twice := 0
		for p := range int32(parts) {
			if ha.called(input(p), "assigned") == 2 {
				twice++
			}
		}
		if twice == 0 {
			t.Error("no partition came back")
		}
	})
}

// A revoke waits for an Assigned that heeds its context, and Run does too.
func TestRunWaitsForAssigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		h := newHooked(t)
		h.assigned = func(ctx context.Context, _ consume.TopicPartition) error {
			<-ctx.Done()
			time.Sleep(time.Second) // closes its files
			return ctx.Err()
		}
		e := r.start(setup{options: h.on(earliest), handle: noted})
		r.eventually("assigned", func() bool { return h.called(input(0), "assigned") == 1 })
		if err := e.stop(); err != nil {
			t.Error(err)
		}
		h.wantAllDropped()
		if n := h.called(input(0), "dropped"); n != 1 {
			t.Errorf("dropped %d times before Run returned, want once", n)
		}
	})
}

// A position that cannot be trusted is not read: no hook is called for its partition.
func TestNoHookForAPartitionThatIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		cl := r.client()
		defer cl.Close()
		var moved kadm.Offsets
		moved.Add(kadm.Offset{Topic: "in", Partition: 1, At: 0, Metadata: "by hand"})
		if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "g", moved); err != nil {
			t.Fatal(err)
		}
		h := newHooked(t)
		e := r.start(setup{options: h.on(earliest), handle: noted})
		r.eventually("alert", func() bool { return r.logged("accept=in/1@0") })
		time.Sleep(time.Minute)
		_ = e.stop()
		h.wantAllDropped()
		if h.called(input(0), "dropped") != 1 || len(h.calls[input(1)]) != 0 {
			t.Errorf("calls = %v", h.calls)
		}
	})
}

// An outcome that no topic accepts is replaced: Settled gets the note of what was published.
func TestSettledGetsTheReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.put(0, "k", "0")
		h := newHooked(t)
		o := h.on(earliest)
		o.MaxRecord = 10 << 20
		o.Refuse = func(in consume.Input, reason string, err error) consume.Outcome {
			out := refuse(in, reason, err)
			out.Note = note{"replaced", "0"}
			return out
		}
		e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
			out, _ := noted(in)
			out.Records[0].Value = make([]byte, 2<<20)
			return out, nil
		}})
		r.eventually("the dead letter", func() bool { return len(r.read("dlq")) == 1 })
		_ = e.stop()
		if got := h.notes(); got["replaced:0"] != 1 || len(got) != 1 {
			t.Errorf("notes = %v", got)
		}
	})
}

// A hook that has returned holds up no stop.
func TestAStopAfterTheHooksIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		o := earliest
		o.Assigned = func(context.Context, consume.TopicPartition) error { return nil }
		r.send(40, 8)
		e := r.start(setup{options: o, latency: fixed(time.Millisecond)})
		r.wantEachOnce(40, 8)
		time.Sleep(10 * time.Second)
		began := time.Now()
		_ = e.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a stop took %v though nothing runs", took)
		}
	})
}
