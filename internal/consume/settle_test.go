package consume_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
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

// commits lets a test decide what becomes of each transaction.
type commits struct {
	*produce.Transactor
	mu     sync.Mutex
	times  []time.Time // when they came
	commit func(ctx context.Context, n int, b produce.Batch, next func() error) error
}

func (c *commits) Commit(ctx context.Context, b produce.Batch) error {
	c.mu.Lock()
	n := len(c.times)
	c.times = append(c.times, time.Now())
	c.mu.Unlock()
	return c.commit(ctx, n, b, func() error { return c.Transactor.Commit(ctx, b) })
}

func (c *commits) wrap(tx *produce.Transactor) committer {
	c.Transactor = tx
	return c
}

func (c *commits) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.times)
}

// has reports whether a batch has a record for a topic.
func has(b produce.Batch, topic string) bool {
	return slices.ContainsFunc(b.Records, func(r *kgo.Record) bool { return r.Topic == topic })
}

// A generation that was refused is tried again after ten seconds, not with each settle: a member
// that is really fenced would trouble the coordinator ten times a second.
func TestAFencedGenerationIsTriedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(8, 4)
		c := &commits{commit: func(_ context.Context, n int, _ produce.Batch, next func() error) error {
			if n < 3 {
				return produce.ErrFenced
			}
			return next()
		}}
		e := r.start(setup{options: earliest, wrap: c.wrap})
		r.wantEachOnce(8, 4)
		_ = e.stop()
		var pauses []time.Duration
		for i := range 3 {
			pauses = append(pauses, c.times[i+1].Sub(c.times[i]))
		}
		if want := slices.Repeat([]time.Duration{10 * time.Second}, 3); !slices.Equal(pauses, want) {
			t.Errorf("tried again after %v, want %v", pauses, want)
		}
	})
}

// What was held back is tried again, and fails in another way than before, again and again. The
// rest goes on between its tries.
func TestATrialThatFailsHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := &commits{}
		refused := 0
		c.commit = func(_ context.Context, _ int, b produce.Batch, next func() error) error {
			if !has(b, "dlq") {
				return next()
			}
			if refused++; refused == 1 {
				return &produce.TopicError{Topics: []string{"dlq"}, Err: kerr.TopicAuthorizationFailed}
			}
			return errLost
		}
		e := r.start(setup{options: earliest, wrap: c.wrap, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "k1" {
				return refuse(in, "invalid", nil), nil
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.send(4, 4)
		time.Sleep(20 * time.Second) // it is tried for the second time
		for n := 3; n < 30; n += 3 {
			if got := len(r.read("out")); got != n {
				t.Fatalf("%d results of others, want %d", got, n)
			}
			r.send(4, 4)
			time.Sleep(2 * time.Second)
		}
		_ = e.stop()
		if refused < 3 || refused > 6 {
			t.Errorf("tried %d times", refused)
		}
	})
}

// A revoke waits for outcomes of its own partitions, and for no transaction longer than its bound.
func TestARevokeIsShort(t *testing.T) {
	for name, commit := range map[string]func(ctx context.Context, _ int, _ produce.Batch, next func() error) error{
		"others have outcomes all the time": func(_ context.Context, _ int, _ produce.Batch, next func() error) error {
			time.Sleep(time.Second)
			return next()
		},
		"a transaction has no end": func(ctx context.Context, n int, _ produce.Batch, next func() error) error {
			if n < 5 {
				return next()
			}
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				c := &commits{commit: commit}
				o := earliest
				o.RevokeBound = 10 * time.Second
				dropped := make(chan time.Time, 2*parts)
				o.Dropped = func(consume.TopicPartition) { dropped <- time.Now() }
				r.send(800, 16)
				e := r.start(setup{options: o, wrap: c.wrap, latency: fixed(500 * time.Millisecond)})
				r.eventually("some transactions", func() bool { return c.count() > 5 })
				begin := time.Now()
				b := r.start(setup{options: earliest, slot: "b"})
				if took := (<-dropped).Sub(begin); took > o.RevokeBound+1500*time.Millisecond || name[0] == 'o' && took > 6*time.Second {
					t.Errorf("the revoke took %v", took)
				}
				e.wire.cut()
				_ = b.stop()
			})
		})
	}
}

