package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// PushOptions configure [NewPush].
type PushOptions struct {
	Endpoint string        // as that of traces
	Protocol string        // as that of traces
	Every    time.Duration // 0: nothing is pushed
	Log      *slog.Logger  // for pushes that fail; nil: none
	OnFailed func()        // is called for each push that fails; nil: no one asks
}

// NewPush returns the readers that push metrics to a collector: one or, if nothing is to be pushed, none. It connects to
// nothing yet.
func NewPush(ctx context.Context, o PushOptions) ([]sdkmetric.Reader, error) {
	if o.Every == 0 {
		return nil, nil
	}
	exporter, url, err := newMetricExporter(ctx, o.Protocol, o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("OTLP exporter of metrics: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnFailed == nil {
		o.OnFailed = func() {}
	}
	reported := &reportedPush{exporter, url, o.OnFailed, NewTrouble(o.Log, "metrics cannot be pushed", "metrics are pushed again")}
	return []sdkmetric.Reader{sdkmetric.NewPeriodicReader(reported, sdkmetric.WithInterval(o.Every), sdkmetric.WithTimeout(exportTimeout))}, nil
}

// newMetricExporter is newExporter for metrics.
func newMetricExporter(ctx context.Context, protocol, endpoint string) (sdkmetric.Exporter, string, error) {
	switch protocol {
	case "", ProtocolHTTP:
		to, err := metricsURL(endpoint)
		if err != nil {
			return nil, "", err
		}
		exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(to), otlpmetrichttp.WithHTTPClient(exportClient()))
		return exporter, to, err
	case ProtocolGRPC:
		to, err := grpcURL(endpoint)
		if err != nil {
			return nil, "", err
		}
		security := otlpmetricgrpc.WithInsecure()
		if to.Scheme == "https" {
			security = otlpmetricgrpc.WithTLSCredentials(credentials.NewTLS(secure()))
		}
		exporter, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(to.Host), security,
			otlpmetricgrpc.WithTimeout(exportTimeout), otlpmetricgrpc.WithDialOption(grpc.WithNoProxy()))
		return exporter, to.String(), err
	}
	return nil, "", unknownProtocol(protocol)
}

// reportedPush logs when pushes begin to fail, and when they work again.
type reportedPush struct {
	sdkmetric.Exporter

	url     string
	failed  func()
	trouble *Trouble
}

// Export never returns an error: the reader could only print it. A push that fails loses nothing but its moment: the next
// one has the same counts, and more.
func (e *reportedPush) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	err := e.Exporter.Export(ctx, m)
	if err != nil {
		e.failed()
	}
	e.trouble.Note(err, "url", e.url, "remedy", "check telemetry.otlp_endpoint, telemetry.otlp_protocol and whether the collector takes metrics; a scrape has them too, and orders are handled without")
	return nil
}
