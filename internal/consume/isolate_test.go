package consume_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume"
)

// A refusal concerns what it names, and nothing else: the rest is published meanwhile, and what was
// refused when it is accepted again.
func TestRefusalsConcernWhatTheyName(t *testing.T) {
	letters := func(in consume.Input) (consume.Outcome, error) {
		if string(in.Key) == "k1" {
			return refuse(in, "invalid", nil), nil
		}
		return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
	}
	skips := func(in consume.Input) (consume.Outcome, error) {
		if string(in.Key) == "k1" {
			return consume.Outcome{Skip: "not_wanted"}, nil
		}
		return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
	}
	for _, tt := range []struct {
		name   string
		fault  kfake.Fault
		handle func(consume.Input) (consume.Outcome, error)
		out    int // results while it lasts
		begin  string
		end    string
	}{
		{"topic not authorized", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.TopicAuthorizationFailed}, letters, 30, "outcomes are held back", "outcomes are published again"},
		{"topic deleted", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.UnknownTopicOrPartition}, letters, 30, "outcomes are held back", "outcomes are published again"},
		{"topic without a leader", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.NotLeaderForPartition}, letters, 30, "outcomes are held back", "outcomes are published again"},
		{"journal not authorized", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "journal", Err: kerr.TopicAuthorizationFailed}, skips, 30, "skips are held back", "skips are journalled again"},
		{"journal refuses its records", kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "journal", Err: kerr.InvalidRecord}, skips, 30, "skips are held back", "skips are journalled again"},
		{"offset not authorized", kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed}, nil, -1, "partition is held back", "partition is committed again"},
		{"offset's metadata too large", kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{1}, Err: kerr.OffsetMetadataTooLarge}, nil, -1, "partition is held back", "partition is committed again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tt.fault.Count = -1
				h := r.cluster.Fault(tt.fault)
				r.send(40, 4)
				e := r.start(setup{options: earliest, handle: tt.handle})
				time.Sleep(15 * time.Minute)
				got := map[int32]int{}
				for _, rec := range r.read("out") {
					got[rec.Partition]++
				}
				n := len(r.read("out"))
				if tt.out >= 0 && n != tt.out || n == 0 || n == 40 || h.Hits() == 0 {
					t.Errorf("%d results within a quarter of an hour, want %d; %d hits", n, tt.out, h.Hits())
				}
				if lines := r.countLogged("level=WARN") + r.countLogged("level=ERROR"); lines > 6 || !r.logged(tt.begin) {
					t.Errorf("%d lines within a quarter of an hour:\n%s", lines, r.logs.String())
				}
				r.send(40, 4) // while it is tried again and again
				time.Sleep(2 * time.Minute)
				if more := len(r.read("out")); more != 2*n {
					t.Errorf("%d results of others two minutes later, want %d", more, 2*n)
				}
				h.Remove()
				time.Sleep(10 * time.Minute)
				if n := len(r.read("out")) + len(r.read("dlq")); n != 80 && tt.handle == nil || tt.handle != nil && len(r.read("out")) != 60 || !r.logged(tt.end) {
					t.Errorf("%d records afterwards; log:\n%s", n, r.logs.String())
				}
				sum := int64(0)
				for _, c := range r.committed() {
					sum += c.At
				}
				if sum != 80 {
					t.Errorf("%d of 80 offsets committed", sum)
				}
				if err := e.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What waits for a topic keeps its place: a later outcome of its key is not published before.