// A revoke waits for running handlings, for three quarters of its bound: the rest is for settling.
func TestARevokeWaitsForHandlings(t *testing.T) {
	for latency, want := range map[time.Duration][2]time.Duration{ // when the partitions are given up: a member learns of a rebalance within 3 s
		12 * time.Second: {8 * time.Second, 13 * time.Second},
		time.Hour:        {14 * time.Second, 19 * time.Second},
	} {
		t.Run(latency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				o := earliest
				o.RevokeBound = 20 * time.Second
				dropped := make(chan time.Time, 2*parts)
				o.Dropped = func(consume.TopicPartition) { dropped <- time.Now() }
				e := r.start(setup{options: o, latency: fixed(latency)})
				time.Sleep(10 * time.Second)
				r.send(200, 200)
				time.Sleep(time.Second)
				begin := time.Now()
				b := r.start(setup{options: earliest, slot: "b", latency: fixed(latency)})
				if took := (<-dropped).Sub(begin); took < want[0] || took > want[1] {
					t.Errorf("the partitions were given up after %v, want %v", took, want)
				}
				time.Sleep(time.Minute)
				if latency < time.Minute {
					r.wantEachOnce(200, 200)
					if n := r.called(); n != 200 {
						t.Errorf("%d calls, want 200", n)
					}
				}
				e.wire.cut()
				b.wire.cut()
			})
		})
	}
}

// A transaction took place, its answer is lost, and the offset of one partition cannot be read
// back. Nothing of it is published before it was: it would come twice.
func TestAHeldPartitionIsReadBackFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 8)
		var h *kfake.FaultHandle
		c := &commits{}
		c.commit = func(_ context.Context, n int, b produce.Batch, next func() error) error {
			err := next()
			if has(b, "out") && h == nil {
				h = r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "in", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1})
				return errLost
			}
			return err
		}
		e := r.start(setup{options: earliest, wrap: c.wrap})
		r.eventually("held back", func() bool { return r.logged("partition is held back") })
		time.Sleep(3 * time.Minute)
		h.Remove()
		r.send(8, 8) // one more of each key
		time.Sleep(3 * time.Minute)
		if n := len(r.read("out")); n != 48 {
			t.Errorf("%d results, want 48", n)
		}
		_ = e.stop()
	})
}

// Some outcomes were refused together, and what is tried of them next fails in another way, again
// and again. The rest goes on between its tries.
func TestSuspectsThatFailHoldUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := &commits{}
		refused := 0
		c.commit = func(_ context.Context, _ int, b produce.Batch, next func() error) error {
			var bad []*kgo.Record
			for _, rec := range b.Records {
				if string(rec.Key) == "k1" {
					bad = append(bad, rec)
				}
			}
			if len(bad) == 0 {
				return next()
			}
			if refused++; refused == 1 {
				return &produce.RecordError{Records: bad, Topic: "out", Err: kerr.InvalidRecord}
			}
			return errLost
		}
		r.send(40, 4)
		e := r.start(setup{options: earliest, wrap: c.wrap})
		time.Sleep(3 * time.Second)
		for n := 30; n < 60; n += 3 {
			if got := len(r.read("out")); got != n {
				t.Fatalf("%d results of others, want %d", got, n)
			}
			r.send(4, 4)
			time.Sleep(2 * time.Second)
		}
		_ = e.stop()
		if refused < 3 || refused > 20 {
			t.Errorf("tried %d times", refused)
		}
	})
}

// Outcomes that are refused together are looked through at once, whatever failed just before.
func TestSuspectsAreTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		n := 0
		var settled time.Duration
		c := &commits{}
		c.commit = func(_ context.Context, _ int, b produce.Batch, next func() error) error {
			if !has(b, "out") {
				return next()
			}
			switch n++; n {
			case 1:
				return errLost
			case 2:
				return &produce.RecordError{Records: b.Records, Topic: "out", Err: kerr.InvalidRecord}
			}
			settled = time.Since(c.times[0])
			return next()
		}
		r.send(4, 2)
		e := r.start(setup{options: earliest, wrap: c.wrap})
		r.wantEachOnce(4, 2)
		_ = e.stop()
		if settled > 2*time.Second {
			t.Errorf("settled after %v", settled)
		}
	})
}

