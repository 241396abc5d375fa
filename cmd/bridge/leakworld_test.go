package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app/apptest"
	outside "alipay-kafka-bridge/internal/audit"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/localkafka"
	"alipay-kafka-bridge/internal/simulator"
)

// Canaries stand where secrets and a buyer's data stand; none of them may show outside.
const (
	canaryToken    = "202611canaryAppAuthToken0001"
	canaryAgent    = "canaryAgentToken0002"
	canaryRegistry = "canaryRegistryPassword0003"
	canarySASL     = "canarySaslPassword0004"
	canaryMask     = "canaryMaskKey0005canaryMaskKey0005"
	canaryAES      = "Y2FuYXJ5QWVzS2V5MDAwNg==" // canaryAesKey0006

	canaryBuyer = `"buyer_user_id":"2088777766660007","buyer_open_id":"canaryOpenId0008","buyer_logon_id":"canary.login0009@example.com",` +
		`"op_app_id":"2021000000000077","op_buyer_open_id":"canaryOpOpenId0010","passback_params":"canaryPassback0011",` +
		`"receiver":{"name":"canaryName0012","address":"canaryStreet0013","mobile":"13800770014","zip":"canaryZip0015"}`
)

// personal are the canaries of a buyer.
var personal = []string{
	"2088777766660007", "canaryOpenId0008", "canary.login0009", "canaryOpOpenId0010", "canaryPassback0011",
	"canaryName0012", "canaryStreet0013", "13800770014", "canaryZip0015",
}

// world is everything around a bridge that runs as a process of its own: Kafka, registry,
// Alipay in several states of health, and a collector of spans.
type world struct {
	t       *testing.T
	dir     string
	kafka   *localkafka.Cluster
	sim     *simulator.Simulator
	spans   apptest.Buffer
	echoes  atomic.Int64 // requests at the gateway that gives everything back
	secrets []string
}

// faults are those that strike the order that is named after them, once.
func leakFaults() map[string]simulator.Fault {
	c := simulator.TradeCreate
	return map[string]simulator.Fault{
		"before": simulator.CutBefore(c), "after": simulator.CutAfter(c), "html": simulator.BadGateway(c), "unsigned": simulator.Unsigned(c),
		"wrongkey": simulator.WrongKey(c), "swapped": simulator.Swapped(c), "truncated": simulator.Truncated(c), "system": simulator.SystemError(c),
		"refused": simulator.Refuse(c, "ACQ.INVALID_PARAMETER"), "reset": simulator.TCPReset(c), "throttled": simulator.Throttled(c),
	}
}

func newWorld(t *testing.T, level string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	own, later := apptest.PrivatePEM(apptest.OwnKey()), apptest.PrivatePEM(apptest.LaterKey())
	w.secrets = []string{
		canaryToken, canaryAgent, canaryRegistry, canarySASL, canaryMask, canaryAES, "canaryAesKey0006",
		apptest.OwnKey().D.String(), apptest.OwnKey().D.Text(16), apptest.OwnKey().Primes[0].String(), apptest.OwnKey().Primes[0].Text(16),
	}
	for _, text := range []string{own, later} {
		w.secrets = append(w.secrets, strings.Split(text, "\n")[1:25]...)
	}
	var faults []simulator.Fault
	for name, f := range leakFaults() {
		faults = append(faults, f.Order(name))
	}
	var err error
	w.sim, err = simulator.New(simulator.Options{Faults: faults,
		Apps: []simulator.App{{ID: testApp, SellerID: "2088000000000000", PublicKey: &apptest.OwnKey().PublicKey, SigningKey: apptest.PlatformKey(), AESKey: []byte("canaryAesKey0006"),
			Merchants: []simulator.Merchant{{Name: "shop", SellerID: "2088000000000001", AppAuthToken: canaryToken}}}},
		HKApps: []simulator.HKApp{{ClientID: testHKApp, MerchantKeys: map[string]*rsa.PublicKey{"1": &apptest.OwnKey().PublicKey}, PlatformKey: apptest.PlatformKey(), PlatformKeyVersion: "1"}},
	})
	apptest.NoError(t, err)
	sim, echo, collector := w.serve(w.sim), w.serve(http.HandlerFunc(w.echo)), w.serve(http.HandlerFunc(w.collect))
	w.kafka, err = localkafka.Start(localkafka.Options{Topics: topicsOfSettings(config.Default().Topics)})
	apptest.NoError(t, err)
	t.Cleanup(w.kafka.Close)

	for name, text := range map[string]string{
		"own.pem": own, "later.pem": later, "alipay.pub": apptest.PublicPEM(&apptest.PlatformKey().PublicKey), "token": canaryToken, "agent": canaryAgent,
		"password": canaryRegistry, "sasl": canarySASL, "mask": canaryMask, "aes": canaryAES,
		"bridge.yaml": w.settings(level, sim, echo, collector, ""),
	} {
		apptest.WriteSecret(t, w.dir, name, text)
	}
	return w
}