func TestHeldBackOutcomesKeepTheOrderOfTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, kfake.SeedTopics(1, "out2"))
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out2", Err: kerr.TopicAuthorizationFailed, Count: -1})
		r.send(60, 3)
		e := r.start(setup{options: earliest, handle: func(in consume.Input) (consume.Outcome, error) {
			rec := result(in)
			out := consume.Outcome{Records: []*kgo.Record{rec}}
			if string(in.Key) == "k1" && string(in.Value) == "5" {
				out.Records = append(out.Records, &kgo.Record{Topic: "out2", Value: []byte("v")})
			}
			return out, nil
		}})
		time.Sleep(10 * time.Minute)
		if n := len(r.read("out")); n != 45 {
			t.Errorf("%d results while k1 waits at 5, want 45", n)
		}
		h.Remove()
		r.wantEachOnce(60, 3)
		_ = e.stop()
	})
}

// An outcome is too large: its partition goes on, with a dead letter or its shortest form.
func TestTooLargeOutcomesAreReplaced(t *testing.T) {
	big := strings.Repeat("x", 900_000)
	grow := func(r *kgo.Record) { r.Value = append(r.Value, make([]byte, 2<<20)...) }
	for _, tt := range []struct {
		name   string
		refuse func(in consume.Input, reason string, err error) consume.Outcome
		fault  *kfake.Fault
		bare   bool
	}{
		{"the dead letter is small", refuse, nil, false},
		{"the dead letter is too large as well", func(in consume.Input, reason string, err error) consume.Outcome {
			out := refuse(in, reason, err)
			grow(out.Records[0])
			return out
		}, nil, true},
		{"making the dead letter panics", func(consume.Input, string, error) consume.Outcome { panic("bug") }, nil, true},
		{"the topic refuses the dead letter", refuse, &kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.MessageTooLarge, Count: 1}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.put(1, "before", "0")
				r.put(1, "bad", big)
				r.put(1, "after", "0")
				if tt.fault != nil {
					r.cluster.Fault(*tt.fault)
				}
				o := earliest
				o.Refuse = tt.refuse
				e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
					rec := result(in)
					if string(in.Key) == "bad" {
						grow(rec)
					}
					return consume.Outcome{Records: []*kgo.Record{rec}}, nil
				}})
				r.eventually("all offsets", func() bool { return r.committed()[1].At == 3 })
				letters := r.read("dlq")
				if len(letters) != 1 || len(r.read("out")) != 2 || (len(letters[0].Value) == 0) != tt.bare {
					t.Errorf("%d dead letters, %d results", len(letters), len(r.read("out")))
				}
				_ = e.stop()
			})
		})
	}
}

// Neither a dead letter nor its shortest form can be made: the offset is journalled, with an alert.
func TestNoDeadLetterCanBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(8, 8)
		o := earliest
		o.Refuse = func(consume.Input, string, error) consume.Outcome { panic("bug") }
		o.RefuseBare = o.Refuse
		e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "k3" {
				panic("bug")
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}})
		r.eventually("the others' results", func() bool { return len(r.read("out")) == 7 })
		r.eventually("the journal", func() bool {
			for _, rec := range r.read("journal") {
				if strings.Contains(string(rec.Value), " panic") {
					return true
				}
			}
			return false
		})
		if !r.logged("dead letter of a record cannot be made") {
			t.Error("no alert")
		}
		_ = e.stop()
	})
}

// Many records are refused in one batch: each of them is found, the others are published.
func TestManyRefusedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(200, 50)
		o := earliest
		o.MaxRecord = 10 << 20
		e := r.start(setup{options: o, handle: func(in consume.Input) (consume.Outcome, error) {
			rec := result(in)
			if strings.HasSuffix(string(in.Key), "7") {
				rec.Value = make([]byte, 2<<20)
			}
			return consume.Outcome{Records: []*kgo.Record{rec}}, nil
		}})
		r.eventually("all", func() bool { return len(r.read("out")) == 180 && len(r.read("dlq")) == 20 })
		if n := r.called(); n != 200 {
			t.Errorf("%d calls, want 200", n)
		}
		_ = e.stop()
	})
}

