package handle_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/alipay/keys"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/sight"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/telemetry"
)

const producer = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// tracedDesk is a desk whose account shop makes spans, with the guard that the service has.
type tracedDesk struct {
	*desk

	sim   *simulator.Simulator
	spans *tracetest.SpanRecorder
}

func newTracedDesk(t *testing.T, o breaker.Options, faults ...simulator.Fault) tracedDesk {
	t.Helper()
	d := tracedDesk{desk: newDesk(t), spans: tracetest.NewSpanRecorder()}
	app, err := appKeys()
	must(t, err)
	d.sim, err = simulator.New(simulator.Options{Apps: []simulator.App{app.App}, Faults: faults, Latency: simulator.Latency{Fixed: 50 * time.Millisecond}})
	must(t, err)
	pipe := simulator.NewPipe()
	srv := &http.Server{Handler: d.sim}
	go func() { _ = srv.Serve(pipe) }()
	t.Cleanup(func() { _ = srv.Close() })
	tracer := telemetry.TracingTo(d.spans, telemetry.TracingOptions{Process: telemetry.Process{Service: "bridge"}}).Tracer()
	main, err := gateway.NewOpenAPI(gateway.OpenAPIOptions{
		URL: "http://sim/gateway.do", AppID: app.App.ID, Signer: keys.NewRSASigner(app.MerchantKey), AlipayKey: &app.App.SigningKey.PublicKey, DialContext: pipe.DialContext, Tracer: tracer,
	})
	must(t, err)
	t.Cleanup(main.Close)
	o.MinAttempts, o.MaxTrying, o.AttemptTimeout = 3, time.Minute, attemptTimeout
	pipeline := sight.New(nil, tracer).NewPipeline("calls", "g", nil, slog.New(slog.DiscardHandler))
	guard := pipeline.Guard("main", o)
	client := main.Client(alipay.Merchant{})
	d.options.Tracer = tracer
	d.options.Accounts["shop"] = handle.NewAccount(handle.Account{
		Name: "shop", App: "main", Environment: "simulator", Supports: client.Supports, AttemptTimeout: attemptTimeout,
		Planner: order.NewPlanner(order.DefaultMapping(), order.Defaults{Channel: order.ChannelTrade}),
	}, func() sight.Call { return sight.Call{Call: guard.Call(pipeline.Client("main", "shop", client))} })
	d.handler = handle.NewHandler(d.options)
	return d
}

// query is an event that asks for a trade.
func queried(no string) order.Event {
	ev := created(no)
	ev.ID, ev.Type = "q-"+ev.ID, order.TypeQueryRequested
	return ev
}

// tree is the trace as text: a line for each span, indented by its depth, with chosen attributes.
func (d tracedDesk) tree() string {
	spans := d.spans.Ended()
	var b strings.Builder
	var write func(parent trace.SpanID, depth int)
	write = func(parent trace.SpanID, depth int) {
		var below []int
		for i, s := range spans {
			if s.Parent().SpanID() == parent {
				below = append(below, i)
			}
		}
		slices.SortStableFunc(below, func(i, j int) int { return spans[i].StartTime().Compare(spans[j].StartTime()) })
		for _, i := range below {
			s := spans[i]
			b.WriteString(strings.Repeat("  ", depth) + s.Name())
			for _, a := range s.Attributes() {
				switch a.Key {
				case "bridge.attempt", "bridge.attempts", "http.request.resend_count", "alipay.class", "alipay.sub_code", "bridge.outcome", "bridge.reason", "bridge.found", "bridge.handling", "error.type", "http.response.status_code":
					fmt.Fprintf(&b, " %s=%s", a.Key[strings.LastIndexByte(string(a.Key), '.')+1:], a.Value.String())
				}
			}
			if s.Status().Code == codes.Error {
				b.WriteString(" ERROR")
			}
			b.WriteString("\n")
			write(s.SpanContext().SpanID(), depth+1)
		}
	}
	root, _ := trace.SpanIDFromHex("00f067aa0ba902b7")
	write(root, 0)
	return b.String()
}

