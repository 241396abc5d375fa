package sight

import (
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// still is an engine that shows the same at each look.
type still struct{ look.Engine }

func (s still) Look(limit int) look.Engine {
	out := s.Engine
	out.At = time.Now()
	out.Records = out.Records[:min(limit, len(out.Records))]
	return out
}

type anApp struct{ off time.Duration }

func (anApp) Ends() map[string]time.Time {
	return map[string]time.Time{"app_cert_file": time.Now().Add(100 * 24 * time.Hour)}
}
func (a anApp) ClockOffset() time.Duration { return a.off }

// busy is an engine with so many partitions and accounts, in which something of everything waits.
func busy(partitions, accounts int) look.Engine {
	b := look.NewBuilder(100)
	e := look.Engine{At: time.Now(), Bytes: 1 << 20, MaxBytes: 16 << 20}
	for i := range partitions {
		for j, cause := range look.Causes() {
			b.Add(look.Record{
				Topic: "order-events", Partition: int32(i), Offset: int64(j), Since: e.At.Add(-time.Duration(i+j) * time.Second),
				Facts: look.Facts{Account: fmt.Sprint("shop-", i%accounts), OrderNo: fmt.Sprint("o", i), Method: "alipay.trade.create", Cause: cause},
			})
		}
		e.Partitions = append(e.Partitions, look.Partition{Topic: "order-events", Partition: int32(i), State: "open", Head: 7, HeadSince: e.At.Add(-time.Minute), Window: 0.1})
	}
	b.Into(&e)
	return e
}

// watched is a sight over one pipeline with such an engine.
func watched(t testing.TB, e look.Engine, accounts int) (*Sight, *metrics.Set) {
	t.Helper()
	cfg := config.Default()
	cfg.Apps, cfg.Accounts = map[string]config.App{"main": {}}, map[string]config.Account{}
	of := map[order.Account]string{}
	for i := range accounts {
		cfg.Accounts[fmt.Sprint("shop-", i)] = config.Account{App: "main"}
		of[order.Account(fmt.Sprint("shop-", i))] = "main"
	}
	m, err := Metrics(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := New(m, nil)
	p := s.NewPipeline("calls", "g", nil, slog.New(slog.DiscardHandler))
	p.Guard("main", breaker.Options{InFlight: 10})
	p.Watch(still{e})
	s.Describe(Process{
		Audit: func() admin.Audit { return admin.Audit{} },
		Group: "g", Slot: "one", Version: "v1", Go: "go1", Settings: func() string { return "abc" }, Ready: func() bool { return true }, Trouble: func() string { return "" }, Waits: func() Wait { return Wait{} },
		Recent: &telemetry.Recent{}, Apps: map[string]App{"main": anApp{}}, Accounts: of,
	})
	return s, m
}

// The worst partitions come first, and what is not listed is counted.
func TestStatusIsBounded(t *testing.T) {
	e := busy(1000, 10)
	e.Partitions[700].State, e.Partitions[700].Reason = "stopped", "because"
	e.Partitions[800].State = "restoring"
	e.Partitions[900].HeadSince = e.At.Add(-time.Hour)
	s, _ := watched(t, e, 10)
	got := s.Status(30)
	if len(got.Partitions) != 20 || got.PartitionsOmitted != 980 || len(got.Waiting) != 30 || len(got.Accounts) != 10 {
		t.Errorf("%d partitions and %d omitted, %d events, %d accounts", len(got.Partitions), got.PartitionsOmitted, len(got.Waiting), len(got.Accounts))
	}
	for i, want := range []int32{700, 800, 900} {
		if got.Partitions[i].Partition != want {
			t.Errorf("partition %d is number %d, want %d", got.Partitions[i].Partition, i, want)
		}
	}
	if got.Verdict.Level != admin.LevelRisk {
		t.Errorf("%+v", got.Verdict)
	}
	for i := 1; i < len(got.Waiting); i++ {
		if got.Waiting[i].Since.Before(got.Waiting[i-1].Since) {
			t.Fatalf("event %d waits longer than the one before it", i)
		}
	}
}

// A pipeline that makes no calls, such as that of trade status, has no part in the state of an app.
func TestStatusOfAPipelineWithoutCalls(t *testing.T) {
	s, _ := watched(t, busy(1, 1), 1)
	s.NewPipeline("status", "g-status", nil, slog.New(slog.DiscardHandler)).Watch(still{busy(2, 1)})
	if got := s.Status(5); len(got.Pipelines) != 2 || len(got.Apps) != 1 || got.Apps[0].Limit != 10 {
		t.Errorf("%+v", got)
	}
}

// What waits for a breaker is tried when that probes: at the first of its pipelines.
func TestWhenABreakerProbes(t *testing.T) {
	soon, later := time.Now().Add(3*time.Second), time.Now().Add(8*time.Second)
	s := admin.Status{
		Apps: []admin.App{{Name: "main", Breakers: []admin.Breaker{{Method: "m", Probe: later}, {Method: "m", Probe: soon}, {Method: "closed"}}}, {Name: "other", Breakers: []admin.Breaker{{Method: "m"}}}},
		Waiting: []admin.Waiting{
			{Account: "a", Method: "m", Cause: "breaker"}, {Account: "a", Method: "closed", Cause: "breaker"}, {Account: "b", Method: "m", Cause: "breaker"},
			{Account: "a", Method: "m", Cause: "retry", Next: later}, {Account: "a", Method: "m", Cause: "person"}, {Account: "gone", Method: "m", Cause: "breaker"},
		},
	}
	waitForProbes(&s, map[order.Account]string{"a": "main", "b": "other"})
	for i, want := range []time.Time{soon, {}, {}, later, {}, {}} {
		if got := s.Waiting[i].Next; !got.Equal(want) {
			t.Errorf("%+v, want %s", s.Waiting[i], want)
		}
	}
}

// Events of users are counted a second; what the bridge itself writes is not.
func TestEventsPerSecond(t *testing.T) {
	s, _ := watched(t, busy(1, 1), 1)
	own := s.NewPipeline("status", "g-status", nil, slog.New(slog.DiscardHandler))
	own.Internal = true
	own.Watch(still{busy(1, 1)})
	s.scale.at = time.Now().Add(-10 * time.Second)
	s.pipelines[0].finished.Store(50)
	own.finished.Store(5000)
	s.sample(false)
	if got := s.Status(0).Instance.EventsPerSecond; got < 1 || got > 5 { // a slow machine makes it less
		t.Errorf("%v events a second, want about 5", got)
	}
}

// A pipeline is stalled only if events could be handled, have waited for a minute, and none was finished.
func TestStalled(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		oldest   []look.Oldest
		finished time.Duration // ago
		want     bool
	}{
		"nothing waits":                     {nil, time.Hour, false},
		"ready for a minute":                {[]look.Oldest{{Cause: look.Ready, Since: now.Add(-61 * time.Second)}}, 2 * time.Minute, true},
		"ready for less":                    {[]look.Oldest{{Cause: look.Ready, Since: now.Add(-50 * time.Second)}}, 2 * time.Minute, false},
		"others are finished":               {[]look.Oldest{{Cause: look.Ready, Since: now.Add(-time.Hour)}}, 10 * time.Second, false},
		"they wait for a breaker, a person": {[]look.Oldest{{Cause: look.Breaker, Since: now.Add(-time.Hour)}, {Cause: look.Person, Since: now.Add(-time.Hour)}}, time.Hour, false},
	} {
		s, _ := watched(t, look.Engine{}, 1)
		s.began = now.Add(-24 * time.Hour)
		p := s.pipelines[0]
		p.finishedAt.Store(now.Add(-tt.finished).UnixNano())
		if got := p.stalled(&look.Engine{At: now, Oldest: tt.oldest}); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// BenchmarkScrape: 1,000 partitions and 10 accounts.
func BenchmarkScrape(b *testing.B) {
	s, m := watched(b, busy(1000, 10), 10)
	h := s.MetricsHandler(m)
	size := 0
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		body, _ := io.ReadAll(w.Body)
		size = len(body)
	}
	b.ReportMetric(float64(size), "bytes")
}

// BenchmarkStatus: the same, as the page asks for it.
func BenchmarkStatus(b *testing.B) {
	s, _ := watched(b, busy(1000, 10), 10)
	for b.Loop() {
		_ = s.Status(20)
	}
}
