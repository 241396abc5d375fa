package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

// leakEvents are events of every channel with a whole buyer in each, and some that are refused.
func leakEvents(now time.Time) string {
	var b strings.Builder
	event := func(id, kind, account, more string) {
		fmt.Fprintf(&b, `{"event_id":"%s","event_type":"%s","occurred_at":"%s","order_created_at":"%s","order_no":"%s","account":"%s",%s`+"}\n",
			id+kind, kind, now.Format(time.RFC3339), now.Format(time.RFC3339), id, account, more)
	}
	const price = `"total":{"minor":100,"currency":"CNY"},"subject":"tea",` + canaryBuyer
	for name := range leakFaults() {
		event(name, "CREATED", "shop", price)
	}
	for _, account := range []string{"aes", "sig", "dial", "tls", "echo", "bare"} {
		event("o_"+account, "CREATED", account, price)
	}
	event("after", "QUERY_REQUESTED", "shop", canaryBuyer)
	const kong = `"channel":"HK","trade_no":"2026112200000000000000000001","total":{"minor":100,"currency":"HKD"},` + canaryBuyer
	event("hk_1", "PAID", "kong", kong)
	for i := range 4 {
		event(fmt.Sprint("echoed_", i), "CREATED", "echoes", price) // whose app is not trusted any more: its events wait
		event(fmt.Sprint("hk_echoed_", i), "PAID", "echo-hk", kong)
	}
	event("unknown", "CREATED", "nobody", price)
	event("payee", "CREATED", "shop", `"seller_id":"2088000000000066",`+price)
	event("extra", "CREATED", "shop", `"extra_json":"{\"canaryName0012\":\"canaryStreet0013\"}",`+price)
	event("bad", "CREATED", "shop", `"total":{"minor":-1,"currency":"CNY"},"subject":"canaryName0012 / = &",`+canaryBuyer)
	event("long", "CREATED", "shop", strings.Replace(price, "13800770014", strings.Repeat("13800770014", 9), 1))
	event("brackets", "CREATED", "shop", `"business_params_json":"{\"13800770014",`+price)
	return b.String()
}

// TestNothingLeaks runs the bridge as a process at each log level through every failure that can
// be provoked, and looks for canaries in every byte that leaves it: logs, spans, topics, and what
// the commands for people print (security G2, G8, O5, O7, Y1).
func TestNothingLeaks(t *testing.T) {
	for _, level := range []string{"debug", "info", "warn", "error"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, level)
			w.send(leakEvents(time.Now().Add(-time.Minute)))
			bridge := w.start(nil, "run", "-c", "bridge.yaml")
			w.untilDone(bridge)
			w.breakFiles(bridge)
			outputs := map[string]string{"log": bridge.end(), "spans": w.spans.Take()}
			for _, topic := range []string{"alipay-results", "alipay-snapshots", "trade-observations", "bridge-journal", "order-events.dlq", "alipay-queries.dlq"} {
				_, outputs[topic] = w.records(topic)
			}
			if level == "error" { // once is enough
				w.commands(outputs)
			}
			for name, text := range outputs {
				w.scan(name, text, name != "order-events.dlq" && !strings.HasPrefix(name, "inspect"))
			}
			if len(outputs["spans"]) == 0 || len(outputs["alipay-snapshots"]) == 0 || !strings.Contains(outputs["order-events.dlq"], "canaryName0012") {
				t.Error("there was nothing to look at")
			}
		})
	}
}

// send puts the events, and some bytes that are none, into the input topic.
func (w *world) send(lines string) {
	w.t.Helper()
	registry, err := avro.NewRegistry(w.kafka.RegistryOptions())
	apptest.NoError(w.t, err)
	defer registry.Close()
	events, err := order.ReadEvents("lines", strings.NewReader(lines), order.NewCodec(registry))
	apptest.NoError(w.t, err)
	cl, err := kgo.NewClient(w.kafka.ClientOptions()...)
	apptest.NoError(w.t, err)
	defer cl.Close()
	apptest.NoError(w.t, records.SendEvents(w.t.Context(), cl, order.NewCodec(registry), inputTopic, events))
	junk := &kgo.Record{Topic: inputTopic, Key: []byte("junk"), Value: []byte("\x00\x00\x00\x00\x01 " + canaryBuyer)}
	apptest.NoError(w.t, cl.ProduceSync(w.t.Context(), junk, &kgo.Record{Topic: inputTopic, Key: []byte("text"), Value: []byte(canaryBuyer)}).FirstErr())
}

