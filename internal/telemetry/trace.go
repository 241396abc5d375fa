package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Scope names the bridge's own spans.
const Scope = "alipay-kafka-bridge"

// maxTraceState is the size limit of a tracestate that is passed on; it comes from outside.
const maxTraceState = 512

// queueSize is the queue of the batch processor, which exports as soon as 512 spans wait. 4,096 of about
// 4 KiB are half a second of a busy instance, and 16 MiB while a collector is away.
const queueSize = 4096

// maxText is the longest text of an attribute (security O5).
const maxText = 256

var propagator = propagation.TraceContext{} // no baggage: it would pass on data from outside

// Process is what traces and metrics say of the process that they come from.
type Process struct {
	Service  string
	Version  string
	Instance string // differs from that of every other instance; empty: it is left out
}

// Resource is the process in OpenTelemetry's words.
func (p Process) Resource() *resource.Resource {
	all := []attribute.KeyValue{semconv.ServiceName(p.Service), semconv.ServiceVersion(p.Version)}
	if p.Instance != "" {
		all = append(all, semconv.ServiceInstanceID(p.Instance))
	}
	return resource.NewSchemaless(all...)
}

// TracingOptions configure [StartTracing].
type TracingOptions struct {
	Endpoint string // for http/protobuf a URL, to which /v1/traces is appended; for grpc a URL or HOST:PORT; empty: no tracing
	Protocol string // ProtocolHTTP, the default, or ProtocolGRPC
	Process
	Sampling *Sampling    // nil: all traces are kept, unless their producer has not sampled them
	Log      *slog.Logger // for exports that fail; nil: none
	OnLost   func(n int)  // is called with the number of spans that could not be exported; nil: no one asks
}

// Tracing returns tracers and, at the end, sends buffered spans.
type Tracing struct {
	provider trace.TracerProvider
	sdk      *sdktrace.TracerProvider // nil: no tracing
}

// StartTracing returns the tracing of a process. It connects to nothing yet.
func StartTracing(ctx context.Context, o TracingOptions) (*Tracing, error) {
	if o.Endpoint == "" {
		return &Tracing{provider: noop.NewTracerProvider()}, nil
	}
	exporter, url, err := newExporter(ctx, o.Protocol, o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("OTLP exporter: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnLost == nil {
		o.OnLost = func(int) {}
	}
	reported := &reportedExporter{exporter, url, o.OnLost, NewTrouble(o.Log, "spans cannot be exported and are lost", "spans are exported again")}
	return newTracing(newCountedQueue(reported, o.OnLost), o), nil
}

// TracingTo is tracing with a span processor of the caller.
func TracingTo(p sdktrace.SpanProcessor, o TracingOptions) *Tracing { return newTracing(p, o) }

func newTracing(p sdktrace.SpanProcessor, o TracingOptions) *Tracing {
	if o.Sampling == nil {
		o.Sampling = &Sampling{Ratio: 1}
	}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = maxText
	sdk := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(p),
		sdktrace.WithSampler(o.Sampling.sampler()),
		sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithResource(o.Resource()),
	)
	return &Tracing{provider: sdk, sdk: sdk}
}

// Tracer returns the tracer of the bridge.
func (t *Tracing) Tracer() trace.Tracer { return t.provider.Tracer(Scope) }

// Stop sends buffered spans. It must be called last and has a time limit of its own.
func (t *Tracing) Stop(ctx context.Context) error {
	if t.sdk == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return t.sdk.Shutdown(ctx)
}

// Extract returns a context that continues the trace in the headers of a record.
func Extract(ctx context.Context, r *kgo.Record) context.Context {
	return propagator.Extract(ctx, carrier{r})
}

// Inject writes the trace of the context into the headers of a record.
func Inject(ctx context.Context, r *kgo.Record) { propagator.Inject(ctx, carrier{r}) }

// Traceparent is the trace of the context in W3C format; empty if there is none.
func Traceparent(ctx context.Context) string {
	m := propagation.MapCarrier{}
	propagator.Inject(ctx, m)
	return m["traceparent"]
}

// carrier reads and writes the headers of a record.
type carrier struct{ r *kgo.Record }

func (c carrier) Get(key string) string {
	// The last header of a name is used, as by Java (Headers.lastHeader).
	for _, h := range slices.Backward(c.r.Headers) {
		if strings.EqualFold(h.Key, key) {
			if key == "tracestate" && len(h.Value) > maxTraceState {
				return ""
			}
			return string(h.Value)
		}
	}
	return ""
}

func (c carrier) Set(key, value string) {
	c.r.Headers = slices.DeleteFunc(c.r.Headers, func(h kgo.RecordHeader) bool { return h.Key == key })
	c.r.Headers = append(c.r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
}

func (c carrier) Keys() []string {
	keys := make([]string, len(c.r.Headers))
	for i, h := range c.r.Headers {
		keys[i] = h.Key
	}
	return keys
}
