package consume_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume"
)

// Partitions are added while nobody runs. Two instances start together; one of them may commit
// before the other asks: nothing in the new partitions is skipped, with any start setting.
func TestAddedPartitionsWithTwoInstances(t *testing.T) {
	for name, second := range map[string]consume.Options{"latest": {Start: consume.Start{Latest: true}}, "no start": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				e := r.startFree("a", consume.Options{Start: consume.Start{Latest: true}})
				r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
				_ = e.stop()
				r.addPartitions(4)
				first := true // one of the two is slow to ask for the bounds
				r.cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
					r.cluster.KeepControl()
					if first {
						first = false
						r.cluster.SleepControl(func() { time.Sleep(400 * time.Millisecond) })
					}
					return nil, nil, false
				})
				a, b := r.startFree("a", second), r.startFree("b", second)
				time.Sleep(2 * time.Minute)
				n := a.handled() + b.handled()
				errA, errB := a.stop(), b.stop()
				if n != 4 || errA != nil || errB != nil {
					t.Errorf("%d of 4 events in added partitions handled; %v, %v", n, errA, errB)
				}
			})
		})
	}
}

// addPartitions adds partitions to "in" and puts one event into each.
func (r *rig) addPartitions(n int) {
	r.t.Helper()
	cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreatePartitions(r.t.Context(), n, "in"); err != nil {
		r.t.Fatal(err)
	}
	for p := int32(parts); p < int32(parts+n); p++ {
		rec := &kgo.Record{Topic: "in", Partition: p, Key: fmt.Appendf(nil, "n%d", p), Value: []byte("0")}
		r.eventually("produced to the new partition", func() bool { return cl.ProduceSync(r.t.Context(), rec).FirstErr() == nil })
	}
}

// Partitions that are added while the bridge runs are read within a minute, although it starts at
// the end of new ones by its settings.
func TestAddedPartitionsAreNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.start(setup{options: consume.Options{Start: consume.Start{Latest: true}}})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		r.addPartitions(4)
		start := time.Now()
		r.eventually("all", func() bool { return len(r.read("out")) == 4 })
		if took := time.Since(start); took > 40*time.Second {
			t.Errorf("noticed after %v", took)
		}
		_ = e.stop()
	})
}

// An input topic is deleted and created again while the bridge runs: the new one is read from its
// start, nothing of it twice, and the log stays short.
func TestTopicCreatedAgain(t *testing.T) {
	for _, gap := range []time.Duration{0, 2 * time.Minute} {
		t.Run(fmt.Sprint("after ", gap), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.send(40, 4)
				e := r.start(setup{options: consume.Options{Start: consume.Start{Latest: true}}, latency: fixed(50 * time.Millisecond)})
				r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
				r.send(40, 4)
				r.eventually("the first topic's results", func() bool { return len(r.read("out")) == 40 })
				r.recreate(gap)
				r.send(60, 4)
				time.Sleep(2 * time.Minute)
				if n := len(r.read("out")); n != 100 {
					t.Errorf("%d results, want 100; log:\n%s", n, r.logs.String())
				}
				time.Sleep(10 * time.Minute)
				if n := r.countLogged("\n"); n > 40 || !r.logged("input topic was created again") {
					t.Errorf("%d lines:\n%s", n, r.logs.String())
				}
				if err := e.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func (r *rig) recreate(gap time.Duration) {
	r.t.Helper()
	cl := r.client()
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.DeleteTopics(r.t.Context(), "in"); err != nil {
		r.t.Fatal(err)
	}
	time.Sleep(gap)
	if _, err := adm.CreateTopics(r.t.Context(), parts, 1, nil, "in"); err != nil {
		r.t.Fatal(err)
	}
}

// A topic is deleted while its events are handled: what is finished is published all the same.
func TestResultsOfADeletedTopicArePublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(40, 40)
		e := r.start(setup{options: earliest, latency: fixed(5 * time.Second)})
		time.Sleep(2 * time.Second)
		cl := r.client()
		defer cl.Close()
		if _, err := kadm.NewClient(cl).DeleteTopics(t.Context(), "in"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if n := r.countLogged("\n"); n > 40 {
			t.Errorf("%d lines:\n%s", n, r.logs.String())
		}
		if err := e.stop(); err != nil {
			t.Error(err)
		}
		if n := len(r.read("out")); n != 40 {
			t.Errorf("%d results", n)
		}
	})
}

// moveTo sets the group's position of a partition by hand.
func (r *rig) moveTo(p int32, offset int64) {
	r.t.Helper()
	cl := r.client()
	defer cl.Close()
	var moved kadm.Offsets
	moved.Add(kadm.Offset{Topic: "in", Partition: p, At: offset})
	if err := kadm.NewClient(cl).CommitAllOffsets(r.t.Context(), "g", moved); err != nil {
		r.t.Fatal(err)
	}
}

// An operator accepts a position; the process restarts before it has read up to the old end: what is
// repeated is marked all the same.
func TestRewoundSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.putN(1, 200, "k", "v")
		e := r.start(setup{options: earliest})
		r.eventually("all", func() bool { return len(r.read("out")) == 200 })
		_ = e.stop()
		r.moveTo(1, 2)
		accept := earliest
		accept.AcceptPosition = []consume.AcceptedPosition{{Topic: "in", Partition: 1, Offset: 2}}
		e = r.start(setup{options: accept, latency: fixed(100 * time.Millisecond)})
		r.eventually("some again", func() bool { return r.called() > 250 })
		_ = e.stop()
		e = r.start(setup{options: earliest})
		r.putN(1, 10, "k", "new")
		r.eventually("all again", func() bool { return len(r.read("out")) == 408 })
		_ = e.stop()
		for i, rec := range r.read("out") {
			if repeated := i >= 200 && string(rec.Value) != "new"; repeated != (len(rec.Headers) > 0) {
				t.Fatalf("result %d, %s: repeated %t, headers %v", i, rec.Value, repeated, rec.Headers)
			}
		}
		if journal := r.journalled(); !strings.Contains(journal, "1@2 accepted_position") {
			t.Errorf("journal: %s", journal)
		}
	})
}

