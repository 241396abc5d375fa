package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/telemetry"
)

// TestSpansReachTheCollector: every form of an endpoint that people write leads to the path of the
// protocol. A collector answers 404 elsewhere.
func TestSpansReachTheCollector(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                 "/v1/traces",
		"/":                "/v1/traces",
		"/v1/traces":       "/v1/traces",
		"/v1/traces/":      "/v1/traces/",
		"/team":            "/team/v1/traces",
		"/team/":           "/team/v1/traces",
		"/team/v1/traces":  "/team/v1/traces",
		"/v1/metrics":      "/v1/metrics/v1/traces",
		"/otlp?token=none": "/otlp/v1/traces",
	} {
		t.Run(endpoint, func(t *testing.T) {
			var path atomic.Value
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path.Store(r.URL.Path) }))
			defer server.Close()
			tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: server.URL + endpoint, Process: telemetry.Process{Service: "bridge"}})
			if err != nil {
				t.Fatal(err)
			}
			_, span := tr.Tracer().Start(t.Context(), "process")
			span.End()
			if err := tr.Stop(t.Context()); err != nil || path.Load() != want {
				t.Errorf("err = %v, path = %v, want %s", err, path.Load(), want)
			}
		})
	}
}

// TestLostSpansAreLogged: a collector that refuses is a line with what to do.
func TestLostSpansAreLogged(t *testing.T) {
	var b bytes.Buffer
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	var lost atomic.Int64
	tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: server.URL, Log: slog.New(slog.NewTextHandler(&b, nil)), OnLost: func(n int) { lost.Add(int64(n)) }})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tr.Tracer().Start(t.Context(), "process")
	span.End()
	_ = tr.Stop(t.Context())
	if got := b.String(); strings.Count(got, "spans cannot be exported") != 1 || !strings.Contains(got, server.URL+"/v1/traces") || !strings.Contains(got, "404") {
		t.Errorf("log = %s", got)
	}
	if lost.Load() != 1 {
		t.Errorf("%d spans are counted as lost, want 1", lost.Load())
	}
}

// TestSpansWithoutRoomAreCounted: while the collector does not answer, the queue is full; what it drops is counted, and
// nothing else.
func TestSpansWithoutRoomAreCounted(t *testing.T) {
	answer := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-answer
	}))
	defer server.Close()
	var lost atomic.Int64
	tr, err := telemetry.StartTracing(t.Context(), telemetry.TracingOptions{Endpoint: server.URL, OnLost: func(n int) { lost.Add(int64(n)) }})
	if err != nil {
		t.Fatal(err)
	}
	const room, more = 4096, 100
	for range room + more {
		_, span := tr.Tracer().Start(t.Context(), "process")
		span.End()
	}
	if lost.Load() != more {
		t.Errorf("%d spans are counted as lost, want %d", lost.Load(), more)
	}
	close(answer)
	if err := tr.Stop(t.Context()); err != nil || lost.Load() != more {
		t.Errorf("then %d, %v", lost.Load(), err)
	}
}

// TestATroubleHasTwoEnds: it is logged when it begins, every ten minutes, and when it ends; it is
// counted in between.
func TestATroubleHasTwoEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		trouble := telemetry.NewTrouble(slog.New(slog.NewTextHandler(&b, nil)), "it fails", "it works again")
		trouble.Note(nil)
		for range 25 * 60 {
			trouble.Note(errors.New("refused"), "remedy", "start it")
			time.Sleep(time.Second)
		}
		trouble.Note(nil)
		trouble.Note(nil)
		trouble.Note(context.Canceled)
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		want := []string{`msg="it fails" error=refused remedy="start it"`, "error=refused failures=601 seconds=600", "failures=1201", `msg="it works again" failures=1500 seconds=1500`, `msg="it fails" error="context canceled"`}
		if len(lines) != len(want) {
			t.Fatalf("lines:\n%s", b.String())
		}
		for i := range want {
			if !strings.Contains(lines[i], want[i]) {
				t.Errorf("line %d = %s, want %s", i, lines[i], want[i])
			}
		}
	})
}
