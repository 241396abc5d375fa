package standing

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/order"
)

// Where a topic is created again or grows, the audit begins again and keeps what it has counted.
func TestTopicsThatChange(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(3)
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied))
		r.commit(1)
		r.round()
		_, err := kadm.NewClient(r.client).CreatePartitions(t.Context(), 1, "results")
		must(t, err)
		r.round()
		value := r.resultOf(1, order.OutcomeApplied)
		value.Partition = 2
		r.client.ForceMetadataRefresh()
		time.Sleep(time.Second)
		r.produce(value)
		r.commit(2)
		if got, want := r.round(), (Totals{Results: 2}); got.Totals != want || r.sum() != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// An input that does not exist any more has no events, and does not end the audit of the others.
func TestInputThatIsDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(3)
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied))
		r.commit(2)
		_, err := kadm.NewClient(r.client).DeleteTopics(t.Context(), "in")
		must(t, err)
		r.round()
		if got := r.round(); got.Totals != (Totals{}) || got.Trouble != "" {
			t.Errorf("%+v, want no trouble", got)
		}
	})
}

// What is no result of a bridge proves nothing, and does not end the audit.
func TestForeignRecordsInTheOutputs(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(2)
		r.begin(0)
		r.produce(&kgo.Record{Topic: "results", Value: []byte("junk")}, &kgo.Record{Topic: "results"}, &kgo.Record{Topic: "journal", Value: []byte{0, 0, 0, 0, 99}},
			&kgo.Record{Topic: "dead"}, r.resultOf(0, order.OutcomeApplied))
		r.commit(1)
		if got := r.round(); got.Totals != (Totals{Results: 1}) || got.Trouble != "" {
			t.Errorf("%+v, want one result", got)
		}
		if n := strings.Count(r.logged(), "cannot be read"); n != 1 {
			t.Errorf("%d lines, want one:\n%s", n, r.logged())
		}
	})
}

// Without permission the audit says so once, and goes on when it has it.
func TestAuditWithoutPermission(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(2)
		var allowed atomic.Bool
		r.cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			if allowed.Load() {
				return nil, nil, false
			}
			resp := req.ResponseKind().(*kmsg.FetchResponse)
			for _, asked := range req.(*kmsg.FetchRequest).Topics {
				t := kmsg.NewFetchResponseTopic()
				t.Topic, t.TopicID = asked.Topic, asked.TopicID
				for _, p := range asked.Partitions {
					refused := kmsg.NewFetchResponseTopicPartition()
					refused.Partition, refused.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
					t.Partitions = append(t.Partitions, refused)
				}
				resp.Topics = append(resp.Topics, t)
			}
			return resp, nil, true
		})
		r.commit(0)
		time.Sleep(35 * time.Second)
		r.produce(r.resultOf(0, order.OutcomeApplied))
		r.commit(1)
		r.round()
		got := r.round()
		if n := strings.Count(r.logged(), "could not be completed"); n != 1 || !strings.Contains(got.Trouble, "TOPIC_AUTHORIZATION_FAILED") {
			t.Errorf("%d lines, want one; %+v", n, got)
		}
		allowed.Store(true)
		if got := r.round(); got.Totals != (Totals{Results: 1}) || got.Trouble != "" {
			t.Errorf("%+v, want one result", got)
		}
	})
}

// One instance of a group audits. What another audited is not this one's to report.
func TestOnlyOneInstanceAudits(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(3)
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied))
		r.commit(1)
		r.round()
		_, err := kadm.NewClient(r.client).CreatePartitions(t.Context(), 1, "dead")
		must(t, err)
		r.round()
		r.mine.Store(false)
		if got := r.round(); got != (Report{}) {
			t.Errorf("%+v, want nothing", got)
		}
		r.produce(r.resultOf(1, order.OutcomeApplied))
		r.commit(2)
		r.mine.Store(true)
		r.round()
		r.produce(r.resultOf(2, order.OutcomeApplied))
		r.commit(3)
		if got, want := r.round(), (Totals{Results: 1}); got.Totals != want || r.sum() != (Totals{Results: 2}) {
			t.Errorf("%+v, want %+v; counted %+v", got, want, r.sum())
		}
	})
}

