package telemetry_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"alipay-kafka-bridge/internal/telemetry"
)

// grpcCollector takes spans over gRPC.
type grpcCollector struct {
	collector.UnimplementedTraceServiceServer

	refuse bool
	names  chan string
}

func (c *grpcCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	if c.refuse {
		return nil, status.Error(codes.PermissionDenied, "no")
	}
	for _, rs := range r.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				c.names <- s.Name
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// listen starts the collector and returns its address.
func (c *grpcCollector) listen(t *testing.T) string {
	t.Helper()
	c.names = make(chan string, 10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// TestSpansReachAGRPCCollector: over gRPC, by URL with and without a slash.
func TestSpansReachAGRPCCollector(t *testing.T) {
	for _, end := range []string{"", "/"} {
		c := &grpcCollector{}
		tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: "http://" + c.listen(t) + end, Protocol: telemetry.ProtocolGRPC, Process: telemetry.Process{Service: "bridge"}})
		if err != nil {
			t.Fatal(err)
		}
		_, span := tr.Tracer().Start(t.Context(), "process")
		span.End()
		if err := tr.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case name := <-c.names:
			if name != "process" {
				t.Errorf("span %s", name)
			}
		default:
			t.Error("no span came")
		}
	}
}

// TestGRPCEndpoints: each form that has no meaning has an error that says what to write.
func TestGRPCEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://collector:4317":           "",
		"http://127.0.0.1:4317":            "",
		"collector:4317":                   "",
		"collector":                        "https://HOST:PORT",
		"https://collector":                "https://HOST:PORT",
		"grpc://collector:4317":            "https://HOST:PORT",
		"https://me:secret@collector:4317": "https://HOST:PORT",
		":4317":                            "https://HOST:PORT",
		"http://collector:4317/v1/traces":  "grpc has none",
		"https://collector:4317?a=b":       "grpc has none",
	} {
		tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: endpoint, Protocol: telemetry.ProtocolGRPC})
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		case err == nil:
			_ = tr.Stop(t.Context())
		}
	}
	_, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: "http://127.0.0.1:4317", Protocol: "http/json"})
	if err == nil || !strings.Contains(err.Error(), "use http/protobuf or grpc") {
		t.Error(err)
	}
}

// TestHostAndPortMeansTLS: an address without a scheme never sends spans in clear.
func TestHostAndPortMeansTLS(t *testing.T) {
	t.Parallel() // the last export has five seconds
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := make(chan byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b := make([]byte, 1)
		_, _ = c.Read(b)
		first <- b[0]
		c.Close()
	}()
	tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: l.Addr().String(), Protocol: telemetry.ProtocolGRPC})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tr.Tracer().Start(t.Context(), "process")
	span.End()
	stopped := make(chan error, 1)
	go func() { stopped <- tr.Stop(t.Context()) }()
	const handshake = 0x16 // the first byte of a TLS record
	if b := <-first; b != handshake {
		t.Errorf("the first byte is %#x, want a TLS handshake", b)
	}
	l.Close()
	<-stopped
}

// TestLostSpansOverGRPC: a collector that refuses is a line with what to do, and a count.
func TestLostSpansOverGRPC(t *testing.T) {
	var b strings.Builder
	var lost atomic.Int64
	c := &grpcCollector{refuse: true}
	at := "http://" + c.listen(t)
	tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: at, Protocol: telemetry.ProtocolGRPC, Log: slog.New(slog.NewTextHandler(&b, nil)), OnLost: func(n int) { lost.Add(int64(n)) }})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tr.Tracer().Start(t.Context(), "process")
	span.End()
	_ = tr.Stop(t.Context())
	if got := b.String(); strings.Count(got, "spans cannot be exported") != 1 || !strings.Contains(got, at) || !strings.Contains(got, "telemetry.otlp_protocol") || lost.Load() != 1 {
		t.Errorf("%d lost; log = %s", lost.Load(), got)
	}
}

// TestG1_GRPCWithoutProxy: the proxy of the environment is not asked. In a child, because Go reads the
// environment once per process.
func TestG1_GRPCWithoutProxy(t *testing.T) {
	t.Parallel()
	const elsewhere = "https://0.0.0.0:1" // no listener, and not excepted from proxies as 127.0.0.1 is
	if os.Getenv("BRIDGE_ASKS") != "" {
		tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: elsewhere, Protocol: telemetry.ProtocolGRPC})
		if err != nil {
			t.Fatal(err)
		}
		_, span := tr.Tracer().Start(t.Context(), "process")
		span.End()
		_ = tr.Stop(t.Context())
		return
	}
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestG1_GRPCWithoutProxy$")
	child.Env = append(os.Environ(), "BRIDGE_ASKS=1", "HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL, "ALL_PROXY="+proxy.URL, "NO_PROXY=")
	if out, err := child.CombinedOutput(); err != nil || asked.Load() != 0 {
		t.Errorf("the proxy was asked %d times; %v\n%s", asked.Load(), err, out)
	}
}
