package admin_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/admin"
)

// TestAPageThatFailsSaysSo: a panic in a handler is an error in the log, and an answer.
func TestAPageThatFailsSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s := admin.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no guard") }), slog.New(slog.NewTextHandler(&log, nil)))
	resp, err := http.Get("http://" + s.Addr() + "/status")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), "failed inside the bridge") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	for _, want := range []string{"level=ERROR", "path=/status", `error="no guard"`, "server_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in %s", want, log.String())
		}
	}
}
