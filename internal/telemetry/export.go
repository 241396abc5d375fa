package telemetry

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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

// tracesPath is where a collector takes traces (OpenTelemetry protocol exporter, "Endpoint URLs for
// OTLP/HTTP").
const tracesPath = "/v1/traces"

// exportTimeout is the time limit for one export of spans. It is the exporters' own default.
const exportTimeout = 10 * time.Second

// newExporter returns the exporter of a protocol and the address to which it sends. Neither exporter uses a
// proxy of the environment, as it would by default (security G1).
func newExporter(ctx context.Context, protocol, endpoint string) (sdktrace.SpanExporter, string, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	switch protocol {
	case "", ProtocolHTTP:
		to, err := tracesURL(endpoint)
		if err != nil {
			return nil, "", err
		}
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to), otlptracehttp.WithHTTPClient(&http.Client{
			Transport:     &http.Transport{Proxy: nil, TLSClientConfig: secure},
			Timeout:       exportTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}))
		return exporter, to, err
	case ProtocolGRPC:
		to, err := grpcURL(endpoint)
		if err != nil {
			return nil, "", err
		}
		security := otlptracegrpc.WithInsecure()
		if to.Scheme == "https" {
			security = otlptracegrpc.WithTLSCredentials(credentials.NewTLS(secure))
		}
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(to.Host), security,
			otlptracegrpc.WithTimeout(exportTimeout), otlptracegrpc.WithDialOption(grpc.WithNoProxy()))
		return exporter, to.String(), err
	}
	return nil, "", fmt.Errorf("OTLP protocol %q is not known; use %s or %s", protocol, ProtocolHTTP, ProtocolGRPC)
}

// tracesURL is the URL for traces of a general endpoint: the path is appended, as the specification
// says. An endpoint that has it already stays as it is.
func tracesURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("OTLP endpoint %q is not valid; use http://HOST:PORT or https://HOST:PORT", endpoint)
	}
	if path := strings.TrimRight(u.Path, "/"); !strings.HasSuffix(path, tracesPath) {
		u = u.JoinPath(tracesPath)
	}
	return u.String(), nil
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
