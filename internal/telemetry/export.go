package telemetry

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Protocols of OTLP, as OpenTelemetry names them ("OTEL_EXPORTER_OTLP_PROTOCOL").
const (
	ProtocolHTTP = "http/protobuf"
	ProtocolGRPC = "grpc"
)

// Where a collector takes traces and metrics (OpenTelemetry protocol exporter, "Endpoint URLs for
// OTLP/HTTP").
const (
	tracesPath  = "/v1/traces"
	metricsPath = "/v1/metrics"
)

// exportTimeout is the time limit for one export of spans or metrics. It is the exporters' own default.
const exportTimeout = 10 * time.Second

// newExporter returns the exporter of a protocol and the address to which it sends. Neither exporter uses a
// proxy of the environment, as it would by default (security G1).
func newExporter(ctx context.Context, protocol, endpoint string) (sdktrace.SpanExporter, string, error) {
	switch protocol {
	case "", ProtocolHTTP:
		to, err := tracesURL(endpoint)
		if err != nil {
			return nil, "", err
		}
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to), otlptracehttp.WithHTTPClient(exportClient()))
		return exporter, to, err
	case ProtocolGRPC:
		to, err := grpcURL(endpoint)
		if err != nil {
			return nil, "", err
		}
		security := otlptracegrpc.WithInsecure()
		if to.Scheme == "https" {
			security = otlptracegrpc.WithTLSCredentials(credentials.NewTLS(secure()))
		}
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(to.Host), security,
			otlptracegrpc.WithTimeout(exportTimeout), otlptracegrpc.WithDialOption(grpc.WithNoProxy()))
		return exporter, to.String(), err
	}
	return nil, "", unknownProtocol(protocol)
}

func unknownProtocol(protocol string) error {
	return fmt.Errorf("OTLP protocol %q is not known; use %s or %s", protocol, ProtocolHTTP, ProtocolGRPC)
}

func secure() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }

// exportClient is the client for OTLP over HTTP.
func exportClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: nil, TLSClientConfig: secure()},
		Timeout:       exportTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// tracesURL is the URL for traces of a general endpoint: the path is appended, as the specification
// says. An endpoint that has it already stays as it is.
func tracesURL(endpoint string) (string, error) {
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return "", err
	}
	if path := strings.TrimRight(u.Path, "/"); !strings.HasSuffix(path, tracesPath) {
		u = u.JoinPath(tracesPath)
	}
	return u.String(), nil
}

// metricsURL is the URL for metrics of an endpoint that is general or that of traces.
func metricsURL(endpoint string) (string, error) {
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return "", err
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), tracesPath)
	return u.JoinPath(metricsPath).String(), nil
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("OTLP endpoint %q is not valid; use http://HOST:PORT or https://HOST:PORT", endpoint)
	}
	return u, nil
}

// grpcURL reads the endpoint for gRPC: a URL without a path, or HOST:PORT, which means https.
func grpcURL(endpoint string) (*url.URL, error) {
	full := endpoint
	if !strings.Contains(full, "://") {
		full = "https://" + full
	}
	u, err := url.Parse(full)
	switch {
	case err != nil || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("OTLP endpoint %q is not valid for grpc; use https://HOST:PORT, HOST:PORT, which means the same, or http://HOST:PORT", endpoint)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("OTLP endpoint %q has a path, and grpc has none; remove it, or use protocol %s", endpoint, ProtocolHTTP)
	}
	u.Path = ""
	return u, nil
}

// countedQueue is a batch processor that counts the spans for which it has no room: the processor drops
// them and says nothing. It lets in as many as the processor can hold, and counts those on their way.
type countedQueue struct {
	sdktrace.SpanProcessor

	lost    func(n int)
	waiting atomic.Int64
}

func newCountedQueue(e sdktrace.SpanExporter, lost func(n int)) *countedQueue {
	q := &countedQueue{lost: lost}
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(leavingExporter{e, q}, sdktrace.WithMaxQueueSize(queueSize))
	return q
}

// OnEnd queues a span that is kept.
func (q *countedQueue) OnEnd(s sdktrace.ReadOnlySpan) {
	switch {
	case !s.SpanContext().IsSampled():
	case q.waiting.Add(1) > queueSize:
		q.waiting.Add(-1)
		q.lost(1)
	default:
		q.SpanProcessor.OnEnd(s)
	}
}

// leavingExporter counts the spans that leave a queue.
type leavingExporter struct {
	sdktrace.SpanExporter

	queue *countedQueue
}

func (e leavingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.queue.waiting.Add(-int64(len(spans)))
	return err
}

// reportedExporter logs when exports begin to fail, and when they work again.
type reportedExporter struct {
	sdktrace.SpanExporter

	url     string
	lost    func(n int)
	trouble *Trouble
}

// ExportSpans never returns an error: the processor could only print it.
func (e *reportedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.lost(len(spans))
	}
	e.trouble.Note(err, "url", e.url, "remedy", "check telemetry.otlp_endpoint, telemetry.otlp_protocol and the collector, whose usual ports are 4318 for http/protobuf and 4317 for grpc; orders are handled without traces")
	return nil
}
