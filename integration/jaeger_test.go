//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// Ports of the test's own Jaeger.
const jaegerQuery, jaegerGRPC, jaegerHTTP = "26686", "24317", "24318"

// jaeger runs jaeger.sh on the ports of the test.
func jaeger(args ...string) ([]byte, error) {
	cmd := exec.Command("./jaeger.sh", args...)
	cmd.Env = append(os.Environ(), "JAEGER_QUERY_PORT="+jaegerQuery, "JAEGER_GRPC_PORT="+jaegerGRPC, "JAEGER_HTTP_PORT="+jaegerHTTP)
	return cmd.CombinedOutput()
}

// startJaeger starts Jaeger until the end of the test. Where it cannot be built, the test is skipped, but not in CI.
func startJaeger(t *testing.T) {
	t.Helper()
	if out, err := jaeger("get"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("Jaeger cannot be built: %v\n%s", err, out)
		}
		t.Skipf("Jaeger cannot be built: %v\n%s", err, out)
	}
	out, err := jaeger("start")
	t.Cleanup(func() { _, _ = jaeger("stop") })
	if err != nil {
		t.Fatalf("start Jaeger: %v\n%s", err, out)
	}
}

// jaegerSpan is a span as Jaeger's query API shows it.
type jaegerSpan struct {
	TraceID       string
	SpanID        string
	OperationName string
	References    []struct{ RefType, SpanID string }
	StartTime     int64 // microseconds
	Duration      int64 // microseconds
	Tags          []struct {
		Key   string
		Value any
	}
}

func (s jaegerSpan) tag(key string) string {
	for _, t := range s.Tags {
		if t.Key == key {
			return fmt.Sprint(t.Value)
		}
	}
	return ""
}

func (s jaegerSpan) parent() string {
	for _, r := range s.References {
		if r.RefType == "CHILD_OF" {
			return r.SpanID
		}
	}
	return ""
}

// spansOf finds the one trace of an order by its number.
func (e *environment) spansOf(no string) []jaegerSpan {
	e.t.Helper()
	var found struct {
		Data []struct{ Spans []jaegerSpan }
	}
	tags, _ := json.Marshal(map[string]string{"bridge.order_no": no})
	from := "http://127.0.0.1:" + jaegerQuery + "/api/traces?" + url.Values{"service": {e.prefix + "bridge"}, "tags": {string(tags)}, "lookback": {"1h"}}.Encode()
	await(e.t, "the trace of order "+no, patience, func() bool {
		res, err := http.Get(from)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return json.NewDecoder(res.Body).Decode(&found) == nil && len(found.Data) > 0
	})
	if len(found.Data) != 1 {
		e.t.Fatalf("order %s has %d traces, want 1", no, len(found.Data))
	}
	return found.Data[0].Spans
}

// tree is a trace as text, each span below its parent. Waits for what the machine was busy with are left out.
func (e *environment) tree(spans []jaegerSpan, parent string, times bool) string {
	slices.SortFunc(spans, func(a, b jaegerSpan) int {
		if a.StartTime != b.StartTime {
			return int(a.StartTime - b.StartTime)
		}
		return strings.Compare(a.OperationName, b.OperationName)
	})
	var b strings.Builder
	var write func(parent, indent string)
	write = func(parent, indent string) {
		for _, s := range spans {
			if s.parent() != parent || !times && slices.Contains([]string{"wait slot", "wait breaker", "sign"}, s.OperationName) {
				continue
			}
			b.WriteString(indent + strings.ReplaceAll(s.OperationName, e.prefix, ""))
			for _, key := range []string{"bridge.outcome", "bridge.attempts", "bridge.attempt", "alipay.class", "alipay.sub_code", "bridge.found"} {
				if v := s.tag(key); v != "" {
					fmt.Fprintf(&b, " %s=%s", key[strings.IndexByte(key, '.')+1:], v)
				}
			}
			if times {
				fmt.Fprintf(&b, "   at %.1f ms, %.1f ms", float64(s.StartTime-spans[0].StartTime)/1000, float64(s.Duration)/1000)
			}
			b.WriteString("\n")
			write(s.SpanID, indent+"  ")
		}
	}
	write(parent, "")
	return b.String()
}

