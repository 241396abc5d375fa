package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// tracesPath is where a collector takes traces (OpenTelemetry protocol exporter, "Endpoint URLs for
// OTLP/HTTP").
const tracesPath = "/v1/traces"

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
	e.trouble.Note(err, "url", e.url, "remedy", "check telemetry.otlp_endpoint and the collector; orders are handled without traces")
	return nil
}
