package offsets_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
)

type rig struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
	facts   offsets.Facts
	half    time.Time // between record 9 and record 10
}

// newRig has a topic of three partitions; each has records 0 to 19, of which 0 to 3 are deleted.
func newRig(t *testing.T) *rig {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(network.Listen), kfake.SeedTopics(3, "in"))
	must(t, err)
	t.Cleanup(c.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(network.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	t.Cleanup(cl.Close)
	r := &rig{t: t, cluster: c, client: cl}
	var cut kadm.Offsets
	for p := range int32(3) {
		for i := range 20 {
			must(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Partition: p, Value: fmt.Append(nil, i), Timestamp: time.Now().Add(time.Duration(i) * time.Minute)}).FirstErr())
		}
		cut.Add(kadm.Offset{Topic: "in", Partition: p, At: 4})
	}
	r.half = time.Now().Add(9*time.Minute + 30*time.Second)
	_, err = kadm.NewClient(cl).DeleteRecords(t.Context(), cut)
	must(t, err)
	r.facts, err = offsets.AskFacts(t.Context(), cl, []string{"in", "missing"})
	must(t, err)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// commit commits an offset with the text of a bridge that knew so many partitions.
func (r *rig) commit(partition int32, offset int64, count int32) {
	r.t.Helper()
	at := r.facts.Place("g", in(partition))
	at.Count = count
	text, err := at.Text(window.Position{Next: offset}, 0)
	must(r.t, err)
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: "in", Partition: partition, At: offset, LeaderEpoch: -1, Metadata: text})
	must(r.t, kadm.NewClient(r.client).CommitAllOffsets(r.t.Context(), "g", o))
}

func in(partition int32) offsets.TopicPartition {
	return offsets.TopicPartition{Topic: "in", Partition: partition}
}

// fetch returns what the group has committed; a group that does not exist has nothing.
func (r *rig) fetch() map[offsets.TopicPartition]offsets.Committed {
	r.t.Helper()
	found, refused, busy, err := offsets.Fetch(r.t.Context(), r.client, "g", r.facts, []offsets.TopicPartition{in(0), in(1), in(2)})
	if errors.Is(err, kerr.GroupIDNotFound) {
		none := offsets.Committed{Offset: -1}
		return map[offsets.TopicPartition]offsets.Committed{in(0): none, in(1): none, in(2): none}
	}
	if err != nil || busy || len(refused) > 0 {
		r.t.Fatalf("busy %t, refused %v, %v", busy, refused, err)
	}
	return found
}

func (r *rig) bounds(start offsets.Start, again bool) (map[offsets.TopicPartition]offsets.Bounds, error) {
	q := offsets.Question{Group: "g", Start: start, CreatedAgain: func(string) bool { return again }}
	return q.Bounds(r.t.Context(), r.client, r.facts, r.fetch())
}

// A group begins where it is told to. A topic that was created again begins at its log start.
func TestWhereAGroupBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for name, tt := range map[string]struct {
			start offsets.Start
			again bool
			begin int64
		}{
			"nowhere":           {offsets.Start{}, false, -1},
			"at the log start":  {offsets.Start{Earliest: true}, false, 4},
			"at the log end":    {offsets.Start{Latest: true}, false, 20},
			"at a time":         {offsets.Start{At: r.half}, false, 10},
			"at a later time":   {offsets.Start{At: r.half.Add(time.Hour)}, false, 20},
			"topic of new kind": {offsets.Start{Latest: true}, true, 4},
		} {
			got, err := r.bounds(tt.start, tt.again)
			must(t, err)
			for p := range int32(3) {
				if want := (offsets.Bounds{Low: 4, High: 20, Begin: tt.begin, Known: 3}); got[in(p)] != want {
					t.Errorf("%s: partition %d: %+v, want %+v", name, p, got[in(p)], want)
				}
			}
		}
		if len(r.facts.TopicIDs) != 1 || r.facts.Partitions["in"] != 3 || len(r.facts.Partitions) != 1 {
			t.Errorf("facts %+v, want those of one topic", r.facts)
		}
	})
}

// A partition beyond those that the group knew was added later: nothing of it may be lost. The
// number grows only when each partition has a committed position.
func TestPartitionsThatWereAddedLater(t *testing.T) {
	for name, tt := range map[string]struct {
		known []int32 // by partition, of its committed text; 0: not committed
		begin [3]int64
		knows int32
	}{
		"never committed":               {nil, [3]int64{20, 20, 20}, 3},
		"one was added":                 {[]int32{2, 2}, [3]int64{20, 20, 4}, 2},
		"two were added":                {[]int32{1}, [3]int64{20, 4, 4}, 1},
		"none was added":                {[]int32{3}, [3]int64{20, 20, 20}, 3},
		"the largest number counts":     {[]int32{1, 2}, [3]int64{20, 20, 4}, 2},
		"in any order":                  {[]int32{2, 1}, [3]int64{20, 20, 4}, 2},
		"all of them have a position":   {[]int32{2, 2, 2}, [3]int64{20, 20, 4}, 3},
		"more were known than there is": {[]int32{4}, [3]int64{20, 20, 20}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				for p, n := range tt.known {
					if n > 0 {
						r.commit(int32(p), 6, n)
					}
				}
				got, err := r.bounds(offsets.Start{Latest: true}, false)
				must(t, err)
				for p := range int32(3) {
					if b := got[in(p)]; b.Begin != tt.begin[p] || b.Known != tt.knows {
						t.Errorf("partition %d begins at %d, %d known; want %d, %d", p, b.Begin, b.Known, tt.begin[p], tt.knows)
					}
				}
			})
		})
	}
}

