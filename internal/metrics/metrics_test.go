package metrics_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/metrics"
)

// values are the sets of a process with two apps.
func values() map[string][]string {
	return map[string][]string{
		"app": {"main", "hk"}, "account": {"shop", "other"}, "topic": {"order-events"}, "bridge.dead.letters/topic": {"order-events.dlq"}, "bridge.dead.letters.refused/topic": {"order-events.dlq"},
		"server.address": {"openapi.alipay.com"}, "server.port": {"443"}, "messaging.consumer.group.name": {"g"}, "messaging.destination.name": {"order-events"},
		"messaging.client.sent.messages/messaging.destination.name": {"results", "snapshots"},
	}
}

func newSet(t testing.TB) *metrics.Set {
	t.Helper()
	s, err := metrics.New(metrics.Options{Values: values()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gather is what a scrape has, by name.
func gather(t testing.TB, s *metrics.Set) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := s.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range all {
		out[f.GetName()] = f
	}
	return out
}

// fill gives every metric of the table one value.
func fill(s *metrics.Set) {
	for _, m := range metrics.All() {
		labels := slices.Repeat([]string{"not in the set"}, len(m.Labels))
		switch m.Kind {
		case metrics.Counter:
			s.Add(context.Background(), m, 1, labels...)
		case metrics.Histogram:
			s.Record(context.Background(), m, 1, labels...)
		case metrics.Gauge:
			s.Observe(func(o *metrics.Observer) { o.Gauge(m, 1, labels...) })
		}
	}
}

// TestTheTableIsAScrape: each metric of the table is in a scrape under the name, with the kind and the
// labels that the table says.
func TestTheTableIsAScrape(t *testing.T) {
	s := newSet(t)
	fill(s)
	found := gather(t, s)
	for _, m := range metrics.All() {
		f := found[m.Prometheus()]
		if f == nil {
			t.Errorf("%s is not in the scrape as %s", m.Name, m.Prometheus())
			continue
		}
		if kind := strings.ToLower(f.GetType().String()); kind != m.Kind.String() {
			t.Errorf("%s is a %s, the table says %s", m.Prometheus(), kind, m.Kind)
		}
		found := map[string]bool{}
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				found[l.GetName()] = true
			}
		}
		names := slices.Sorted(maps.Keys(found))
		want := slices.Sorted(slices.Values(m.LabelNames()))
		if !slices.Equal(names, want) {
			t.Errorf("%s has labels %v, the table says %v", m.Prometheus(), names, want)
		}
		if f.GetHelp() != m.Help {
			t.Errorf("%s: help is %q", m.Prometheus(), f.GetHelp())
		}
	}
}

// TestZero: counters that alerts read are there before the first event, with every set of their labels;
// increase() of a series that is born at 1 is 0.
func TestZero(t *testing.T) {
	found := gather(t, newSet(t))
	for name, want := range map[string]int{
		"bridge_events_total":               6,
		"bridge_results_total":              2 * len(metrics.Outcomes()),
		"bridge_dead_letters_total":         len(metrics.DeadReasons()),
		"bridge_dead_letters_refused_total": 1,
		"bridge_attempts_total":             2 * 2 * len(metrics.Methods()) * len(metrics.Classes()),
		"bridge_fenced_total":               4 * 3,
		"bridge_spans_lost_total":           1,

		"messaging_client_consumed_messages_total": 1,
		"messaging_client_sent_messages_total":     2 * (1 + 3), // without and with error_type
		"bridge_rebalances_total":                  4 * 2,

		"bridge_notifications_total":              2 * len(metrics.Verdicts()),
		"bridge_notify_connections_refused_total": 2,
		"bridge_status_changes_total":             2 * len(metrics.States()),
		"bridge_status_new_orders_total":          2,
		"bridge_status_anomalies_total":           (2 + 1) * len(metrics.Anomalies()), // with _other: orders outlive their account in the settings
		"bridge_payments_learned_total":           2 * 3,
		"bridge_observations_refused_total":       len(metrics.ObservationReasons()),
	} {
		if got := len(found[name].GetMetric()); got != want {
			t.Errorf("%s has %d series, want %d", name, got, want)
		}
	}
	for _, m := range metrics.All() {
		if m.Kind == metrics.Counter && !m.Zero {
			t.Errorf("%s is not there before its first event", m.Name)
		}
	}
}

// TestO5_LabelsAreBounded: what is not in the set of a label is _other.
func TestO5_LabelsAreBounded(t *testing.T) {
	s := newSet(t)
	before := len(gather(t, s)["bridge_results_total"].GetMetric())
	for _, bad := range []string{"shop2", "", "a\x00b", strings.Repeat("x", 1000), "SHOP"} {
		s.Add(t.Context(), &metrics.Results, 1, bad, bad)
	}
	s.Observe(func(o *metrics.Observer) {
		o.Gauge(&metrics.AccountStopped, 1, "nope", "nope", "nope")
	})
	found := gather(t, s)
	if got := len(found["bridge_results_total"].GetMetric()); got != before+1 {
		t.Errorf("%d series more, want one", got-before)
	}
	for _, l := range found["bridge_account_stopped"].GetMetric()[0].GetLabel() {
		if l.GetValue() != metrics.Other {
			t.Errorf("label %s is %q", l.GetName(), l.GetValue())
		}
	}
}

// TestExemplars: a measurement inside a sampled span links to its trace.
func TestExemplars(t *testing.T) {
	s := newSet(t)
	id := trace.TraceID{1, 2, 3}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID{4}, TraceFlags: trace.FlagsSampled}))
	s.Record(ctx, &metrics.AttemptDuration, 0.3, "main", metrics.Methods()[0], "done")
	s.Record(t.Context(), &metrics.AttemptDuration, 20, "main", metrics.Methods()[0], "done")
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Body)
	if n := strings.Count(string(text), `trace_id="`+id.String()+`"`); n != 1 {
		t.Errorf("%d exemplars, want 1, in\n%s", n, text)
	}
}

// TestNil: without a set, nothing is measured and nothing fails.
func TestNil(t *testing.T) {
	var s *metrics.Set
	s.Add(t.Context(), &metrics.Results, 1, "a", "b")
	s.Record(t.Context(), &metrics.EventAge, 1, "a")
	s.Observe(func(*metrics.Observer) { t.Error("observed") })
}

// TestAllIsAll: no variable of the table is missing in All.
func TestAllIsAll(t *testing.T) {
	declared := 0
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.CompositeLit); ok {
				if name, ok := l.Type.(*ast.Ident); ok && name.Name == "Metric" {
					declared++
				}
			}
			return true
		})
	}
	if n := len(metrics.All()); n != declared {
		t.Errorf("All has %d metrics, the package declares %d", n, declared)
	}
	seen := map[string]bool{}
	for _, m := range metrics.All() {
		if seen[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		seen[m.Name] = true
		most, ours := 5, strings.HasPrefix(m.Name, "bridge.")
		if ours {
			most = 4
		}
		if len(m.Labels) > most || !ours && !conventions[m.Name] || !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s: wrong form", m.Name)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	s := newSet(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Add(b.Context(), &metrics.Attempts, 1, "main", "shop", "alipay.trade.create", "done")
	}
}

func BenchmarkRecord(b *testing.B) {
	s := newSet(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Record(b.Context(), &metrics.AttemptDuration, 0.1, "main", "alipay.trade.create", "done")
	}
}