// A broker may refuse a commit of a generation that goes on afterwards.
func TestAFenceEnds(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID} {
		t.Run(code.Message, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.send(40, 4)
				h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Group: "g", Err: code, Count: 1})
				e := r.start(setup{options: earliest})
				r.wantEachOnce(40, 4)
				if h.Hits() != 1 {
					t.Errorf("%d hits", h.Hits())
				}
				_ = e.stop()
			})
		})
	}
}

// The committed offset of one partition is refused or left out: it is read when it can be, the
// others at once.
func TestRefusedOffsetFetch(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.UnknownTopicOrPartition, kerr.UnknownServerError} {
		for _, count := range []int{1, 2, 40} {
			t.Run(fmt.Sprint(code.Message, " ", count), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					first := r.startFree("a", earliest)
					r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
					_ = first.stop()
					for p := range int32(parts) {
						r.put(p, fmt.Sprintf("k%d", p), "v")
					}
					h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Topic: "in", Partitions: []int32{2}, Err: code, Count: count})
					z := r.startFree("a", earliest)
					r.eventually("the others", func() bool { return z.handled() >= 3 })
					for range 20 {
						time.Sleep(time.Minute)
					}
					if n := z.handled(); n != 4 {
						t.Errorf("%d of 4 handled within a quarter of an hour (%d hits); log:\n%s", n, h.Hits(), r.logs.String())
					}
					_ = z.stop()
				})
			})
		}
	}
}

// Two topics are refused, and outcomes need both. One is accepted again: nothing else waits for the
// other one.
func TestTwoRefusedTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, kfake.SeedTopics(1, "out2"))
		refusal := func(topic string) *kfake.FaultHandle {
			return r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		}
		first, second := refusal("out2"), refusal("dlq")
		e := r.start(setup{options: earliest, handle: func(in consume.Input) (consume.Outcome, error) {
			out := consume.Outcome{Records: []*kgo.Record{result(in)}}
			switch string(in.Key) {
			case "k0":
				out.Records = []*kgo.Record{{Topic: "out2", Key: in.Key}, {Topic: "dlq", Key: in.Key}}
			case "k1":
				out.Records = []*kgo.Record{{Topic: "out2", Key: in.Key}}
			case "k2":
				out.Records = []*kgo.Record{{Topic: "dlq", Key: in.Key}}
			}
			return out, nil
		}})
		r.send(40, 4)
		time.Sleep(2 * time.Minute)
		first.Remove()
		time.Sleep(2 * time.Minute)
		r.send(40, 4)
		time.Sleep(2 * time.Minute)
		if others, alone := len(r.read("out")), len(r.read("out2")); others != 20 || alone != 20 {
			t.Errorf("%d results of others, want 20; %d of the topic that is accepted again, want 20", others, alone)
		}
		second.Remove()
		time.Sleep(5 * time.Minute)
		if n, m := len(r.read("out2")), len(r.read("dlq")); n != 40 || m != 40 {
			t.Errorf("%d and %d records at the end, want 40", n, m)
		}
		_ = e.stop()
	})
}

// A topic seems to be gone for a while, for instance for a broker that has just started: what was
// published meanwhile is not published again.
func TestTopicThatOnlySeemsToBeGone(t *testing.T) {
	for _, looks := range []int{1, 2, 3, 5} {
		t.Run(fmt.Sprint(looks, " looks"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				e := r.start(setup{options: earliest})
				r.eventually("positions committed", func() bool { return len(r.committed()) == parts })
				for range looks {
					e.LookAt("in", false)
				}
				r.send(40, 4)
				time.Sleep(5 * time.Second)
				if n := len(r.read("out")); n != 40 {
					t.Errorf("%d results", n)
				}
				time.Sleep(30 * time.Second) // the engine looks itself
				e.wire.cut()
				e.cancel()
				e = r.start(setup{options: earliest, slot: "b"})
				time.Sleep(2 * time.Minute)
				if n := len(r.read("out")); n != 40 {
					t.Errorf("%d results after a crash", n)
				}
				_ = e.stop()
			})
		})
	}
}
