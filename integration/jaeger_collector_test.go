//go:build integration

package integration_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"alipay-kafka-bridge/internal/telemetry"
)

// storage stands for a storage of traces behind a collector.
type storage struct {
	collector.UnimplementedTraceServiceServer

	mu    sync.Mutex
	spans map[string]int // by name
}

func (s *storage) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range r.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				s.spans[span.Name]++
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (s *storage) kept(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spans[name]
}

// TestCollectorKeepsWhatMatters: with deploy/otel/collector.yaml, a collector keeps what is slow, repeated or
// wrong, whole, and a share of the rest. Jaeger is the collector.
func TestCollectorKeepsWhatMatters(t *testing.T) {
	out, err := jaeger("get")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("Jaeger cannot be built: %v\n%s", err, out)
		}
		t.Skipf("Jaeger cannot be built: %v\n%s", err, out)
	}
	lines := strings.Fields(string(out))
	behind := &storage{spans: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, behind)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)

	cmd := exec.Command(lines[len(lines)-1], "--config", "../deploy/otel/collector.yaml",
		"--config", "yaml:receivers::otlp::protocols::grpc::endpoint: 127.0.0.1:"+jaegerGRPC,
		"--config", "yaml:receivers::otlp::protocols::http::endpoint: 127.0.0.1:"+jaegerHTTP,
		"--config", "yaml:processors::tail_sampling::decision_wait: 2s",
		"--config", "yaml:exporters::otlp::tls::insecure: true")
	log := &lockedBuffer{}
	cmd.Env = append(os.Environ(), "TRACES_BACKEND="+l.Addr().String())
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("log of the collector:\n%s", log)
		}
	})
	await(t, "the collector", patience, func() bool { return strings.Contains(log.String(), "Everything is ready") })

	tracing, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: "http://127.0.0.1:" + jaegerGRPC, Protocol: telemetry.ProtocolGRPC, Process: telemetry.Process{Service: "bridge"}})
	must(t, err)
	const rare, usual = 20, 1000
	event := func(name string, took time.Duration, attempts int, status codes.Code) {
		began := time.Now().Add(-took)
		ctx, process := tracing.Tracer().Start(context.Background(), name, trace.WithTimestamp(began))
		for n := range attempts {
			_, attempt := tracing.Tracer().Start(ctx, name+" attempt", trace.WithTimestamp(began))
			attempt.SetAttributes(attribute.Int("bridge.attempt", n+1))
			attempt.SetStatus(status, "")
			attempt.End()
		}
		process.End()
	}
	for range rare {
		event("slow", 3*time.Second, 1, codes.Unset)
		event("repeated", time.Millisecond, 2, codes.Unset)
		event("wrong", time.Millisecond, 1, codes.Error)
	}
	for range usual {
		event("usual", time.Millisecond, 1, codes.Unset)
	}
	must(t, tracing.Stop(t.Context()))
	await(t, "the spans", patience, func() bool {
		return behind.kept("slow") >= rare && behind.kept("repeated attempt") >= 2*rare && behind.kept("wrong") >= rare && behind.kept("usual") > 0 && behind.kept("usual") == behind.kept("usual attempt")
	})
	for name, want := range map[string]int{"slow": rare, "slow attempt": rare, "repeated": rare, "repeated attempt": 2 * rare, "wrong": rare, "wrong attempt": rare} {
		if n := behind.kept(name); n != want {
			t.Errorf("%d spans %s, want %d", n, name, want)
		}
	}
	if n := behind.kept("usual"); n > usual/5 || n != behind.kept("usual attempt") {
		t.Errorf("%d traces of %d usual ones, with %d attempts; want about one in twenty, whole", n, usual, behind.kept("usual attempt"))
	}
	t.Logf("kept: %v of %d rare ones each and %d usual ones", behind.spans, rare, usual)
}
