package kafka

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
)

// tokenElsewhere is an address where no one listens and that proxies are asked for, unlike 127.0.0.1.
const tokenElsewhere = "https://0.0.0.0:1"

// TestG1_NoProxyForTokens: the token endpoint is asked without the proxy that the environment names.
// In a child, because Go reads the environment once per process.
func TestG1_NoProxyForTokens(t *testing.T) {
	if os.Getenv("BRIDGE_ASKS_TOKEN") != "" {
		askForToken(t)
		return
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the proxy was asked %s %s", r.Method, r.Host)
	}))
	defer proxy.Close()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestG1_NoProxyForTokens$", "-test.v")
	child.Env = append(os.Environ(), "BRIDGE_ASKS_TOKEN=1", "HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL, "ALL_PROXY="+proxy.URL, "NO_PROXY=")
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the proxy is in force") {
		t.Errorf("child: %v\n%s", err, out)
	}
}

func askForToken(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, tokenElsewhere, nil)
	apptest.NoError(t, err)
	if u, err := http.ProxyFromEnvironment(req); u != nil && err == nil {
		t.Log("the proxy is in force")
	}
	dir := t.TempDir()
	apptest.WriteSecret(t, dir, "secret", "s")
	cfg := apptest.LoadSettings(t, apptest.ClosedPortApp,
		"kafka: {brokers: ['127.0.0.1:1'], start: earliest, slot: s, sasl: {mechanism: OAUTHBEARER, token_url: '"+tokenElsewhere+"', client_id: me, client_secret_file: "+dir+"/secret}}\n")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	token, err := tokenOf(cfg.Kafka.SASL, slog.New(slog.DiscardHandler))
	apptest.NoError(t, err)
	if _, err := token(ctx); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("token: %v", err)
	}
}
