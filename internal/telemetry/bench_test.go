//go:build unix

package telemetry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/telemetry"
)

// attributes are as many as a span of that kind has, of the same kinds.
func attributes(texts, numbers int) []attribute.KeyValue {
	var as []attribute.KeyValue
	for range texts {
		as = append(as, attribute.String("messaging.operation.name", "alipay.trade.create"))
	}
	for range numbers {
		as = append(as, attribute.Int("bridge.waited_in_lane_ms", 1234))
	}
	for i := range as {
		as[i].Key = attribute.Key(string(as[i].Key) + string(rune('a'+i)))
	}
	return as
}

// BenchmarkEvent is what tracing costs for an ordinary event: the span of its handling, of one attempt and of two
// records, with their headers. cpu-ns/op is the time of all processors, with encoding, sending, and the other end.
func BenchmarkEvent(b *testing.B) {
	ofProcess, ofAttempt, ofLater := attributes(12, 6), attributes(8, 3), attributes(3, 1)
	event := func(b *testing.B, tracer trace.Tracer, in *kgo.Record) {
		out := []*kgo.Record{{Topic: "results", Value: make([]byte, 700)}, {Topic: "observations", Value: make([]byte, 300)}}
		ctx, process := tracer.Start(telemetry.Extract(b.Context(), in), "process in", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(ofProcess[0]))
		_, attempt := tracer.Start(ctx, "alipay.trade.create", trace.WithSpanKind(trace.SpanKindClient))
		if process.IsRecording() {
			process.SetAttributes(ofProcess[1:]...)
			attempt.SetAttributes(ofAttempt...)
			attempt.SetAttributes(ofLater...)
			process.SetAttributes(ofLater...)
		}
		telemetry.Waited(ctx, "wait slot", time.Millisecond)
		attempt.End()
		for _, r := range out {
			telemetry.Inject(ctx, r)
		}
		process.End()
		telemetry.Sent(tracer, out, time.Now(), "")
	}
	measure := func(b *testing.B, tracer trace.Tracer, stop func(), in *kgo.Record) {
		b.ReportAllocs()
		before := processorTime(b)
		for b.Loop() {
			event(b, tracer, in)
		}
		stop()
		b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	exporter, err := otlptracehttp.New(b.Context(), otlptracehttp.WithEndpointURL(collector.URL+"/v1/traces"))
	if err != nil {
		b.Fatal(err)
	}
	traced := func(b *testing.B, in *kgo.Record, exporter sdktrace.SpanExporter) {
		// Blocking, so that no span is left out when the benchmark is faster than any Alipay.
		tr := telemetry.TracingTo(sdktrace.NewBatchSpanProcessor(exporter, sdktrace.WithBlocking()), telemetry.TracingOptions{Process: telemetry.Process{Service: "bridge"}})
		measure(b, tr.Tracer(), func() { _ = tr.Stop(b.Context()) }, in)
	}
	b.Run("off", func(b *testing.B) { measure(b, noop.Tracer{}, func() {}, record("traceparent", parent)) })
	b.Run("not-kept", func(b *testing.B) { traced(b, record("traceparent", unsampled), tracetest.NewNoopExporter()) })
	b.Run("kept-not-sent", func(b *testing.B) { traced(b, record("traceparent", parent), tracetest.NewNoopExporter()) })
	b.Run("kept", func(b *testing.B) { traced(b, record("traceparent", parent), exporter) })
}

// processorTime is the time of all processors that this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
