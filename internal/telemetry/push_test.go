package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	otlp "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"alipay-kafka-bridge/internal/telemetry"
)

// metricsCollector takes metrics over HTTP and gRPC.
type metricsCollector struct {
	collector.UnimplementedMetricsServiceServer

	refuse atomic.Bool
	pushes chan []*otlp.ResourceMetrics // what was taken
	path   atomic.Value
}

func newMetricsCollector() *metricsCollector {
	return &metricsCollector{pushes: make(chan []*otlp.ResourceMetrics, 10)}
}

func (c *metricsCollector) Export(_ context.Context, r *collector.ExportMetricsServiceRequest) (*collector.ExportMetricsServiceResponse, error) {
	if c.refuse.Load() {
		return nil, status.Error(codes.PermissionDenied, "no")
	}
	c.pushes <- r.ResourceMetrics
	return &collector.ExportMetricsServiceResponse{}, nil
}

func (c *metricsCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.path.Store(r.URL.Path)
	var request collector.ExportMetricsServiceRequest
	body, err := io.ReadAll(r.Body)
	if err != nil || proto.Unmarshal(body, &request) != nil || c.refuse.Load() {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	c.pushes <- request.ResourceMetrics
}

// listen serves the collector under a protocol, and returns its endpoint.
func (c *metricsCollector) listen(t *testing.T, protocol string) string {
	t.Helper()
	if protocol == telemetry.ProtocolHTTP {
		server := httptest.NewServer(c)
		t.Cleanup(server.Close)
		return server.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collector.RegisterMetricsServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return "http://" + l.Addr().String()
}

// provider makes metrics that are pushed, with one counter at 7.
func provider(t *testing.T, o telemetry.PushOptions) *metric.MeterProvider {
	t.Helper()
	o.Every = time.Hour // the tests push by ForceFlush
	readers, err := telemetry.NewPush(t.Context(), o)
	if err != nil || len(readers) != 1 {
		t.Fatal(readers, err)
	}
	p := metric.NewMeterProvider(metric.WithReader(readers[0]), metric.WithResource(telemetry.Process{Service: "bridge", Version: "v1", Instance: "one"}.Resource()))
	events, err := p.Meter("test").Float64Counter("bridge.events")
	if err != nil {
		t.Fatal(err)
	}
	events.Add(t.Context(), 7)
	return p
}

// TestMetricsReachTheCollector: over both protocols, with what process they are of; and the last push is at the end.
func TestMetricsReachTheCollector(t *testing.T) {
	for _, protocol := range []string{telemetry.ProtocolHTTP, telemetry.ProtocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			c := newMetricsCollector()
			p := provider(t, telemetry.PushOptions{Endpoint: c.listen(t, protocol), Protocol: protocol})
			if err := p.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := <-c.pushes
			sum := got[0].ScopeMetrics[0].Metrics[0].GetSum()
			if name, value := got[0].ScopeMetrics[0].Metrics[0].Name, sum.GetDataPoints()[0].GetAsDouble(); name != "bridge.events" || value != 7 {
				t.Errorf("%s is %v", name, value)
			}
			if sum.AggregationTemporality != otlp.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
				t.Errorf("%s: a push that is lost would lose counts", sum.AggregationTemporality)
			}
			process := map[string]string{}
			for _, a := range got[0].Resource.Attributes {
				process[a.Key] = a.Value.GetStringValue()
			}
			if len(process) != 3 || process["service.name"] != "bridge" || process["service.version"] != "v1" || process["service.instance.id"] != "one" {
				t.Errorf("of %v", process)
			}
		})
	}
}

// TestPathsForMetrics: every form of an endpoint that people write leads to the path of metrics.
func TestPathsForMetrics(t *testing.T) {
	for endpoint, want := range map[string]string{
		"": "/v1/metrics", "/": "/v1/metrics", "/v1/traces": "/v1/metrics", "/v1/traces/": "/v1/metrics", "/team": "/team/v1/metrics", "/team/v1/traces": "/team/v1/metrics",
	} {
		c := newMetricsCollector()
		p := provider(t, telemetry.PushOptions{Endpoint: c.listen(t, telemetry.ProtocolHTTP) + endpoint})
		if err := p.Shutdown(t.Context()); err != nil || c.path.Load() != want {
			t.Errorf("%s: %v, path %v, want %s", endpoint, err, c.path.Load(), want)
		}
	}
}

// TestPushesThatFail: one line when it begins and one when it ends, and a count of each.
func TestPushesThatFail(t *testing.T) {
	for _, protocol := range []string{telemetry.ProtocolHTTP, telemetry.ProtocolGRPC} {
		t.Run(protocol, func(t *testing.T) {
			var b strings.Builder
			failed := 0
			c := newMetricsCollector()
			at := c.listen(t, protocol)
			c.refuse.Store(true)
			p := provider(t, telemetry.PushOptions{Endpoint: at, Protocol: protocol, Log: slog.New(slog.NewTextHandler(&b, nil)), OnFailed: func() { failed++ }})
			push := func() {
				if err := p.ForceFlush(t.Context()); err != nil {
					t.Error(err)
				}
			}
			push()
			push()
			if said := b.String(); failed != 2 || strings.Count(said, "metrics cannot be pushed") != 1 || !strings.Contains(said, at) || !strings.Contains(said, "telemetry.otlp_endpoint") {
				t.Errorf("%d pushes failed, want 2; log = %s", failed, said)
			}
			c.refuse.Store(false)
			push()
			if said := b.String(); failed != 2 || !strings.Contains(said, `msg="metrics are pushed again" failures=2`) {
				t.Errorf("%d pushes failed, want 2; log = %s", failed, said)
			}
			if got := <-c.pushes; got[0].ScopeMetrics[0].Metrics[0].GetSum().GetDataPoints()[0].GetAsDouble() != 7 {
				t.Error("counts were lost")
			}
			_ = p.Shutdown(t.Context())
		})
	}
}

// TestNoPush: without an interval there is none, and an endpoint that is wrong says so.
func TestNoPush(t *testing.T) {
	if readers, err := telemetry.NewPush(t.Context(), telemetry.PushOptions{Endpoint: "wrong"}); err != nil || len(readers) != 0 {
		t.Error(readers, err)
	}
	for _, o := range []telemetry.PushOptions{
		{Endpoint: "wrong"}, {Endpoint: "http://127.0.0.1:4317/v1/traces", Protocol: telemetry.ProtocolGRPC}, {Endpoint: "http://127.0.0.1:4317", Protocol: "http/json"},
	} {
		o.Every = time.Minute
		if _, err := telemetry.NewPush(t.Context(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
