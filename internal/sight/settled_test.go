package sight

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/records"
)

// aKind is the note of another pipeline than that of order events.
type aKind string

func (k aKind) Kind() string { return string(k) }

// TestOutcomesAreCountedByTheirKind: the note says how a record ended; where the engine itself ended it there is none.
func TestOutcomesAreCountedByTheirKind(t *testing.T) {
	s, m := watched(t, busy(1, 1), 1)
	var outcomes []consume.SettledOutcome
	for _, note := range []any{aKind("status"), aKind("status"), aKind("query"), handle.End{Outcome: order.OutcomeApplied}, handle.End{Dead: "invalid"}, handle.End{}, nil} {
		outcomes = append(outcomes, consume.SettledOutcome{Note: note})
	}
	s.pipelines[0].Settled(consume.Settlement{Outcomes: outcomes})
	for kind, want := range map[string]float64{"status": 2, "query": 1, "result": 1, "dead_letter": 1, "skip": 2, metrics.Other: 0} {
		got := 0.0
		for _, series := range family(t, m, &metrics.Events) {
			for _, l := range series.GetLabel() {
				if l.GetName() == "end" && l.GetValue() == kind {
					got += series.GetCounter().GetValue()
				}
			}
		}
		if got != want {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
}

// TestLastDeadLetters: the newest first, at most twenty, with where their events are.
func TestLastDeadLetters(t *testing.T) {
	s, _ := watched(t, busy(1, 1), 1)
	s.pipelines[0].Letters = map[string]string{"in": "in.dlq"}
	if got := s.Status(0).DeadLetters; got == nil || len(got) != 0 {
		t.Errorf("before any: %v", got)
	}
	for i := range 30 {
		s.pipelines[0].Settled(consume.Settlement{
			Input:    consume.TopicPartition{Topic: "in", Partition: 3},
			Outcomes: []consume.SettledOutcome{{Offset: int64(i), Note: handle.End{Account: "shop", Outcome: order.OutcomeInvalid, Dead: "invalid"}}, {Offset: 99, Note: handle.End{Outcome: order.OutcomeApplied}}},
		})
	}
	got := s.Status(0).DeadLetters
	if len(got) != 20 || got[0].Offset != 29 || got[19].Offset != 10 {
		t.Fatalf("%d: %+v", len(got), got)
	}
	if d := got[0]; d.At.IsZero() || d.Topic != "in.dlq" || d.Reason != "invalid" || d.Account != "shop" || d.Source != "in" || d.Partition != 3 {
		t.Errorf("%+v", d)
	}
}

// TestRefusedDeadLettersAreCounted: the topics for dead letters alone, and of records only those that nothing replaces.
func TestRefusedDeadLettersAreCounted(t *testing.T) {
	cfg := config.Default()
	cfg.Topics.Inputs = []config.Input{{Name: "orders", DeadLetters: "dead"}, {Name: "others", DeadLetters: "buried"}}
	m, err := Metrics(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(m, nil).NewPipeline("calls", "g", nil, slog.New(slog.DiscardHandler))
	p.Letters = map[string]string{"orders": "dead", "others": "buried"}
	long, short := &kgo.Record{}, &kgo.Record{Headers: []kgo.RecordHeader{{Key: records.HeaderDeadLength}}}
	refusal := errors.New("refused")
	for _, err := range []error{
		&produce.TopicError{Topics: []string{"buried", "dead", "results"}, Err: refusal},
		&produce.TopicError{Topics: []string{"results"}, Err: refusal},
		&produce.RecordError{Topic: "dead", Records: []*kgo.Record{long}, Err: refusal},         // a short one replaces it
		&produce.RecordError{Topic: "dead", Records: []*kgo.Record{short, short}, Err: refusal}, // it is not known which one
		&produce.RecordError{Topic: "dead", Records: []*kgo.Record{short}, Err: refusal},
		&produce.RecordError{Topic: "results", Records: []*kgo.Record{short}, Err: refusal},
		refusal,
	} {
		p.Tx.refused(t.Context(), fmt.Errorf("settle: %w", err))
	}
	if dead, buried := count(t, m, &metrics.DeadLettersRefused, "dead"), count(t, m, &metrics.DeadLettersRefused, "buried"); dead != 2 || buried != 1 {
		t.Errorf("%v and %v refusals, want 2 and 1", dead, buried)
	}
	if n := count(t, m, &metrics.DeadLettersRefused, metrics.Other); n != 0 {
		t.Errorf("%v refusals of other topics", n)
	}
}

// TestRefusalsOfATransactionAreCounted: Commit itself counts them.
func TestRefusalsOfATransactionAreCounted(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := r.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range r.(*kmsg.ProduceRequest).Topics {
			refused := kmsg.NewProduceResponseTopic()
			refused.Topic, refused.TopicID = topic.Topic, topic.TopicID
			part := kmsg.NewProduceResponseTopicPartition()
			part.ErrorCode = kerr.TopicAuthorizationFailed.Code
			refused.Partitions = append(refused.Partitions, part)
			resp.Topics = append(resp.Topics, refused)
		}
		return resp, nil, true
	})
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Group: "g", TransactionalID: "g-one", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Topics.Inputs = []config.Input{{Name: "orders", DeadLetters: "in"}}
	m, err := Metrics(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := New(m, nil).NewPipeline("calls", "g", tx, slog.New(slog.DiscardHandler))
	p.Letters = map[string]string{"orders": "in"}
	if err := p.Tx.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Tx.Close()
	if err := p.Tx.Commit(t.Context(), produce.Batch{Records: []*kgo.Record{{Topic: "in"}}}); err == nil {
		t.Error("committed")
	}
	if n := count(t, m, &metrics.DeadLettersRefused, "in"); n != 1 {
		t.Errorf("%v refusals, want 1", n)
	}
}

// TestPartitionsThatAreRestoredAreCounted: an alert reads it.
func TestPartitionsThatAreRestoredAreCounted(t *testing.T) {
	e := busy(3, 1)
	e.Partitions[0].State, e.Partitions[2].State = "restoring", "restoring"
	_, m := watched(t, e, 1)
	if n := count(t, m, &metrics.PartitionsRestoring, "calls"); n != 2 {
		t.Errorf("%v, want 2", n)
	}
}

// TestWordsOfTradeStatus: states and anomalies are those of the code; another would be counted as _other.
func TestWordsOfTradeStatus(t *testing.T) {
	for file, tt := range map[string]struct {
		form string
		want []string
	}{
		"status.go": {`State += "([A-Z_]+)"`, metrics.States()},
		"words.go":  {`(?m)^\t[A-Z]\w+ += "([a-z_]+)"`, metrics.Anomalies()},
	} {
		text, err := os.ReadFile("../status/state/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, m := range regexp.MustCompile(tt.form).FindAllSubmatch(text, -1) {
			found = append(found, strings.ToLower(string(m[1])))
		}
		if !slices.Equal(slices.Sorted(slices.Values(found)), slices.Sorted(slices.Values(tt.want))) {
			t.Errorf("%s has %v, the table of metrics %v", file, found, tt.want)
		}
	}
}