// Offset 0 is a position like any other: a partition that has it counts as known.
func TestACommittedZeroIsAPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for p := range int32(3) {
			r.commit(p, 0, 2)
		}
		got, err := r.bounds(offsets.Start{Latest: true}, false)
		must(t, err)
		if got[in(0)].Known != 3 {
			t.Errorf("%d partitions are known, want 3", got[in(0)].Known)
		}
	})
}

// A text that is not ours says nothing about partitions.
func TestForeignTextsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var o kadm.Offsets
		o.Add(kadm.Offset{Topic: "in", Partition: 0, At: 6, LeaderEpoch: -1, Metadata: "someone else"})
		must(t, kadm.NewClient(r.client).CommitAllOffsets(t.Context(), "g", o))
		if c := r.fetch(); c[in(0)] != (offsets.Committed{Offset: 6, Text: "someone else"}) || c[in(1)].Offset != -1 {
			t.Errorf("committed %v", c)
		}
		got, err := r.bounds(offsets.Start{Latest: true}, false)
		must(t, err)
		if b := got[in(2)]; b.Begin != 20 || b.Known != 3 {
			t.Errorf("begins at %d, %d known; want 20, 3", b.Begin, b.Known)
		}
	})
}

// A partition that cannot be asked has no bounds. That matters only where it needs a place to begin:
// with a start and without a committed offset the group is joined again.
func TestAPartitionThatCannotBeAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		start  offsets.Start
		commit bool
		fails  bool
	}{
		"needs no place":           {offsets.Start{Latest: true}, true, false},
		"has none, and none asked": {offsets.Start{}, false, false},
		"needs one":                {offsets.Start{Latest: true}, false, true},
		"needs the log start":      {offsets.Start{Earliest: true}, false, true},
		"needs one at a time":      {offsets.Start{At: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				if tt.commit {
					r.commit(1, 6, 3)
				}
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "in", Partitions: []int32{1}, Err: kerr.KafkaStorageError, Count: -1})
				got, err := r.bounds(tt.start, false)
				if (err != nil) != tt.fails {
					t.Fatalf("error %v, want one: %t", err, tt.fails)
				}
				if err != nil {
					return
				}
				if b := got[in(1)]; b.Low != -1 || b.High != -1 || b.Begin != -1 {
					t.Errorf("bounds %+v of a partition that cannot be asked", b)
				}
				if b := got[in(0)]; b.Low != 4 || b.High != 20 {
					t.Errorf("bounds %+v of another one", b)
				}
			})
		})
	}
}

// A place to begin at offset 0 is known.
func TestBeginAtZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, err := kadm.NewClient(r.client).CreateTopics(t.Context(), 1, 1, nil, "new")
		must(t, err)
		facts, err := offsets.AskFacts(t.Context(), r.client, []string{"new"})
		must(t, err)
		tp := offsets.TopicPartition{Topic: "new"}
		q := offsets.Question{Group: "g", Start: offsets.Start{Earliest: true}, CreatedAgain: func(string) bool { return false }}
		got, err := q.Bounds(t.Context(), r.client, facts, map[offsets.TopicPartition]offsets.Committed{tp: {Offset: -1}})
		if want := (offsets.Bounds{Known: 1}); err != nil || got[tp] != want {
			t.Errorf("%+v, %v; want %+v", got[tp], err, want)
		}
	})
}

// The group's offsets cannot be read: nothing is known, and nothing begins. A group that does not
// exist yet is another matter.
func TestTheGroupCannotBeAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		err   *kerr.Error
		fails bool
	}{
		"refused":        {kerr.GroupAuthorizationFailed, true},
		"does not exist": {kerr.GroupIDNotFound, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				found := r.fetch()
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: tt.err, Count: -1})
				q := offsets.Question{Group: "g", Start: offsets.Start{Latest: true}, CreatedAgain: func(string) bool { return false }}
				_, err := q.Bounds(t.Context(), r.client, r.facts, found)
				if tt.fails != errors.Is(err, tt.err) || !tt.fails && err != nil {
					t.Errorf("error %v, want one: %t", err, tt.fails)
				}
			})
		})
	}
}

// Nothing can be asked at all: each question fails.
func TestTheClusterCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		found := r.fetch()
		q := offsets.Question{Group: "g", Start: offsets.Start{At: r.half}, CreatedAgain: func(string) bool { return false }}
		for _, timestamp := range []int64{-2, -1, r.half.UnixMilli()} {
			ctx, cancel := context.WithCancelCause(t.Context())
			h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Count: -1, Observe: true, When: func(req kmsg.Request) bool {
				if req.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0].Timestamp == timestamp {
					cancel(errors.New("given up"))
				}
				return true
			}})
			if got, err := q.Bounds(ctx, r.client, r.facts, found); err == nil {
				t.Errorf("the question for offsets at %d has no answer: %v", timestamp, got)
			}
			h.Remove()
		}
		if _, err := q.Bounds(t.Context(), r.client, r.facts, found); err != nil {
			t.Error(err)
		}
		nothing, err := kgo.NewClient(kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }))
		must(t, err)
		defer nothing.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if f, err := offsets.AskFacts(ctx, nothing, []string{"in"}); err == nil {
			t.Errorf("facts without an answer: %v", f)
		}
		if found, _, _, err := offsets.Fetch(ctx, nothing, "g", r.facts, []offsets.TopicPartition{in(0)}); err == nil {
			t.Errorf("offsets without an answer: %v", found)
		}
	})
}
