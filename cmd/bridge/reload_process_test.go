package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
)

// A bridge that runs, on SIGHUP: an event that waited for a token goes on with the new one, the
// next event is mapped by the new settings, and an account that was taken away is refused. It
// never restarts.
func TestReloadOfARunningBridge(t *testing.T) {
	w := newWorld(t, "info")
	settings := w.settings("info", w.serve(w.sim), "http://127.0.0.1:2", "http://127.0.0.1:3", "")
	apptest.WriteSecret(t, w.dir, "bridge.yaml", settings)
	apptest.WriteSecret(t, w.dir, "token", "expired")
	send := func(no string) {
		t.Helper()
		w.send(fmt.Sprintf(`{"event_id":"%s","event_type":"CREATED","occurred_at":%q,"order_no":"%s","account":"shop","total":{"minor":100,"currency":"CNY"},"subject":"tea","buyer_user_id":"2088777766660007"}`,
			no, time.Now().Add(-time.Minute).Format(time.RFC3339), no))
	}
	bridge := w.start(nil, "run", "-c", "bridge.yaml")
	send("waits")
	bridge.until("events wait without an outcome")

	apptest.WriteSecret(t, w.dir, "token", canaryToken)
	bridge.signal(syscall.SIGHUP)
	w.await("alipay-results", "shop/waits")

	apptest.WriteSecret(t, w.dir, "bridge.yaml", strings.Replace(settings, "shop: {app: main, channel: TRADE,", "shop: {app: main, channel: TRADE, mapping: [{events: [CREATED], skip: not_wanted}],", 1))
	bridge.signal(syscall.SIGHUP)
	bridge.until("accounts.shop.mapping")
	send("skipped")
	w.await("bridge-journal", "not_wanted")

	apptest.WriteSecret(t, w.dir, "bridge.yaml", strings.NewReplacer("[shop, aes,", "[aes,", "default_account: shop", "default_account: aes", "log_level: info", "log_level: info, service_name: other").Replace(settings))
	bridge.signal(syscall.SIGHUP)
	bridge.until(`settings="[accounts.shop.mapping telemetry.service_name topics.inputs[0].default_account]"`)
	send("refused")
	w.await("order-events.dlq", "dead-reason=account_not_allowed")
	if said := bridge.end(); strings.Count(said, "bridge starts") != 1 || strings.Contains(said, canaryToken) {
		t.Errorf("said %s", said)
	}
}

// await reads a topic until it holds the words.
func (w *world) await(topic, words string) {
	w.t.Helper()
	text := ""
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !strings.Contains(text, words); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s never had %q:\n%q", topic, words, text)
		}
		_, text = w.records(topic)
	}
}