// An audit of the past finds what was lost since a time, and where.
func TestOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(3)
		time.Sleep(3 * time.Hour)
		middle := time.Now()
		r.events(5)
		r.produce(r.resultOf(0, order.OutcomeApplied), r.skips(4, 5), r.resultOf(7, order.OutcomeApplied))
		r.commit(7)
		for name, tt := range map[string]struct {
			since time.Time
			want  Totals
			lost  []Lost
		}{
			"from the beginning": {middle.Add(-9 * time.Hour), Totals{Results: 1, Skips: 2, Unaccounted: 4}, []Lost{{"in", 0, 1, 3}, {"in", 0, 6, 6}}},
			"from the middle":    {middle, Totals{Skips: 2, Unaccounted: 2}, []Lost{{"in", 0, 3, 3}, {"in", 0, 6, 6}}},
			"nothing yet":        {time.Now().Add(time.Hour), Totals{}, nil},
		} {
			got, lost, err := Once(t.Context(), r.audit.o, tt.since)
			if err != nil || got.Totals != tt.want || !slices.Equal(lost, tt.lost) {
				t.Errorf("%s: %+v, %v, %v; want %+v, %v", name, got.Totals, lost, err, tt.want, tt.lost)
			}
		}
	})
}

// A group that has committed nothing proves nothing: the audit says so, and does not say that all is well.
func TestOnceOfAGroupThatHasNotBegun(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(3)
		if got, _, err := Once(t.Context(), r.audit.o, time.Time{}); !errors.Is(err, errNotBegun) || !strings.Contains(err.Error(), r.audit.o.Groups[0].Name) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// What is not there is named.
func TestAuditWithoutATopic(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		o := r.audit.o
		o.Outputs.Journal = "missing"
		if _, _, err := Once(t.Context(), o, time.Time{}); err == nil || !strings.Contains(err.Error(), "topic missing does not exist") {
			t.Errorf("error %v", err)
		}
	})
}

// What is written in a transaction that is open when the audit begins becomes visible later: the outputs are read from
// before it.
func TestBeginWhileATransactionIsOpen(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		tx, err := kgo.NewClient(append(r.opts, kgo.TransactionalID("bridge"), kgo.TransactionTimeout(5*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		must(t, err)
		defer tx.Close()
		r.events(2)
		r.commit(0)
		must(t, tx.BeginTransaction())
		must(t, tx.ProduceSync(t.Context(), r.resultOf(0, order.OutcomeApplied)).FirstErr())
		time.Sleep(35 * time.Second)
		must(t, tx.EndTransaction(t.Context(), kgo.TryCommit))
		r.commit(1)
		time.Sleep(time.Minute)
		if got := r.audit.Report(); got.Totals != (Totals{Results: 1}) || got.Trouble != "" {
			t.Errorf("%+v, want one result", got)
		}
	})
}

// A position that does not become stable is left out, and the round says so. The others are audited.
func TestPositionsThatAreNotStable(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(2)
		r.commitTo(1, 0)
		r.begin(0)
		r.cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group = "g"
			for _, asked := range req.(*kmsg.OffsetFetchRequest).Groups[0].Topics {
				topic := kmsg.NewOffsetFetchResponseGroupTopic()
				topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
				p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				p.Partition, p.Offset = asked.Partitions[0], 1
				if p.Partition == 1 {
					p.Offset, p.ErrorCode = -1, kerr.UnstableOffsetCommit.Code
				}
				topic.Partitions = append(topic.Partitions, p)
				g.Topics = append(g.Topics, topic)
			}
			resp.Groups = append(resp.Groups, g)
			return resp, nil, true
		})
		r.produce(r.resultOf(0, order.OutcomeApplied))
		time.Sleep(2 * time.Minute)
		if got := r.audit.Report(); got.Totals != (Totals{Results: 1}) || !strings.Contains(got.Trouble, "of 1 partitions did not become stable") {
			t.Errorf("%+v, want one result, and trouble", got)
		}
	})
}

