package check

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/telemetry"
)

// elsewhere is an address without a listener for which proxies are used, unlike 127.0.0.1.
const elsewhere = "https://0.0.0.0:1"

// TestG1_ProxiesOfTheEnvironment: registry, token endpoint, gateway and collector are asked
// without the proxy that the environment names. In a child, because Go reads the environment
// once per process.
func TestG1_ProxiesOfTheEnvironment(t *testing.T) {
	if os.Getenv("BRIDGE_ASKS") != "" {
		askEverybody(t)
		return
	}
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		t.Errorf("the proxy was asked %s %s", r.Method, r.Host)
	}))
	defer proxy.Close()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestG1_ProxiesOfTheEnvironment$", "-test.v")
	child.Env = append(os.Environ(), "BRIDGE_ASKS=1", "HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL, "ALL_PROXY="+proxy.URL, "NO_PROXY=")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the proxy is in force") {
		t.Errorf("child: %v\n%s", err, out)
	}
	if asked.Load() != 0 {
		t.Logf("child:\n%s", out)
	}
}

func askEverybody(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, elsewhere, nil)
	apptest.NoError(t, err)
	if u, err := http.ProxyFromEnvironment(req); u != nil && err == nil {
		t.Log("the proxy is in force")
	}
	dir := t.TempDir()
	apptest.WriteSecret(t, dir, "secret", "s")
	kafka := "kafka: {brokers: ['127.0.0.1:1'], start: earliest, slot: s, sasl: {mechanism: OAUTHBEARER, token_url: '" + elsewhere + "', client_id: me, client_secret_file: " + dir + "/secret}}\n"
	cfg := apptest.LoadSettings(t, apptest.KeyApp+"    url: "+elsewhere+"\n", kafka+"registry: {url: '"+elsewhere+"'}\n")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := &checker{cfg: cfg, now: time.Now()}
	c.schemas(ctx)
	c.gateways(ctx)
	wantFound(t, c.Report, "versions of topic order-events: registry: ", "app main: gateway 0.0.0.0:1: ")

	tracing, err := telemetry.StartTracing(ctx, telemetry.TracingOptions{Endpoint: elsewhere, Process: telemetry.Process{Service: "s"}})
	apptest.NoError(t, err)
	_, span := tracing.Tracer().Start(ctx, "a span")
	span.End()
	_ = tracing.Stop(ctx) // there is no listener
}
