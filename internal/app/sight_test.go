package app

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/app/apptest"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/telemetry"
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
			`bridge_step_duration_seconds_count{app="main",method="alipay.trade.create",step="queue"} 1`,
			`bridge_event_age_seconds_count{account="shop"} 1`,
			`bridge_breaker_state{app="main",method="alipay.trade.create",pipeline="calls"} 0`,
			`bridge_calls_limit{app="main",pipeline="calls"} 256`,
			`bridge_partitions_assigned{pipeline="calls"} 2`,
			`bridge_account_stopped{account="shop",app="main",reason="misconfigured"} 0`,
			`bridge_settle_pending{pipeline="calls"} 0`,
			`bridge_rebalances_total{end="assigned",pipeline="calls"} 1`,
			`http_client_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",server_address="localhost",server_port="8090"} 1`,
			`messaging_client_consumed_messages_total{messaging_consumer_group_name="alipay-kafka-bridge",messaging_destination_name="order-events",messaging_operation_name="poll",messaging_system="kafka"} 2`,
			`messaging_client_sent_messages_total{messaging_destination_name="alipay-results",messaging_operation_name="send",messaging_system="kafka"} 2`,
			`messaging_client_sent_messages_total{messaging_destination_name="order-events.dlq",messaging_operation_name="send",messaging_system="kafka"} 1`,
			`messaging_process_duration_seconds_count{messaging_consumer_group_name="alipay-kafka-bridge",messaging_destination_name="order-events",messaging_operation_name="process",messaging_system="kafka"} 2`,
			`messaging_client_operation_duration_seconds_count{messaging_operation_name="send",messaging_system="kafka"} `,
			`messaging_client_operation_duration_seconds_count{messaging_consumer_group_name="alipay-kafka-bridge",messaging_operation_name="commit",messaging_system="kafka"} `,
		} {
			if !strings.Contains(after, want) {
				t.Errorf("after two events there is no %s", want)
			}
		}
		if strings.Contains(after, "bridge_kafka_connections 0\n") {
			t.Error("a running process has no connections to brokers")
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

// TestRequestsToAGateway: each is measured with the status of its answer, or with why there is none.
func TestRequestsToAGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		var refused atomic.Bool
		dial := w.dial
		w.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "localhost:8090" && refused.Load() {
				return nil, syscall.ECONNREFUSED
			}
			return dial(ctx, network, addr)
		}
		refused.Store(true)
		p := w.start(lifeSettings)
		w.send("refused", "shop")
		time.Sleep(30 * time.Second)
		refused.Store(false)
		want := []string{"refused=APPLIED"}
		for name, fault := range map[string]simulator.Fault{
			"bad": simulator.BadGateway(simulator.TradeCreate), "many": simulator.TooManyRequests(simulator.TradeCreate, 0), "cut": simulator.CutAfter(simulator.TradeCreate),
			"late": simulator.Timeout(simulator.TradeCreate), "wrong": simulator.WrongKey(simulator.TradeCreate),
		} {
			time.Sleep(2 * time.Minute)
			w.sim.AddFault(fault)
			w.send(name, "shop")
			want = append(want, name+"=APPLIED")
		}
		w.results(len(want))
		time.Sleep(time.Minute)
		_, scrape := w.get("http://localhost:9464/metrics")
		const series = `http_client_request_duration_seconds_count{`
		const gateway = `,server_address="localhost",server_port="8090"} `
		for _, line := range []string{
			`error_type="502",http_request_method="POST",http_response_status_code="502"` + gateway + "1\n",
			`error_type="429",http_request_method="POST",http_response_status_code="429"` + gateway + "1\n",
			`error_type="timeout",http_request_method="POST"` + gateway + "1\n",
			`error_type="no_answer",http_request_method="POST"` + gateway + "1\n",
			`error_type="not_sent",http_request_method="POST"` + gateway,
			`http_request_method="POST",http_response_status_code="200"` + gateway,
		} {
			if !strings.Contains(scrape, series+line) {
				t.Errorf("the scrape does not say %s", series+line)
			}
		}
		if search := `bridge_step_duration_seconds_count{app="main",method="alipay.trade.create",step="resolve"} `; !strings.Contains(scrape, search) {
			t.Error("no search for a create without an answer is measured")
		}
		if n := strings.Count(scrape, series); n != 6 {
			t.Errorf("%d series, want 6", n)
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
		if t.Failed() {
			for line := range strings.Lines(scrape) {
				if strings.Contains(line, "_count{") {
					t.Log(strings.TrimSpace(line))
				}
			}
		}
	})
}