func (w *world) serve(h http.Handler) string {
	s := httptest.NewServer(h)
	w.t.Cleanup(s.Close)
	return s.URL
}

// settings has an app for each way in which a gateway can fail.
func (w *world) settings(level, sim, echo, collector, more string) string {
	brokers, err := json.Marshal(w.kafka.Addrs())
	apptest.NoError(w.t, err)
	app := func(name, url, key, more string) string {
		return fmt.Sprintf("  %s: {kind: openapi, environment: simulator, url: '%s', app_id: '%s', private_key_file: %s, alipay_public_key_file: alipay.pub, timeout: 1s, breaker: {open: 200ms}, retry: {back_off: 10ms, back_off_max: 100ms, not_found_pause: 100ms, min_attempts: 3, max_trying: 500ms}%s}\n", name, url, testApp, key, more)
	}
	const hk = "  %s: {kind: alipayhk, environment: simulator, url: '%s', client_id: hk-client, private_key_file: own.pem, platform_keys: {'1': alipay.pub}, timeout: 1s, breaker: {open: 200ms}, retry: {back_off: 10ms, back_off_max: 100ms, min_attempts: 3, max_trying: 500ms}}\n"
	text := "kafka: {brokers: " + string(brokers) + ", start: earliest, slot: s" + more + "}\n" +
		"registry: {url: '" + w.kafka.RegistryURL() + "', user: bridge, password_file: password}\n" +
		"telemetry: {log_level: " + level + ", otlp_endpoint: '" + collector + "/v1/traces'}\nprobes: {listen: '127.0.0.1:0'}\nmetrics: {listen: '127.0.0.1:0'}\nadmin: {listen: '127.0.0.1:0'}\nprivacy: {key_file: mask}\n" +
		"topics:\n  inputs: [{accounts: [shop, aes, sig, dial, tls, echo, echoes, bare, kong, echo-hk], default_account: shop}]\napps:\n" +
		app("main", sim, "own.pem", ", next_private_key_file: later.pem") + app("aes", sim, "own.pem", ", aes_key_file: aes") +
		app("sig", sim, "later.pem", "") + app("dial", "http://127.0.0.1:1", "own.pem", "") + app("tls", strings.Replace(sim, "http:", "https:", 1), "own.pem", "") + app("echo", echo, "own.pem", "") + app("echoes", echo, "own.pem", "") +
		fmt.Sprintf(hk, "hk", sim) + fmt.Sprintf(hk, "echo-hk", echo) + "accounts:\n"
	text += "  sig: {app: sig, channel: TRADE}\n  bare: {app: echo, channel: TRADE}\n" // no token, whose sight would hide the whole echo
	for _, a := range []string{"aes", "dial", "tls", "echo", "echoes"} {
		text += "  " + a + ": {app: " + a + ", channel: TRADE, app_auth_token_file: token}\n"
	}
	return text + "  shop: {app: main, channel: TRADE, app_auth_token_file: token}\n  kong: {app: hk, agent_token_file: agent}\n  echo-hk: {app: echo-hk, agent_token_file: agent}\n"
}

