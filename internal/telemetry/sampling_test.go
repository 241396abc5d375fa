package telemetry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/telemetry"
)

const unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"

// sampled is tracing with these rules, and what it keeps.
func sampled(s *telemetry.Sampling) (trace.Tracer, *tracetest.SpanRecorder) {
	spans := tracetest.NewSpanRecorder()
	return telemetry.TracingTo(spans, telemetry.TracingOptions{Process: telemetry.Process{Service: "bridge"}, Sampling: s}).Tracer(), spans
}

// process is the span of a record of a topic, with one child.
func process(ctx context.Context, tracer trace.Tracer, topic string) {
	ctx, span := tracer.Start(ctx, "process "+topic, trace.WithAttributes(attribute.String("messaging.destination.name", topic)))
	_, child := tracer.Start(ctx, "call")
	child.End()
	span.End()
}

// TestShareOfOwnTraces: the ratio is a share of the traces beginning here; a producer's decision stands.
func TestShareOfOwnTraces(t *testing.T) {
	for _, tt := range []struct {
		ratio    float64
		from, to int
	}{{0, 0, 0}, {0.25, 150, 350}, {1, 1000, 1000}} {
		tracer, spans := sampled(&telemetry.Sampling{Ratio: tt.ratio})
		for range 1000 {
			process(t.Context(), tracer, "in")
		}
		if n := len(spans.Ended()) / 2; n < tt.from || n > tt.to {
			t.Errorf("ratio %g: %d of 1000 traces, want %d to %d", tt.ratio, n, tt.from, tt.to)
		}
		spans.Reset()
		for range 200 {
			process(telemetry.Extract(t.Context(), record("traceparent", parent)), tracer, "in")
			process(telemetry.Extract(t.Context(), record("traceparent", unsampled)), tracer, "in")
		}
		if n := len(spans.Ended()); n != 400 {
			t.Errorf("ratio %g: %d spans of 200 records that their producer sampled, want 400", tt.ratio, n)
		}
	}
}

// TestO6_CeilingOfForeignTraces: a producer that samples every record gets as many traces as the ceiling
// permits. Other topics and our own traces have theirs, and a trace that is kept is complete.
func TestO6_CeilingOfForeignTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer, spans := sampled(&telemetry.Sampling{Ratio: 1, MaxPerSecond: 10})
		foreign := telemetry.Extract(t.Context(), record("traceparent", parent))
		kept := func() map[string]int {
			n := map[string]int{}
			for _, s := range spans.Ended() {
				n[s.Name()]++
			}
			spans.Reset()
			return n
		}
		for range 1000 {
			process(foreign, tracer, "loud")
		}
		process(foreign, tracer, "quiet")
		for range 100 {
			process(t.Context(), tracer, "own")
		}
		if n := kept(); n["process loud"] != 10 || n["process quiet"] != 1 || n["process own"] != 100 || n["call"] != 111 {
			t.Errorf("at once: %v", n)
		}
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			process(foreign, tracer, "loud")
		}
		if n := kept(); n["process loud"] < 99 || n["process loud"] > 101 {
			t.Errorf("in ten seconds: %v, want about 100", n)
		}
	})
}

// TestDroppedTraceIsNotPassedOn: readers of results must not record what the ceiling dropped, but they keep its id.
func TestDroppedTraceIsNotPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // one trace a second, and no time passes
		tracer, _ := sampled(&telemetry.Sampling{Ratio: 1, MaxPerSecond: 1})
		var last string
		for range 2 {
			ctx, span := tracer.Start(telemetry.Extract(t.Context(), record("traceparent", parent, "tracestate", "a=1")), "process in")
			out := record()
			telemetry.Inject(ctx, out)
			last = headers(out)["traceparent"]
			if state := headers(out)["tracestate"]; state != "a=1" {
				t.Errorf("tracestate = %q", state)
			}
			span.End()
		}
		if last[:36] != parent[:36] || last[53:] != "00" {
			t.Errorf("traceparent = %s", last)
		}
	})
}

// TestLongTextsAreCut: an attribute holds at most 256 characters (security O5).
func TestLongTextsAreCut(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tr := telemetry.TracingTo(sdktrace.SpanProcessor(spans), telemetry.TracingOptions{})
	_, span := tr.Tracer().Start(t.Context(), "process")
	span.SetAttributes(attribute.String("long", string(make([]byte, 1000))))
	span.End()
	if n := len(spans.Ended()[0].Attributes()[0].Value.AsString()); n != 256 {
		t.Errorf("%d bytes", n)
	}
}