// Outputs that are deleted before the audit has read them end its books. What was passed meanwhile is counted as left out.
func TestOutputsThatAreDeleted(t *testing.T) {
	for name, gone := range map[string]func(*testing.T, *rig){
		"records": func(t *testing.T, r *rig) {
			var cut kadm.Offsets
			cut.Add(kadm.Offset{Topic: "results", At: 1})
			cut.Add(kadm.Offset{Topic: "results", Partition: 1, At: 1})
			_, err := kadm.NewClient(r.client).DeleteRecords(t.Context(), cut)
			must(t, err)
		},
		"topic": func(t *testing.T, r *rig) {
			adm := kadm.NewClient(r.client)
			_, err := adm.DeleteTopics(t.Context(), "results")
			must(t, err)
			_, err = adm.CreateTopic(t.Context(), 2, 1, nil, "results")
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.events(4)
				r.begin(0)
				r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(1, order.OutcomeApplied))
				r.commit(2)
				gone(t, r)
				r.round()
				time.Sleep(time.Minute)
				later, err := kgo.NewClient(append(r.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...) // the first client keeps the id of the topic
				must(t, err)
				defer later.Close()
				must(t, later.ProduceSync(t.Context(), r.resultOf(2, order.OutcomeApplied)).FirstErr())
				r.commit(3)
				time.Sleep(time.Minute)
				if got := r.audit.Report(); got.Totals != (Totals{Results: 1, Unaudited: 2}) || got.Trouble != "" {
					t.Errorf("%+v, want one result and two left out", got)
				}
			})
		})
	}
}

// All gaps of a page are looked up with one fetch.
func TestManyGapsNeedFewFetches(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(200)
		r.begin(0)
		var all []*kgo.Record
		for i := int64(0); i < 200; i += 2 {
			all = append(all, r.resultOf(i, order.OutcomeApplied))
		}
		r.produce(all...)
		r.commit(200)
		fetches := atomic.Int64{}
		r.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			fetches.Add(1)
			return nil, nil, false
		})
		if got := r.round(); got.Totals != (Totals{Results: 100, Unaccounted: 100}) || fetches.Load() > 10 {
			t.Errorf("%+v with %d fetches, want at most ten", got, fetches.Load())
		}
	})
}

// The outcome of an event may have an older time than the event: clocks differ.
func TestOnceWithClocksThatDiffer(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		early := r.resultOf(0, order.OutcomeApplied)
		early.Timestamp = time.Now().Add(-10 * time.Minute)
		r.produce(early)
		since := time.Now()
		r.events(1)
		r.commit(1)
		got, _, err := Once(t.Context(), r.audit.o, since)
		if err != nil || got.Totals != (Totals{Results: 1}) {
			t.Errorf("%+v, %v; want one result", got.Totals, err)
		}
	})
}

// A transaction that ends in time is waited for, without a word.
func TestTransactionThatEndsInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(2)
		r.begin(0)
		tx, err := kgo.NewClient(append(r.opts, kgo.TransactionalID("other"), kgo.TransactionTimeout(5*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		must(t, err)
		defer tx.Close()
		must(t, tx.BeginTransaction())
		must(t, tx.ProduceSync(t.Context(), r.resultOf(0, order.OutcomeApplied)).FirstErr())
		r.commit(1)
		time.Sleep(40 * time.Second)
		must(t, tx.EndTransaction(t.Context(), kgo.TryCommit))
		time.Sleep(30 * time.Second)
		if got := r.audit.Report(); got.Totals != (Totals{Results: 1}) || r.logged() != "" {
			t.Errorf("%+v, want one result\n%s", got, r.logged())
		}
	})
}
