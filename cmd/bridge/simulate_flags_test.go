package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// startSimulate runs the command with flags; stop ends it and fails the test if it failed.
func startSimulate(t *testing.T, args ...string) (at running, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	said := make(lines, 100)
	c := rootCommand()
	c.SetArgs(append([]string{"simulate", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--latency", "1ms"}, args...))
	c.SetOut(io.Discard)
	c.SetErr(said)
	done := make(chan error, 1) // one value; not closed
	go func() { done <- c.ExecuteContext(ctx) }()
	at = running{said.await(t, "not for real use, at "), said.await(t, "admin at ")}
	return at, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestSimulateOverTLS: with --tls the gateway uses https, with the certificate that it wrote.
func TestSimulateOverTLS(t *testing.T) {
	dir := outFolder(t)
	at, stop := startSimulate(t, "-c", filepath.Join(dir, standalone.SimulatorFile), "--tls")
	defer stop()
	pem, err := os.ReadFile(filepath.Join(dir, standalone.TLSCertFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) || !strings.HasPrefix(at.gateway, "https://127.0.0.1:") {
		t.Fatalf("gateway %s", at.gateway)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(at.gateway + simulator.GatewayPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "isv.missing-app-id") {
		t.Errorf("answer %q, %v", body, err)
	}
}

// TestSimulateKeepsItsState: what was paid before a restart is paid after it.
func TestSimulateKeepsItsState(t *testing.T) {
	file := filepath.Join(outFolder(t), standalone.SimulatorFile)
	state := filepath.Join(t.TempDir(), "state.json")
	const trade = "/trades/2026110122001400000000000006" // of examples/orders.jsonl
	at, stop := startSimulate(t, "-c", file, "--state", state, "--orders", "../../examples/orders.jsonl")
	if got := post(t, at.admin+trade+"/pay", ""); got != http.StatusOK {
		t.Errorf("pay = %d", got)
	}
	if got := post(t, at.admin+"/clock?advance=1h", ""); got != http.StatusOK {
		t.Errorf("clock = %d", got)
	}
	stop()
	at, stop = startSimulate(t, "-c", file, "--state", state, "--quirks", "none")
	defer stop()
	var got simulator.Trade
	(&story{running: at}).get(t, trade, &got)
	if got.Status != simulator.TradeSuccess {
		t.Errorf("after the restart: %+v", got)
	}
	for path, want := range map[string]int{
		trade + "/pay": http.StatusConflict, trade + "/refund?amount=x": http.StatusBadRequest, "/trades/0/pay": http.StatusConflict,
		"/clock?advance=-1h": http.StatusBadRequest, "/notifications/0/send": http.StatusNotFound,
		"/notifications/hold": http.StatusOK, "/notifications/release": http.StatusOK,
		"/outage/start": http.StatusOK, "/outage/stop": http.StatusOK, "/reset": http.StatusOK,
	} {
		t.Run(path, func(t *testing.T) {
			if got := post(t, at.admin+path, ""); got != want {
				t.Errorf("POST %s = %d, want %d", path, got, want)
			}
		})
	}
}

func TestSimulateRefusesUnknownQuirks(t *testing.T) {
	file := filepath.Join(outFolder(t), standalone.SimulatorFile)
	if _, err := simulate(t.Context(), "-c", file, "--listen", "127.0.0.1:0", "--quirks", "earthquake"); command.ExitCode(err) != command.ExitUsage {
		t.Errorf("err = %v, want a usage error", err)
	}
}