func (r *rig) journalled() string {
	var all []string
	for _, rec := range r.read("journal") {
		all = append(all, string(rec.Value))
	}
	return strings.Join(all, ",")
}

// Accepting a position that is not the committed one changes nothing.
func TestAcceptedPositionThatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.putN(1, 20, "k", "v")
		e := r.start(setup{options: earliest})
		r.eventually("all", func() bool { return len(r.read("out")) == 20 })
		_ = e.stop()
		r.moveTo(1, 5)
		accept := earliest
		accept.AcceptPosition = []consume.AcceptedPosition{{Topic: "in", Partition: 1, Offset: 6}, {Topic: "in", Partition: 0, Offset: 5}}
		e = r.start(setup{options: accept})
		r.eventually("alert", func() bool { return r.logged("the accepted position is not the committed one") })
		time.Sleep(time.Minute)
		_ = e.stop()
		if n := r.called(); n != 20 {
			t.Errorf("%d calls, want 20", n)
		}
	})
}

// Records are lost below what was finished ahead: what is finished stays finished, and the loss is
// journalled.
func TestAcceptedLossKeepsWhatIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 20 {
			r.put(0, fmt.Sprintf("k%d", i), "v")
		}
		slow := func(key, _ string) time.Duration {
			if key == "k0" || key == "k15" {
				return 10 * time.Minute
			}
			return 0
		}
		e := r.start(setup{options: earliest, latency: slow})
		r.eventually("18 of 20", func() bool { return len(r.read("out")) == 18 })
		e.wire.cut()
		e.cancel()
		time.Sleep(time.Minute)
		cl := r.client()
		defer cl.Close()
		var cut kadm.Offsets
		cut.Add(kadm.Offset{Topic: "in", Partition: 0, At: 10})
		if _, err := kadm.NewClient(cl).DeleteRecords(t.Context(), cut); err != nil {
			t.Fatal(err)
		}
		o := earliest
		o.AcceptLoss = true
		r.overlapsOver()
		e = r.start(setup{options: o})
		r.eventually("the one that is left", func() bool { return len(r.read("out")) == 19 })
		time.Sleep(time.Minute)
		_ = e.stop()
		if n := len(r.read("out")); n != 19 {
			t.Errorf("%d results, want 19: finished events were repeated", n)
		}
		if journal := r.journalled(); !strings.Contains(journal, "accepted_loss") {
			t.Errorf("journal: %s", journal)
		}
	})
}

// A start that waits for the group says so, once, and only then.
func TestWaitingForTheGroupIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const line = "no partition is assigned yet"
		e := r.start(setup{options: earliest})
		time.Sleep(time.Minute)
		if r.logged(line) {
			t.Error("said with partitions")
		}
		e.wire.cut() // it does not leave
		e.cancel()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: "g", TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: 30})
		e = r.start(setup{options: earliest, slot: "b"})
		time.Sleep(5 * time.Minute)
		if n := r.countLogged(line); n != 1 {
			t.Errorf("said %d times:\n%s", n, r.logs.String())
		}
		_ = e.stop()
	})
}