// A journal record is refused once for all its skips: they are halved until it is accepted, and
// afterwards not any more.
func TestSkipsAreHalvedNoLongerThanNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 40)
		var skips []int // of the journal record of each transaction
		c := &commits{}
		c.commit = func(_ context.Context, _ int, b produce.Batch, next func() error) error {
			text := string(b.Records[0].Value)
			if !strings.Contains(text, "not_wanted") {
				return next() // where the partitions began
			}
			skips = append(skips, strings.Count(text, "not_wanted"))
			if len(skips) < 3 {
				return &produce.RecordError{Records: b.Records, Topic: "journal", Err: kerr.InvalidRecord}
			}
			return next()
		}
		e := r.start(setup{options: earliest, wrap: c.wrap, handle: func(consume.Input) (consume.Outcome, error) {
			return consume.Outcome{Skip: "not_wanted"}, nil
		}})
		time.Sleep(time.Minute)
		_ = e.stop()
		if want := []int{40, 20, 10, 30}; !slices.Equal(skips, want) {
			t.Errorf("transactions of %v skips, want %v", skips, want)
		}
	})
}

// A transaction has the offsets of its outcomes, and no others: one that is refused must not hold
// up what has nothing to do with it. Where a partition begins is committed once.
func TestATransactionHasTheOffsetsOfItsOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var offsets [][]int32
		c := &commits{}
		c.commit = func(_ context.Context, _ int, b produce.Batch, next func() error) error {
			var of []int32
			for _, o := range b.Offsets {
				of = append(of, o.Partition)
			}
			slices.Sort(of)
			offsets = append(offsets, of)
			return next()
		}
		e := r.start(setup{options: earliest, wrap: c.wrap})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		for p := range int32(2) {
			r.put(p, "k", "v")
			time.Sleep(time.Second)
		}
		_ = e.stop()
		if want := [][]int32{{0, 1, 2, 3}, {0}, {1}}; !slices.EqualFunc(offsets, want, slices.Equal) {
			t.Errorf("offsets of the partitions %v, want %v", offsets, want)
		}
		if n := len(r.read("journal")); n != 1 {
			t.Errorf("%d journal records, want one that says where the partitions began", n)
		}
	})
}

// The offset of a partition is refused, and while it waits the topic of its only outcome too. Both
// are accepted again: nothing else has to come before the outcome is published.
func TestAPartitionAndATopicAreHeldBackTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.start(setup{options: earliest, handle: func(in consume.Input) (consume.Outcome, error) { return refuse(in, "invalid", nil), nil }})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		offset := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		r.put(1, "k", "v")
		r.eventually("the partition is held back", func() bool { return r.logged("partition is held back") })
		topic := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.TopicAuthorizationFailed, Count: -1})
		r.eventually("the topic is held back", func() bool { return r.logged("outcomes are held back") })
		offset.Remove()
		topic.Remove()
		time.Sleep(10 * time.Minute)
		if n := len(r.read("dlq")); n != 1 {
			t.Errorf("%d dead letters, want 1; log:\n%s", n, r.logs.String())
		}
		_ = e.stop()
	})
}

// A topic that stays refused does not keep a partition held back that is right again: the partition is tried
// with an outcome that it alone holds back.
func TestARefusedTopicDoesNotHoldAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.start(setup{options: earliest, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "bad" {
				return refuse(in, "invalid", nil), nil
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.TopicAuthorizationFailed, Count: -1})
		offset := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		r.put(1, "bad", "v")
		for i := range 19 {
			r.put(1, fmt.Sprint("good", i), "v")
		}
		time.Sleep(time.Minute)
		offset.Remove()
		time.Sleep(20 * time.Minute)
		if n := len(r.read("out")); n != 19 {
			t.Errorf("%d of 19 results are published", n)
		}
		e.wire.cut()
	})
}