// untilDone waits until every event that can end has ended and the others have failed for a while.
func (w *world) untilDone(bridge *child) {
	w.t.Helper()
	results := len(leakFaults()) + 15 // aes, dial, tls, echo, bare, the query, HK, six that are refused and two that are no events
	done := func() bool {
		n, _ := w.records("alipay-results")
		refused := 0
		for _, r := range w.sim.Journal().Requests {
			if strings.Contains(r.Verdict, "invalid-signature") {
				refused++
			}
		}
		return n >= results && w.echoes.Load() >= 7 && refused > 0
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	net := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
			continue
		case <-bridge.ended:
		case <-net:
		}
		n, _ := w.records("alipay-results")
		w.t.Fatalf("%d results, %d echoes\n%s", n, w.echoes.Load(), bridge.text())
	}
}

// breakFiles spoils keys and settings while the bridge runs.
func (w *world) breakFiles(bridge *child) {
	w.t.Helper()
	apptest.WriteSecret(w.t, w.dir, "own.pem", "-----BEGIN PRIVATE KEY-----\n"+w.secrets[len(w.secrets)-5]+"\n-----END PRIVATE KEY-----\n")
	apptest.WriteSecret(w.t, w.dir, "token", canaryToken+"\r\n"+canaryToken)
	bridge.signal(syscall.SIGHUP)
	bridge.until("the previous keys stay in force")
	text := w.settings("debug", "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", "")
	apptest.WriteSecret(w.t, w.dir, "bridge.yaml", strings.Replace(text, "app_auth_token_file: token", "app_auth_token: "+canaryToken, 1)+"secret: "+canarySASL+"\n")
	bridge.signal(syscall.SIGHUP)
	bridge.until("the previous settings stay in force")
	apptest.WriteSecret(w.t, w.dir, "own.pem", apptest.PrivatePEM(apptest.OwnKey()))
	apptest.WriteSecret(w.t, w.dir, "token", canaryToken)
	apptest.WriteSecret(w.t, w.dir, "bridge.yaml", text)
}

// commands runs what people run, on good and bad settings.
func (w *world) commands(outputs map[string]string) {
	text := w.settings("debug", "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3", "")
	apptest.WriteSecret(w.t, w.dir, "inline.yaml", strings.Replace(text, "private_key_file: own.pem", "private_key_file: '"+strings.Join(w.secrets[12:20], "")+"'", 1))
	apptest.WriteSecret(w.t, w.dir, "open.yaml", strings.ReplaceAll(text, "token_file: token", "token_file: "+canaryToken))
	apptest.WriteSecret(w.t, w.dir, "sasl.yaml", strings.Replace(text, "slot: s", "slot: s, tls: {enabled: true}, sasl: {mechanism: PLAIN, user: bridge, password_file: sasl}", 1))
	apptest.WriteSecret(w.t, w.dir, "event.json", strings.SplitN(leakEvents(time.Now()), "\n", 2)[0])
	for name, args := range map[string]string{
		"print": "check --print -c bridge.yaml", "check": "check -c bridge.yaml", "check inline": "check -c inline.yaml", "check open": "check -c open.yaml",
		"run inline": "run -c inline.yaml", "tail results": "tail results --brokers " + w.kafka.Addrs()[0] + " --registry " + w.kafka.RegistryURL() + " --to-end",
		"inspect request": "inspect request -c bridge.yaml --account aes event.json",
	} {
		c := w.start(nil, strings.Fields(args)...)
		<-c.ended // its code is another test's
		if outputs[name] = c.text(); outputs[name] == "" {
			w.t.Errorf("%s printed nothing", name)
		}
	}
	sasl := w.start(nil, "run", "-c", "sasl.yaml")
	sasl.until("bridge starts")
	outputs["run with SASL"] = sasl.end()
}

// scan looks for secrets in every coding in which they may stand, and for the buyer.
func (w *world) scan(name, text string, masked bool) {
	for _, s := range w.secrets {
		for _, form := range []string{s, hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s))} {
			if i := strings.Index(text, strings.TrimRight(form, "=")); i >= 0 {
				w.t.Errorf("%s shows the secret %.12s...: ...%q", name, s, text[max(0, i-200):i+10])
				return
			}
		}
	}
	for _, s := range []string{"sign=", "app_id=", "signature="} { // with the rest a signed request, which never expires
		if i := strings.Index(text, s); i >= 0 && !strings.HasPrefix(name, "inspect") {
			w.t.Errorf("%s shows a signed request: ...%q", name, text[max(0, i-200):i+10])
			return
		}
	}
	if !masked {
		return
	}
	for _, p := range personal {
		if i := strings.Index(text, p); i >= 0 {
			w.t.Errorf("%s shows %s of the buyer: ...%q", name, p, text[max(0, i-200):i+20])
			return
		}
	}
}
