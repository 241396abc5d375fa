//go:build vault

package main

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
)

// TestVaultKeyFromSettings: settings alone connect an app whose key never leaves Vault; when
// Vault fails, nothing is sent, and after five failures it is left alone.
func TestVaultKeyFromSettings(t *testing.T) {
	var asked atomic.Int64
	var down atomic.Bool
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() || r.Header.Get("X-Vault-Token") != strings.Repeat("k", 32) {
			asked.Add(1)
			http.Error(w, "sealed", http.StatusServiceUnavailable)
			return
		}
		if r.Method == http.MethodGet {
			public, _ := json.Marshal(publicPEM(&ownKey().PublicKey))
			fmt.Fprintf(w, `{"data":{"latest_version":1,"keys":{"1":{"public_key":%s}}}}`, public)
			return
		}
		var q struct{ Input []byte }
		_ = json.NewDecoder(r.Body).Decode(&q)
		sig, _ := rsa.SignPKCS1v15(nil, ownKey(), crypto.SHA256, q.Input)
		fmt.Fprintf(w, `{"data":{"signature":"vault:v1:%s"}}`, base64.StdEncoding.EncodeToString(sig))
	}))
	t.Cleanup(vault.Close)
	var sent atomic.Int64
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(gateway.Close)
	var said syncBuffer
	settings := keyApp + "    url: " + gateway.URL + "\n    private_key_uri: vault://" + strings.TrimPrefix(vault.URL, "http://") + "/transit/app\n    vault_token_file: mask\n"
	app, err := appOf(loadSettings(t, settings, "").Apps["main"], telling{noop.NewTracerProvider().Tracer(""), slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.Close)
	if err := app.CheckSigner(t.Context()); err != nil {
		t.Fatal(err)
	}
	call := func() error {
		_, err := app.Client(alipay.Merchant{}).Do(t.Context(), &alipay.TradeQuery{TradeNo: "1"})
		return err
	}
	_ = call() // {} is no answer
	if sent.Load() != 1 {
		t.Fatal("nothing was sent")
	}
	down.Store(true)
	for range 20 {
		if err := call(); alipay.ClassOf(err) != alipay.Transient {
			t.Fatalf("%v", err)
		}
	}
	if sent.Load() != 1 || asked.Load() != 5 || !strings.Contains(said.take(), "breaker of the signer open") {
		t.Errorf("%d sent, Vault asked %d times", sent.Load(), asked.Load())
	}
}
