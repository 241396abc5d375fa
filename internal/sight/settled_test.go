package sight

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
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