// echo is a gateway that fails in another way each time and gives back all that it was sent.
func (w *world) echo(res http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	all := r.RequestURI + " " + string(body) + " " + fmt.Sprint(r.Header)
	text, _ := json.Marshal(html.EscapeString(all))
	if r.URL.Query().Has("app_id") && !strings.Contains(all, canaryToken) {
		node := fmt.Sprintf(`{"code":"40002","sub_code":"isv.invalid-parameter","msg":"Invalid Arguments","sub_msg":%s}`, text)
		digest := sha256.Sum256([]byte(node))
		sign, _ := rsa.SignPKCS1v15(nil, apptest.PlatformKey(), crypto.SHA256, digest[:])
		fmt.Fprintf(res, `{"%s_response":%s,"sign":"%s"}`, strings.ReplaceAll(r.URL.Query().Get("method"), ".", "_"), node, base64.StdEncoding.EncodeToString(sign))
		return
	}
	n := w.echoes.Add(1)
	if strings.Contains(all, "o_echo") { // the same each time, so that this event ends
		n = 1
	}
	switch {
	case n == 5: // once: it makes its event wait for a person
		res.Header().Set("Tracer-Id", inOneLine(all))
		res.Header().Set("Location", "http://127.0.0.1/"+inOneLine(all))
		http.Error(res, all, http.StatusFound)
	case n%6 == 0:
		http.Error(res, "<html>"+all, http.StatusBadGateway)
	case n%6 == 1:
		_, _ = io.WriteString(res, "<html>"+all)
	case n%6 == 2:
		fmt.Fprintf(res, `{"error_response":{"code":"40002","sub_code":"isv.invalid-signature","msg":%s,"sub_msg":%s}}`, text, text)
	case n%6 == 3:
		fmt.Fprintf(res, `{"alipay_trade_create_response":{"code":"40004","sub_code":%s,"msg":%s,"sub_msg":%s},"sign":%s}`, text, text, text, text)
	case n%6 == 4:
		fmt.Fprintf(res, `{"result":{"resultStatus":"U","resultCode":%s,"resultMessage":%s}}`, text, text)
	default:
		c, _, err := res.(http.Hijacker).Hijack()
		if err == nil {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s \x01: x\r\n\r\n", all)
			_ = c.Close()
		}
	}
}

// inOneLine keeps a text in a header line.
func inOneLine(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }

// collect keeps the spans that arrive, as bytes.
func (w *world) collect(res http.ResponseWriter, r *http.Request) {
	body := r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(res, "no gzip", http.StatusBadRequest)
			return
		}
		body = z
	}
	b, _ := io.ReadAll(body)
	_, _ = w.spans.Write(b)
}

// childArgs are the arguments of a bridge in a process of its own, one a line.
const childArgs = "BRIDGE_TEST_CHILD"

// TestBridgeChild is that process.
func TestBridgeChild(t *testing.T) {
	args := os.Getenv(childArgs)
	if args == "" {
		t.Skip("only as a child")
	}
	os.Exit(run(strings.Split(args, "\n")))
}

// child is a running bridge and all that it prints.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and all that it printed is in out
	out   apptest.Buffer
	all   bytes.Buffer
}

func (w *world) start(stdin io.Reader, args ...string) *child {
	w.t.Helper()
	c := &child{t: w.t, ended: make(chan struct{}), cmd: exec.CommandContext(w.t.Context(), os.Args[0], "-test.run=^TestBridgeChild$")}
	c.cmd.Dir, c.cmd.Env, c.cmd.Stdin = w.dir, append(os.Environ(), "STATE_DIRECTORY="+w.dir, childArgs+"="+strings.Join(args, "\n")), stdin
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	apptest.NoError(w.t, c.cmd.Start())
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // how it ended is in its output
	}()
	return c
}

// until waits for words in what it prints.
func (c *child) until(words string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for tick := time.Tick(20 * time.Millisecond); !strings.Contains(c.text(), words); {
		select {
		case <-tick:
			continue
		case <-c.ended:
		case <-ctx.Done():
		}
		if text := c.text(); !strings.Contains(text, words) {
			c.t.Fatalf("never said %q:\n%s", words, text)
		}
	}
}

func (c *child) text() string {
	c.all.WriteString(c.out.Take())
	return c.all.String()
}

// end stops it and returns all that it printed.
func (c *child) end() string {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-c.ended
	return c.text()
}

func (c *child) signal(s os.Signal) {
	c.t.Helper()
	apptest.NoError(c.t, c.cmd.Process.Signal(s))
}

// records reads every record of a topic, also of aborted transactions: keys, values and headers as bytes.
func (w *world) records(topic string) (n int, text string) {
	w.t.Helper()
	all, err := outside.ReadTopics(w.t.Context(), append(w.kafka.ClientOptions(), kgo.FetchIsolationLevel(kgo.ReadUncommitted())), topic)
	apptest.NoError(w.t, err)
	var b strings.Builder
	for _, r := range all {
		fmt.Fprintf(&b, "%s\n%s\n", r.Key, r.Value)
		for _, h := range r.Headers {
			fmt.Fprintf(&b, "%s=%s\n", h.Key, h.Value)
		}
	}
	return len(all), b.String()
}
