package consume_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume"
)

// An input is created again while calls are under way: their results are published, and a position of the deleted topic that was
// committed by the name of both stops no partition of the new one, also after it was created again a second time.
func TestTopicCreatedAgainUnderLoad(t *testing.T) {
	for _, byID := range []bool{false, true} {
		for _, gap := range []time.Duration{0, 500 * time.Millisecond} {
			t.Run(fmt.Sprintf("by id %t, after %s", byID, gap), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.byID = byID
					e := r.start(setup{options: consume.Options{Start: consume.Start{Latest: true}}, latency: fixed(2 * time.Second)})
					r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
					for round := 1; round <= 2; round++ {
						r.send(400, 400)
						time.Sleep(time.Second)
						r.recreate(gap)
						r.send(60, 4)
						time.Sleep(3 * time.Minute)
						if n := len(r.read("out")); n != round*460 {
							t.Fatalf("%d results, want %d; log:\n%s", n, round*460, r.logs.String())
						}
					}
					if err := e.stop(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// A process gets partitions of another one just after the input was created again, with a client that has the id of the
// deleted topic and keeps it: it begins again, too.
func TestTopicCreatedAgainWhilePartitionsMove(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				s := setup{options: consume.Options{Start: consume.Start{Latest: true}}, latency: fixed(100 * time.Millisecond)}
				stays := r.start(s)
				r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
				s.slot = "b"
				leaves := r.start(s)
				time.Sleep(time.Minute)
				r.send(40, 40)
				time.Sleep(time.Minute)
				r.slow.Store(true)
				r.recreate(0)
				time.Sleep(after)
				_ = leaves.stop()
				r.send(60, 60)
				time.Sleep(3 * time.Minute)
				if n := len(r.read("out")); n != 100 {
					t.Errorf("%d results, want 100; log:\n%s", n, r.logs.String())
				}
				if err := stays.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Brokers do not know the id by which a client fetches, although the topic is the one that was read: the client has the id
// of another one, and never asks for a new one. Another client begins.
func TestAClientWithTheWrongIDIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.slow.Store(true)
		e := r.start(setup{options: earliest})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		refused := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.UnknownTopicID, Count: -1, When: func(kmsg.Request) bool { return !r.logged("reading begins again") }})
		defer refused.Remove()
		r.send(40, 40)
		time.Sleep(2 * time.Minute)
		if n := len(r.read("out")); n != 40 {
			t.Errorf("%d results, want 40; log:\n%s", n, r.logs.String())
		}
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The start of a partition of the new topic cannot be asked for at first: it is not begun at another place meanwhile.
func TestTopicCreatedAgainWithoutALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.start(setup{options: consume.Options{Start: consume.Start{Latest: true}}, latency: fixed(2 * time.Second)})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		r.send(400, 400)
		time.Sleep(time.Second)
		r.recreate(0)
		r.send(60, 60)
		refused := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "in", Partitions: []int32{1}, Err: kerr.KafkaStorageError, Count: -1})
		time.Sleep(30 * time.Second)
		refused.Remove()
		time.Sleep(3 * time.Minute)
		if n := len(r.read("out")); n != 460 {
			t.Errorf("%d results, want 460; log:\n%s", n, r.logs.String())
		}
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Two of three answers about the topic are those of brokers that lag: they have the topic that was deleted. Nothing is
// handled twice, and all of it is handled once they do not lag any more, also by a process that began after the topic was
// created again. One that begins meanwhile cannot know better: its partitions may stop for an operator.
func TestBrokersThatLag(t *testing.T) {
	for name, tt := range map[string]struct{ after, joins, leaves bool }{
		"nothing else happens":                 {},
		"the process began after the creation": {after: true},
		"another process joins":                {joins: true},
		"another process has left":             {leaves: true},
		"began after, another joins":           {after: true, joins: true},
		"began after, another has left":        {after: true, leaves: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094))
				s := setup{options: consume.Options{Start: consume.Start{Latest: true}}, latency: fixed(5 * time.Second)}
				old := r.metadata()
				var e, second *engine
				if tt.after {
					r.recreate(0)
					time.Sleep(time.Minute)
				}
				e = r.start(s)
				r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
				r.send(40, 40)
				time.Sleep(time.Minute)
				if !tt.after {
					r.recreate(0)
				}
				r.send(60, 60)
				time.Sleep(2 * time.Minute)
				s.slot = "b"
				if tt.leaves {
					second = r.start(s)
					time.Sleep(time.Minute)
				}
				r.send(20, 20)
				time.Sleep(time.Second)
				r.lag(old, 25*time.Second)
				if tt.joins {
					second = r.start(s)
				}
				if tt.leaves {
					_ = second.stop()
				}
				time.Sleep(4 * time.Minute)
				r.send(20, 20)
				time.Sleep(time.Minute)
				if n := len(r.read("out")); n != r.called() || n > 140 || n < 140 && !tt.joins {
					t.Errorf("%d results of %d calls, want 140; log:\n%s", n, r.called(), r.logs.String())
				}
				if tt.joins {
					_ = second.stop()
				}
				if err := e.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// lag lets two of three answers about the input be old for a while.
func (r *rig) lag(old *kmsg.MetadataResponse, d time.Duration) {
	r.slow.Store(true)
	from, n := time.Now(), 0
	r.cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		asked := req.(*kmsg.MetadataRequest).Topics
		if time.Since(from) > d || len(asked) != 1 || asked[0].Topic == nil || *asked[0].Topic != "in" {
			return nil, nil, false
		}
		if n++; n%3 == 0 {
			return nil, nil, false
		}
		lagging := *old
		lagging.SetVersion(req.GetVersion())
		return &lagging, nil, true
	})
}

func (r *rig) metadata() *kmsg.MetadataResponse {
	r.t.Helper()
	cl := r.client()
	defer cl.Close()
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("in")
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(r.t.Context(), cl)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// A topic that was created again is like any other once it is read: where its offsets are lost later, it begins where the
// settings say.
func TestOffsetsAreLostLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.start(setup{options: consume.Options{Start: consume.Start{Latest: true}}, latency: fixed(50 * time.Millisecond)})
		r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
		r.send(40, 4)
		time.Sleep(time.Minute)
		r.recreate(0)
		r.send(60, 60)
		time.Sleep(2 * time.Minute)
		r.cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			return withoutOffsets(req.(*kmsg.OffsetFetchRequest)), nil, true
		})
		second := r.start(setup{slot: "b", options: consume.Options{Start: consume.Start{Latest: true}}})
		time.Sleep(2 * time.Minute)
		if n := len(r.read("out")); n != 100 || r.called() != 100 {
			t.Errorf("%d results of %d calls, want 100; log:\n%s", n, r.called(), r.logs.String())
		}
		_, _ = second.stop(), e.stop()
	})
}

func withoutOffsets(req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	for _, g := range req.Groups {
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group = g.Group
		for _, asked := range g.Topics {
			topic := kmsg.NewOffsetFetchResponseGroupTopic()
			topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
			for _, n := range asked.Partitions {
				p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				p.Partition, p.Offset = n, -1
				topic.Partitions = append(topic.Partitions, p)
			}
			group.Topics = append(group.Topics, topic)
		}
		resp.Groups = append(resp.Groups, group)
	}
	return resp
}