// TestTracesInJaeger: the trace of each order is found by its number, over both protocols of OTLP, with its
// attempts, its waits and what was sent, below the span of its producer.
func TestTracesInJaeger(t *testing.T) {
	startJaeger(t)
	e := newEnvironment(t, 1, 20*time.Millisecond,
		simulator.TooManyRequests(simulator.TradeCreate, time.Second).Order("J2"), simulator.CutAfter(simulator.TradeCreate).Order("J3"))
	settings, err := os.ReadFile(e.settings)
	must(t, err)
	const producer = "00f067aa0ba902b7"
	events := orders(2)[:1]
	for i, protocol := range []string{"grpc", "http/protobuf"} {
		endpoint := "http://127.0.0.1:" + []string{jaegerGRPC, jaegerHTTP}[i]
		must(t, os.WriteFile(e.settings, fmt.Appendf(nil, "%stelemetry: {otlp_endpoint: %q, otlp_protocol: %s, service_name: %sbridge}\n", settings, endpoint, protocol, e.prefix), 0o600))
		p := e.run("a")
		for _, no := range [][]string{{"J1", "J2", "J3"}, {"J4"}}[i] {
			e.sendTraced(events[0], no, producer)
		}
		e.results(3 + i)
		e.merged(t)
		p.stop(t) // sends the spans
	}
	for no, want := range map[string]string{
		"J1": `process events outcome=APPLIED attempts=1
  alipay.trade.create attempt=1 class=DONE
  send observations
  send results
  process observations
    send status
`,
		"J2": `process events outcome=APPLIED attempts=2
  alipay.trade.create attempt=1 class=THROTTLED
  wait backoff
  alipay.trade.create attempt=2 class=DONE
  send observations
  send results
  process observations
    send status
`,
		"J3": `process events outcome=APPLIED attempts=2
  alipay.trade.create attempt=1 class=AMBIGUOUS
  resolve alipay.trade.create found=ours
    alipay.trade.query attempt=2 class=DONE
  send observations
  send observations
  send results
  send snapshots
  process observations
    send status
  process observations
    send status
`,
		"J4": `process events outcome=APPLIED attempts=1
  alipay.trade.create attempt=1 class=DONE
  send observations
  send results
  process observations
    send status
`,
	} {
		spans := e.spansOf(no)
		if got := e.tree(spans, producer, false); got != want {
			t.Errorf("order %s:\n%swant:\n%s", no, got, want)
		}
		t.Logf("order %s, trace %s:\n%s", no, spans[0].TraceID, e.tree(spans, producer, true))
	}
}

// merged waits until the pipeline of trade status has settled all observations. The last record of a partition is the
// end of a transaction.
func (e *environment) merged(t *testing.T) {
	t.Helper()
	e.settled(t, "group-status", "observations", 1)
}

// settled waits until a group has settled all records of a topic. At the end of each partition there are so many that
// only end transactions.
func (e *environment) settled(t *testing.T, group, name string, ends int64) {
	t.Helper()
	adm, topic := kadm.NewClient(e.client()), e.topic(name)
	await(t, "all of "+name+" is settled", patience, func() bool {
		last, err := adm.ListEndOffsets(t.Context(), topic)
		must(t, err)
		settled, err := adm.FetchOffsets(t.Context(), e.prefix+group)
		must(t, err)
		some, behind := false, false
		last.Each(func(end kadm.ListedOffset) {
			at, _ := settled.Lookup(topic, end.Partition)
			some, behind = some || end.Offset > 0, behind || end.Offset > 0 && at.At < end.Offset-ends
		})
		return some && !behind
	})
}

// sendTraced produces an event of an order in a trace of its own.
func (e *environment) sendTraced(ev order.Event, no, span string) {
	e.t.Helper()
	ev.ID, ev.OrderNo = order.EventID("e-"+no), alipay.OutTradeNo(no)
	value, err := asked(e.t.Context(), func() ([]byte, error) { return e.codec.EncodeEvent(e.t.Context(), e.topic("events"), ev) })
	must(e.t, err)
	r := &kgo.Record{Topic: e.topic("events"), Key: []byte(no), Value: value, Headers: []kgo.RecordHeader{{Key: "traceparent", Value: fmt.Appendf(nil, "00-%032x-%s-01", time.Now().UnixNano(), span)}}}
	must(e.t, e.client().ProduceSync(e.t.Context(), r).FirstErr())
}
