//go:build vault

package app

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
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
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
			public, _ := json.Marshal(apptest.PublicPEM(&apptest.OwnKey().PublicKey))
			fmt.Fprintf(w, `{"data":{"latest_version":1,"keys":{"1":{"public_key":%s}}}}`, public)
			return
		}
		var q struct{ Input []byte }
		_ = json.NewDecoder(r.Body).Decode(&q)
		sig, _ := rsa.SignPKCS1v15(nil, apptest.OwnKey(), crypto.SHA256, q.Input)
		fmt.Fprintf(w, `{"data":{"signature":"vault:v1:%s"}}`, base64.StdEncoding.EncodeToString(sig))
	}))
	t.Cleanup(vault.Close)
	var sent atomic.Int64
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(gateway.Close)
	var said apptest.Buffer
	settings := apptest.KeyApp + "    url: " + gateway.URL + "\n    private_key_uri: vault://" + strings.TrimPrefix(vault.URL, "http://") + "/transit/app\n    vault_token_file: mask\n"
	app, err := NewAlipayApp(t.Context(), apptest.LoadSettings(t, settings, "").Apps["main"], Options{Log: slog.New(slog.NewTextHandler(&said, nil))})
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
	if sent.Load() != 1 || asked.Load() != 5 || !strings.Contains(said.Take(), "to=open") {
		t.Errorf("%d sent, Vault asked %d times", sent.Load(), asked.Load())
	}
}

// Vault's token is renewed while Vault is in trouble: once it answers again, the new one is in use.
func TestRenewedVaultTokenIsUsedAfterTrouble(t *testing.T) {
	var down atomic.Bool
	var token atomic.Value
	token.Store("one")
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down.Load():
			http.Error(w, "sealed", http.StatusServiceUnavailable)
		case r.Header.Get("X-Vault-Token") != token.Load():
			http.Error(w, "permission denied", http.StatusForbidden)
		case r.Method == http.MethodGet:
			public, _ := json.Marshal(apptest.PublicPEM(&apptest.OwnKey().PublicKey))
			fmt.Fprintf(w, `{"data":{"latest_version":1,"keys":{"1":{"public_key":%s}}}}`, public)
		default:
			var q struct{ Input []byte }
			_ = json.NewDecoder(r.Body).Decode(&q)
			sig, _ := rsa.SignPKCS1v15(nil, apptest.OwnKey(), crypto.SHA256, q.Input)
			fmt.Fprintf(w, `{"data":{"signature":"vault:v1:%s"}}`, base64.StdEncoding.EncodeToString(sig))
		}
	}))
	t.Cleanup(vault.Close)
	dir := t.TempDir()
	apptest.WriteSecret(t, dir, "vault.token", "one")
	apptest.WriteSecret(t, dir, "alipay.pub", apptest.PublicPEM(&apptest.PlatformKey().PublicKey))
	apptest.WriteSecret(t, dir, "bridge.yaml", `
kafka: {brokers: ['127.0.0.1:9092'], start: earliest, slot: s}
registry: {folder: .}
topics: {inputs: [{accounts: [shop]}]}
apps:
  main: {kind: openapi, environment: simulator, url: 'http://127.0.0.1:1', app_id: '2021000000000001', vault_token_file: vault.token, alipay_public_key_file: alipay.pub,
    private_key_uri: 'vault://`+strings.TrimPrefix(vault.URL, "http://")+`/transit/app'}
accounts:
  shop: {app: main, channel: TRADE}
`)
	path := filepath.Join(dir, "bridge.yaml")
	src, c, err := config.Open(path, os.LookupEnv)
	apptest.NoError(t, err)
	var said apptest.Buffer
	to := Options{Log: slog.New(slog.NewTextHandler(&said, nil))}
	app, err := NewAlipayApp(t.Context(), c.Apps["main"], to)
	apptest.NoError(t, err)
	t.Cleanup(app.Close)
	s := &Service{apps: map[string]*gateway.App{"main": app}, o: to.withDefaults(), clients: map[clientKey]*gateway.Client{}}
	r := newReloader(Settings{path: path, source: src, Config: c}, s, new(slog.LevelVar))

	apptest.WriteSecret(t, dir, "vault.token", "two")
	down.Store(true)
	r.rereadFiles(t.Context())
	r.rereadFiles(t.Context())
	if n := strings.Count(said.Take(), "stay in force"); n != 1 {
		t.Errorf("said %d times", n)
	}
	down.Store(false)
	token.Store("two")
	r.rereadFiles(t.Context())
	if err := app.CheckSigner(t.Context()); err != nil {
		t.Errorf("after Vault is back: %v", err)
	}
}