// TestMetricsArePushed: also when the process stops, for what was settled last; a push that fails is counted.
func TestMetricsArePushed(t *testing.T) {
	var refuse atomic.Bool
	pushes := make(chan map[string]float64, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request otlp.ExportMetricsServiceRequest
		if err != nil || proto.Unmarshal(body, &request) != nil || refuse.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		got := map[string]float64{}
		for _, m := range request.ResourceMetrics[0].ScopeMetrics[0].Metrics {
			for _, point := range m.GetSum().GetDataPoints() {
				got[m.Name] += point.GetAsDouble()
			}
		}
		pushes <- got
	}))
	defer collector.Close()
	cfg := Settings{Config: config.Default()}
	cfg.Telemetry.OTLPEndpoint, cfg.Telemetry.OTLPMetricsEvery = collector.URL, time.Hour
	var log apptest.Buffer
	set, err := openMetrics(t.Context(), cfg, telemetry.Process{Service: "bridge", Instance: "one"}, slog.New(slog.NewTextHandler(&log, nil)))
	apptest.NoError(t, err)
	refuse.Store(true)
	apptest.NoError(t, set.Flush(t.Context()))
	refuse.Store(false)
	ended, cancel := context.WithCancel(t.Context())
	cancel() // as when a process stops
	stopMetrics(ended, set, slog.New(slog.NewTextHandler(&log, nil)))
	select {
	case got := <-pushes:
		if got["bridge.metrics.push.failures"] != 1 {
			t.Errorf("pushed %v, want one failure", got)
		}
	default:
		t.Error("nothing was pushed at the end")
	}
	if said := log.Take(); !strings.Contains(said, "metrics cannot be pushed") || strings.Contains(said, "the last metrics") {
		t.Error(said)
	}
}

// status asks the admin port.
func (w *world) status() admin.Status {
	w.t.Helper()
	code, body := w.get("http://localhost:8087/status.json")
	if code != http.StatusOK {
		w.t.Fatalf("status.json: %d %s", code, body)
	}
	var s admin.Status
	apptest.NoError(w.t, json.Unmarshal([]byte(body), &s))
	return s
}

// TestStatusOfAProcess: at rest and in trouble, the status says what waits, for what and since when, and
// the page says the same.
func TestStatusOfAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(lifeSettings)
		w.send("o1", "shop")
		w.wantResults("o1=APPLIED")
		time.Sleep(10 * time.Second)
		rest := w.status()
		if rest.Verdict.Level != admin.LevelFine || !rest.Instance.Ready || rest.Pipelines[0].Finished != 1 || !strings.HasPrefix(rest.Verdict.Text, "All is well: 1 event finished") || rest.Instance.Slot != "one" || len(rest.Partitions) != 3*2 || len(rest.Waiting) != 0 {
			t.Errorf("at rest: %+v", rest)
		}

		w.sim.AddFault(simulator.BadGateway(simulator.TradeCreate).Always())
		for i := range 12 {
			w.send(fmt.Sprintf("down_%d", i), "shop")
		}
		w.send("down_0", "shop")
		time.Sleep(5 * time.Minute)
		down := w.status()
		if v := down.Verdict; v.Level != admin.LevelProvider || v.Owner != "alipay" || !strings.Contains(v.Text, "alipay.trade.create of app main fails, for ") || !strings.Contains(v.Text, " events wait, none is lost") {
			t.Errorf("in an outage: %+v", v)
		}
		if b := down.Apps[0].Breakers[0]; b.State == "closed" || b.Error == "" {
			t.Errorf("the breaker: %+v", b)
		}
		if len(down.Waiting) != 12 {
			t.Fatalf("%d events wait: %+v", len(down.Waiting), down.Waiting)
		}
		first := down.Waiting[0]
		if first.OrderNo != "down_0" || first.Account != "shop" || first.Method != "alipay.trade.create" || first.Behind != 1 || down.AsOf.Sub(first.Since).Round(time.Minute) != 5*time.Minute {
			t.Errorf("the first: %+v", first)
		}
		_, page := w.get("http://localhost:8087/status?refresh=0")
		for _, want := range []string{"ALIPAY FAILS.", "down_0", "1 behind it", html.EscapeString(down.Verdict.Do)} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %q", want)
			}
		}
		_, scrape := w.get("http://localhost:9464/metrics")
		for _, want := range []string{`bridge_lag_records{cause="own_order",topic="order-events"} 1`, `bridge_stalled{pipeline="calls"} 0`, `bridge_oldest_waiting_seconds{account="shop",cause="breaker"} 3`} {
			if !strings.Contains(scrape, want) {
				t.Errorf("the scrape does not say %s", want)
			}
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}

// TestAnOutageIsNoStall: events that have no room because the started ones wait for Alipay wait for Alipay, too. More
// instances would not help, and a restart even less.
func TestAnOutageIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(strings.Replace(lifeSettings, "app_id:", "in_flight: 8, app_id:", 1))
		w.send("o1", "shop")
		w.wantResults("o1=APPLIED")
		w.sim.AddFault(simulator.Unavailable(simulator.TradeCreate).Always())
		for i := range 300 { // 8 + 64 handlings are started at a time
			w.send(fmt.Sprintf("down_%d", i), "shop")
		}
		time.Sleep(5 * time.Minute)
		s := w.status()
		if s.Verdict.Level != admin.LevelProvider || s.Pipelines[0].Stalled || s.Topics[0].Lag["ready"] > 0 {
			t.Errorf("%+v\nlag %v", s.Verdict, s.Topics[0].Lag)
		}
		if code, scale := w.get("http://localhost:9464/scale"); code != http.StatusOK || scale != "{\"replicas_wanted\":1.00}\n" {
			t.Errorf("%d %s", code, scale)
		}
		p.stop()
		apptest.NoError(t, <-p.ended)
	})
}
