package telemetry_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/telemetry"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func record(headers ...string) *kgo.Record {
	r := &kgo.Record{}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

func headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// A trace goes in by a record's headers and out by another's.
func TestTraceThroughHeaders(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tr := telemetry.TracingTo(sdktrace.NewSimpleSpanProcessor(spans), telemetry.TracingOptions{Process: telemetry.Process{Service: "bridge"}})
	ctx := telemetry.Extract(t.Context(), record("traceparent", "junk", "traceparent", parent, "tracestate", "a=1"))
	ctx, span := tr.Tracer().Start(ctx, "process")
	out := record("traceparent", "old")
	telemetry.Inject(ctx, out)
	span.End()
	if got := spans.GetSpans()[0].Parent.SpanID().String(); got != "00f067aa0ba902b7" {
		t.Errorf("parent = %s", got)
	}
	want := "00-4bf92f3577b34da6a3ce929d0e0e4736-" + span.SpanContext().SpanID().String() + "-01"
	if got := headers(out); len(out.Headers) != 2 || got["traceparent"] != want || got["tracestate"] != "a=1" {
		t.Errorf("headers = %v, want traceparent %s", got, want)
	}
	if got := telemetry.Traceparent(ctx); got != want {
		t.Errorf("traceparent = %s", got)
	}
}

// A stranger's oversized tracestate is not carried on, and baggage never.
func TestStrangersStateIsBounded(t *testing.T) {
	ctx := telemetry.Extract(t.Context(), record("traceparent", parent, "tracestate", "a="+strings.Repeat("x", 600), "baggage", "k=v"))
	out := record()
	telemetry.Inject(ctx, out)
	if len(out.Headers) != 1 || out.Headers[0].Key != "traceparent" {
		t.Errorf("headers = %s", out.Headers)
	}
}

func TestEndpointIsChecked(t *testing.T) {
	for _, s := range []string{"localhost:4317", "grpc://x", "http://"} {
		if _, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: s}); err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %v", s, err)
		}
	}
	tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{})
	if err != nil || tr.Stop(t.Context()) != nil {
		t.Error("no endpoint must mean no tracing", err)
	}
}

func TestLogLineNamesItsTrace(t *testing.T) {
	var b bytes.Buffer
	l, err := telemetry.NewLogger(&b, "json", slog.LevelInfo, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	span, _ := trace.SpanIDFromHex("00f067aa0ba902b7")
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span}))
	l.With("a", 1).InfoContext(ctx, "x")
	l.Info("y")
	lines := strings.Split(b.String(), "\n")
	if !strings.Contains(lines[0], `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`) || strings.Contains(lines[1], "trace_id") {
		t.Error(b.String())
	}
	if _, err := telemetry.NewLogger(&b, "xml", slog.LevelInfo, nil); err == nil {
		t.Error("format xml taken")
	}
}
