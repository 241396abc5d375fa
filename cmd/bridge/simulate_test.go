package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/command"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/config/fault"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// simulated fills a folder once for all tests that only read it.
var simulated = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "simulate")
	if err == nil {
		_, err = simulate(context.Background(), "--out", dir, "--no-serve")
	}
	return dir, err
})

// simulate runs the command and returns what it prints to stdout.
func simulate(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	c := rootCommand()
	c.SetArgs(append([]string{"simulate"}, args...))
	c.SetOut(&out)
	c.SetErr(io.Discard)
	err := c.ExecuteContext(ctx)
	return out.String(), err
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := simulated(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func outFolder(t *testing.T) string {
	t.Helper()
	dir, err := simulated()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWrittenSettingsFit: what simulate writes is what run reads.
func TestWrittenSettingsFit(t *testing.T) {
	cfg, err := config.Load(filepath.Join(outFolder(t), standalone.BridgeFile), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"check", "--offline", "-c", filepath.Join(outFolder(t), standalone.BridgeFile)}); code != 0 {
		t.Errorf("check --offline: exit %d", code)
	}
	for name, channel := range map[string]string{"shop-trade": "TRADE", "shop-credit": "CREDIT", "shop-koubei": "KOUBEI", "shop-hk": "HK"} {
		t.Run(name, func(t *testing.T) {
			if got := cfg.Accounts[name]; got.Channel != channel {
				t.Errorf("account %s = %+v", name, got)
			}
		})
	}
}

// TestWrittenSettingsReceiveNotifications: each create names the port that the bridge opens, with an account that knows the
// merchant whom the simulator pays.
func TestWrittenSettingsReceiveNotifications(t *testing.T) {
	cfg, err := config.Load(filepath.Join(outFolder(t), standalone.BridgeFile), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	sim, err := readSimulator(filepath.Join(outFolder(t), standalone.SimulatorFile))
	if err != nil {
		t.Fatal(err)
	}
	receive := 0
	for name, a := range cfg.Accounts {
		if a.Channel != "TRADE" {
			continue
		}
		i := slices.IndexFunc(sim.Apps, func(s standalone.AppConfig) bool { return s.ID == cfg.Apps[a.App].AppID })
		paid := sim.Apps[i].SellerID
		for _, m := range sim.Apps[i].Merchants {
			if m.Name == name {
				paid = m.SellerID
			}
		}
		if a.NotifyURL != "http://"+cfg.Notify.Listen+"/notify/"+name || a.SellerID != paid {
			t.Errorf("%s: %s for %s, but the port is %s and the simulator pays %s", name, a.NotifyURL, a.SellerID, cfg.Notify.Listen, paid)
		}
		receive++
	}
	if receive != 2 {
		t.Errorf("%d accounts receive notifications, want 2", receive)
	}
}

// TestSimulatedKeysAreForNothingElse: turning the settings into production's is refused.
func TestSimulatedKeysAreForNothingElse(t *testing.T) {
	dir := outFolder(t)
	text, err := os.ReadFile(filepath.Join(dir, standalone.BridgeFile))
	if err != nil {
		t.Fatal(err)
	}
	real := strings.NewReplacer("http://127.0.0.1:8086", "https://pay.example.com", "environment: simulator", "environment: sandbox", "http://127.0.0.1:8090", "https://openapi-sandbox.dl.alipaydev.com").Replace(string(text))
	path := filepath.Join(dir, "changed.yaml")
	if err := os.WriteFile(path, []byte(real), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(path, os.LookupEnv)
	var faults fault.Faults
	if !errors.As(err, &faults) || len(faults) != 8 || !strings.Contains(faults[0].Msg, "a key of the simulator") {
		t.Errorf("err = %v, want each of the eight keys and certificates refused", err)
	}
}

// TestSimulateKeepsWhatItWrote: a second run makes no new keys, and nothing that is not ours
// is overwritten without --force.
func TestSimulateKeepsWhatItWrote(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	key := filepath.Join(dir, "keys", "app-private.pem")
	read := func() string {
		b, _ := os.ReadFile(key)
		return string(b)
	}
	if err := os.WriteFile(filepath.Join(dir, standalone.BridgeFile), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulate(ctx, "--out", dir, "--no-serve"); err == nil || read() != "" {
		t.Errorf("a foreign file was overwritten: %v", err)
	}
	if _, err := simulate(ctx, "--out", dir, "--no-serve", "--force"); err != nil {
		t.Fatal(err)
	}
	first := read()
	out, err := simulate(ctx, "--out", dir, "--no-serve")
	if err != nil || read() != first || !strings.Contains(out, "using the files in") || strings.Contains(out, "is kept although") {
		t.Errorf("second run: %v\n%s", err, out)
	}
	out, err = simulate(ctx, "--out", dir, "--no-serve", "--brokers", "kafka:9092")
	if err != nil || !strings.Contains(out, "is kept although") {
		t.Errorf("other flags: %v\n%s", err, out)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestSimulateNeedsToKnowWhat(t *testing.T) {
	for _, args := range [][]string{nil, {"--out", "a", "-c", "b"}, {"-c", "b", "--no-serve"}} {
		if _, err := simulate(t.Context(), args...); command.ExitCode(err) != command.ExitUsage {
			t.Errorf("%q: %v, want a usage error", args, err)
		}
	}
}

// lines hands out what is written to it, line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// await returns what follows the words in the first line that holds them.
func (l lines) await(t *testing.T, words string) string {
	t.Helper()
	for {
		select {
		case line := <-l:
			if _, after, ok := strings.Cut(line, words); ok {
				return strings.TrimSpace(after)
			}
		case <-t.Context().Done():
			t.Fatalf("never said %q", words)
		}
	}
}

// TestSimulateServes: the bridge's own client, made from the written settings, gets answers
// that it trusts; the admin port shows what happened and accepts faults.
func TestSimulateServes(t *testing.T) {
	dir := outFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	said, out := make(lines, 100), new(bytes.Buffer)
	c := rootCommand()
	c.SetArgs([]string{"simulate", "--out", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--latency", "1ms"})
	c.SetOut(out)
	c.SetErr(said)
	done := make(chan error, 1)
	go func() { done <- c.ExecuteContext(ctx) }()
	gateway, admin := said.await(t, "not for real use, at "), said.await(t, "admin at ")

	cfg, err := config.Load(filepath.Join(dir, standalone.BridgeFile), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	main := cfg.Apps["main"]
	main.URL = gateway
	app, err := app.NewAlipayApp(t.Context(), main, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	credit := app.Client(alipay.Merchant{AppAuthToken: cfg.Accounts["shop-credit"].AppAuthTokenFile.Text.Reveal()})
	reply, err := credit.Do(t.Context(), &alipay.TradeQuery{TradeNo: "2026110122001400000000000006"})
	if err != nil || reply.OutTradeNo != "C20261101006" {
		t.Errorf("a trade of examples/orders.jsonl: %+v, %v", reply, err)
	}
	if got := post(t, admin+"/faults", `[{kind: refuse, sub_code: ACQ.ACCESS_FORBIDDEN}]`); got != http.StatusOK {
		t.Errorf("POST /faults = %d", got)
	}
	if got := post(t, admin+"/faults", `[{kind: earthquake}]`); got != http.StatusBadRequest {
		t.Errorf("POST of a bad fault = %d", got)
	}
	_, err = credit.Do(t.Context(), &alipay.TradeQuery{OutTradeNo: "C1"})
	if refused := (*alipay.Error)(nil); !errors.As(err, &refused) || refused.SubCode != "ACQ.ACCESS_FORBIDDEN" {
		t.Errorf("err = %v, want the fault", err)
	}
	checkJournal(t, admin)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := out.String(); !strings.Contains(got, "2 calls = 2 queries + 0 requests for an effect (0 took effect + 0 did not: repeats, refusals, faults)") {
		t.Errorf("at the end it said %q", got)
	}
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	resp, err := http.Post(url, "application/yaml", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func checkJournal(t *testing.T, admin string) {
	t.Helper()
	resp, err := http.Get(admin + "/journal")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []string
	for d := json.NewDecoder(resp.Body); d.More(); {
		var line struct{ Kind, Method, Verdict, Fault string }
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Kind+" "+line.Verdict)
	}
	want := []string{"request 10000", "request 40004 ACQ.ACCESS_FORBIDDEN"}
	if !slices.Equal(got, want) {
		t.Errorf("journal = %q, want %q", got, want)
	}
}
