package admin_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"alipay-kafka-bridge/internal/admin"
)

func TestProbes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var p admin.Probes
	s := admin.Serve(l, p.Handler(), slog.New(slog.DiscardHandler))
	defer func() { _ = s.Stop(t.Context()) }()
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if code, body := get("/readyz"); code != 503 || body != "not ready\n" {
		t.Errorf("before: %d %q", code, body)
	}
	p.Ready(true)
	if code, body := get("/readyz"); code != 200 || body != "ok\n" {
		t.Errorf("ready: %d %q", code, body)
	}
	if code, _ := get("/livez"); code != 200 {
		t.Errorf("livez: %d", code)
	}
}

// TestO1_ProbesShowNothingElse: a client of the probes learns two words.
func TestO1_ProbesShowNothingElse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var p admin.Probes
	s := admin.Serve(l, p.Handler(), slog.New(slog.DiscardHandler))
	defer func() { _ = s.Stop(t.Context()) }()
	for _, path := range []string{"/", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/status", "/metrics", "/livez/x"} {
		resp, err := http.Get("http://" + s.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
