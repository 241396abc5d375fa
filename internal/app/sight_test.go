package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
)

// get asks a port of a process in the bubble.
func (w *world) get(url string) (int, string) {
	w.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: w.network.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get(url)
	apptest.NoError(w.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	apptest.NoError(w.t, err)
	return resp.StatusCode, string(body)
}

// TestMetricsOfAProcess: a scrape shows what was called, what became visible, and how old it was.
func TestMetricsOfAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(lifeSettings)
		time.Sleep(10 * time.Second)
		_, before := w.get("http://localhost:9464/metrics")
		for _, want := range []string{
			`bridge_results_total{account="other",outcome="applied"} 0`,
			`bridge_dead_letters_total{reason="unknown_account",topic="order-events.dlq"} 0`,
			`bridge_attempts_total{account="shop",app="main",class="untrusted",method="alipay.trade.create"} 0`,
			`bridge_build_info{goversion="go`,
			`bridge_progressing{pipeline="calls"} 1`,
			"process_start_time_seconds ", "go_goroutines ",
		} {
			if !strings.Contains(before, want) {
				t.Errorf("before the first event there is no %s", want)
			}
		}
		w.send("o1", "shop")
		w.send("o2", "stranger")
		w.wantResults("o1=APPLIED", "o2=INVALID")
		time.Sleep(time.Second)
		_, after := w.get("http://localhost:9464/metrics")
		for _, want := range []string{
			`bridge_events_total{end="result",topic="order-events"} 2`,
			`bridge_results_total{account="shop",outcome="applied"} 1`,
			`bridge_results_total{account="other",outcome="applied"} 0`,
			`bridge_results_total{account="_other",outcome="invalid"} 1`, // an account that the settings do not have
			`bridge_dead_letters_total{reason="unknown_account",topic="order-events.dlq"} 1`,
			`bridge_attempts_total{account="shop",app="main",class="done",method="alipay.trade.create"} 1`,
			`bridge_attempt_duration_seconds_count{app="main",class="done",method="alipay.trade.create"} 1`,
			`bridge_step_duration_seconds_count{app="main",method="alipay.trade.create",step="exchange"} 1`,
			`bridge_event_age_seconds_count{account="shop"} 1`,
			`bridge_breaker_state{app="main",method="alipay.trade.create",pipeline="calls"} 0`,
			`bridge_calls_limit{app="main",pipeline="calls"} 256`,
			`bridge_partitions_assigned{pipeline="calls"} 2`,
			`bridge_account_stopped{account="shop",app="main",reason="misconfigured"} 0`,
			`bridge_settle_pending{pipeline="calls"} 0`,
		} {
			if !strings.Contains(after, want) {
				t.Errorf("after two events there is no %s", want)
			}
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
		if t.Failed() {
			for line := range strings.Lines(after) {
				if strings.HasPrefix(line, "bridge_") && !strings.HasSuffix(line, " 0\n") {
					t.Log(strings.TrimSpace(line))
				}
			}
		}
	})
}