// traced is a record in the trace of its producer.
func (d tracedDesk) traced(ev order.Event) *kgo.Record {
	d.t.Helper()
	r := d.record(ev)
	r.Timestamp = time.Now().Add(-2 * time.Second)
	r.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte(producer)}}
	return r
}

// attribute returns an attribute of the first span of that name; "": there is none.
func (d tracedDesk) attribute(span, key string) string {
	for _, s := range d.spans.Ended() {
		for _, a := range s.Attributes() {
			if s.Name() == span && string(a.Key) == key {
				return a.Value.String()
			}
		}
	}
	return ""
}

// TestTraceShowsWhereTimeWent: each attempt with its class and number, the search for a lost create with its
// queries below it, and the waits that matter.
func TestTraceShowsWhereTimeWent(t *testing.T) {
	const create = simulator.TradeCreate
	for _, tt := range []struct {
		name   string
		event  order.Event
		guard  breaker.Options
		faults []simulator.Fault
		want   string
	}{
		{name: "ordinary", event: created("o1"), want: `
process in outcome=APPLIED attempts=1
  alipay.trade.create attempt=1 status_code=200 class=DONE
`},
		{name: "refused", event: created("o1"), faults: []simulator.Fault{simulator.Refuse(create, "ACQ.INVALID_PARAMETER")}, want: `
process in outcome=REJECTED attempts=1
  alipay.trade.create attempt=1 status_code=200 class=REJECTED sub_code=ACQ.INVALID_PARAMETER
`},
		{name: "repeated", event: created("o1"), faults: []simulator.Fault{simulator.TooManyRequests(create, 5*time.Second).Times(2)}, want: `
process in outcome=APPLIED attempts=3
  alipay.trade.create attempt=1 status_code=429 class=THROTTLED type=THROTTLED ERROR
  wait backoff
  alipay.trade.create attempt=2 resend_count=1 status_code=429 class=THROTTLED type=THROTTLED ERROR
  wait backoff
  alipay.trade.create attempt=3 resend_count=2 status_code=200 class=DONE
`},
		{name: "lost after its effect", event: created("o1"), faults: []simulator.Fault{simulator.CutAfter(create)}, want: `
process in outcome=APPLIED attempts=2
  alipay.trade.create attempt=1 class=AMBIGUOUS type=AMBIGUOUS ERROR
  resolve alipay.trade.create found=ours
    alipay.trade.query attempt=2 status_code=200 class=DONE
`},
		{name: "lost before its effect", event: created("o1"), faults: []simulator.Fault{simulator.CutBefore(create)}, want: `
process in outcome=APPLIED attempts=5
  alipay.trade.create attempt=1 class=AMBIGUOUS type=AMBIGUOUS ERROR
  resolve alipay.trade.create found=none
    alipay.trade.query attempt=2 status_code=200 class=REJECTED sub_code=ACQ.TRADE_NOT_EXIST
    wait not found
    alipay.trade.query attempt=3 resend_count=1 status_code=200 class=REJECTED sub_code=ACQ.TRADE_NOT_EXIST
    wait not found
    alipay.trade.query attempt=4 resend_count=2 status_code=200 class=REJECTED sub_code=ACQ.TRADE_NOT_EXIST
  alipay.trade.create attempt=5 resend_count=1 status_code=200 class=DONE
`},
		{name: "skipped", event: order.Event{ID: "e", Type: order.TypeShipped, OccurredAt: created("o1").OccurredAt, OrderNo: "o1"}, want: `
process in outcome=SKIPPED reason=unmapped
`},
		{name: "account not allowed", event: func() order.Event { ev := created("o1"); ev.Account = "other"; return ev }(), want: `
process in outcome=INVALID reason=account_not_allowed type=INVALID ERROR
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newTracedDesk(t, tt.guard, tt.faults...)
				got := d.handle(t.Context(), d.traced(tt.event))
				must(t, got.err)
				if tree := d.tree(); tree != tt.want[1:] {
					t.Errorf("got:\n%swant:%s", tree, tt.want)
				}
			})
		})
	}
}

// TestWaitsBeforeACall: for the breaker, the rate and a slot; a short one has no span.
func TestWaitsBeforeACall(t *testing.T) {
	for _, tt := range []struct {
		name   string
		guard  breaker.Options
		faults []simulator.Fault
		other  order.Event
		wait   string
		least  time.Duration
	}{
		{name: "wait rate", guard: breaker.Options{Rate: 0.5, Burst: 1}, other: created("o1"), least: time.Second},
		{name: "wait slot", guard: breaker.Options{InFlight: 1}, other: created("o1"), faults: []simulator.Fault{simulator.Delay(simulator.TradeCreate, 3*time.Second)}, least: 2 * time.Second},
		{name: "wait breaker", guard: breaker.Options{MinRequests: 1}, other: queried("o1"), faults: []simulator.Fault{simulator.SystemError(simulator.TradeQuery)}, least: 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newTracedDesk(t, tt.guard, tt.faults...)
				ended := make(chan came, 1)
				other := d.traced(tt.other)
				go func() { ended <- d.handle(t.Context(), other) }()
				synctest.Wait() // it waits for Alipay
				second := queried("o2")
				must(t, d.handle(t.Context(), d.traced(second)).err)
				must(t, (<-ended).err)
				longest := time.Duration(0)
				for _, s := range d.spans.Ended() {
					if took := s.EndTime().Sub(s.StartTime()); strings.HasPrefix(s.Name(), "wait ") || s.Name() == "sign" {
						if took < telemetry.MinWait {
							t.Errorf("%s has a span of %s", s.Name(), took)
						}
						if s.Name() == tt.name {
							longest = max(longest, took)
						}
					}
				}
				if longest < tt.least {
					t.Errorf("%s of %s, want at least %s:\n%s", tt.name, longest, tt.least, d.tree())
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// TestSpanOfAHandling: where the record was, how long it waited, and the names that OpenTelemetry has for it.
func TestSpanOfAHandling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTracedDesk(t, breaker.Options{})
		r := d.traced(created("o1"))
		r.Partition = 3
		in := consume.Input{Record: r}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		time.Sleep(7 * time.Second)
		out, err := task.Handle(t.Context(), in)
		must(t, err)
		for key, want := range map[string]string{
			"messaging.system": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process", "messaging.destination.name": "in",
			"messaging.destination.partition.id": "3", "messaging.kafka.offset": "1", "messaging.consumer.group.name": "g", "messaging.message.body.size": fmt.Sprint(len(r.Value)),
			"bridge.account": "shop", "bridge.order_no": "o1", "bridge.event_id": "e-o1", "bridge.event_type": "CREATED", "bridge.class": "DONE",
			"bridge.waited_in_topic_ms": "2000", "bridge.waited_in_lane_ms": "7000",
		} {
			if got := d.attribute("process in", key); got != want {
				t.Errorf("%s = %q, want %q", key, got, want)
			}
		}
		for key, want := range map[string]string{
			"http.request.method": "POST", "server.address": "sim", "server.port": "80", "url.full": "http://sim/gateway.do", "alipay.method": "alipay.trade.create", "alipay.code": "10000",
		} {
			if got := d.attribute("alipay.trade.create", key); got != want {
				t.Errorf("%s = %q, want %q", key, got, want)
			}
		}
		process := d.spans.Ended()[1]
		if process.SpanKind() != trace.SpanKindConsumer || !process.Parent().IsRemote() {
			t.Errorf("%s is a %s below %v", process.Name(), process.SpanKind(), process.Parent())
		}
		for _, o := range out.Records {
			if got := telemetry.Traceparent(telemetry.Extract(t.Context(), o)); !strings.Contains(got, process.SpanContext().SpanID().String()) {
				t.Errorf("a record of %s continues %s, want the handling", o.Topic, got)
			}
		}
	})
}

// TestOutputsContinueTheHandling: what a search decided belongs to the handling, not to the search.
func TestOutputsContinueTheHandling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTracedDesk(t, breaker.Options{}, simulator.CutAfter(simulator.TradeCreate))
		in := consume.Input{Record: d.traced(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		out, err := task.Handle(t.Context(), in)
		must(t, err)
		ended := d.spans.Ended()
		process := ended[len(ended)-1]
		if len(out.Records) < 3 || process.Name() != "process in" {
			t.Fatalf("%d records, last span %s", len(out.Records), process.Name())
		}
		for _, o := range out.Records {
			if got := telemetry.Traceparent(telemetry.Extract(t.Context(), o)); !strings.Contains(got, process.SpanContext().SpanID().String()) {
				t.Errorf("a record of %s continues %s", o.Topic, got)
			}
		}
	})
}

// TestHandlingWithoutOutcome: an event that waits for a person has a span for each handling.
func TestHandlingWithoutOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTracedDesk(t, breaker.Options{}, simulator.Refuse(simulator.TradeCreate, "").WithCode("20001"))
		in := consume.Input{Record: d.traced(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		if _, err := task.Handle(t.Context(), in); err == nil {
			t.Fatal("it has an outcome")
		}
		_, err = task.Handle(t.Context(), in)
		must(t, err)
		tree := d.tree()
		if !strings.Contains(tree, "process in attempts=1 type=NO_OUTCOME ERROR\n") || !strings.Contains(tree, "process in handling=2 outcome=APPLIED attempts=2\n") {
			t.Errorf("spans:\n%s", tree)
		}
	})
}

// TestEveryOutcomeHasASpan: also of records that are no event, and of those that the engine refuses.
func TestEveryOutcomeHasASpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, value := range map[string][]byte{
			"process in outcome=SKIPPED reason=tombstone\n":                      nil,
			"process in outcome=INVALID reason=undecodable type=INVALID ERROR\n": []byte("junk"),
		} {
			d := newTracedDesk(t, breaker.Options{})
			r := d.traced(created("o1"))
			r.Value = value
			must(t, d.handle(t.Context(), r).err)
			if tree := d.tree(); tree != want {
				t.Errorf("got %swant %s", tree, want)
			}
		}
		d := newTracedDesk(t, breaker.Options{})
		d.handler.Refuse(consume.Input{Record: d.traced(created("o1"))}, "panic", fmt.Errorf("boom"))
		if tree := d.tree(); tree != "process in outcome=INVALID reason=panic type=INVALID ERROR\n" || d.attribute("process in", "bridge.order_no") != "o1" {
			t.Errorf("refused: %s", tree)
		}
	})
}

// TestO6_SpansHoldIDsAndClasses: no name, address, amount or text of an event or of an answer is in a span.
func TestO6_SpansHoldIDsAndClasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTracedDesk(t, breaker.Options{}, simulator.CutAfter(simulator.TradeCreate), simulator.Refuse(simulator.TradeCreate, "ACQ.INVALID_PARAMETER").Order("o2"))
		for _, ev := range []order.Event{created("o1"), created("o2"), queried("o1"), created("o3"), {ID: "e4", Type: order.TypeCreated, OrderNo: "o4", Subject: "no amount"}} {
			ev.Subject, ev.Body, ev.BuyerLogonID = "SUBJECT", "BODY", "buyer@example.com"
			_ = d.send(ev)
		}
		var b strings.Builder
		for _, s := range d.spans.Ended() {
			fmt.Fprintf(&b, "%s %v %v %v %v\n", s.Name(), s.Attributes(), s.Status(), s.Events(), s.SpanContext().TraceState())
		}
		for _, private := range []string{"SUBJECT", "BODY", "example.com", "2088", "8888", "88.88", "sign="} {
			if strings.Contains(b.String(), private) {
				t.Errorf("%q is in a span:\n%s", private, b.String())
			}
		}
		if n := strings.Count(b.String(), "process in"); n != 5 {
			t.Errorf("%d handlings", n)
		}
	})
}
