package notify_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/notify"
	"alipay-kafka-bridge/internal/telemetry"
)

// TestO6_Trace: a genuine notification begins a trace of its own, which both records continue; it names ids alone. A forged
// one begins none.
func TestO6_Trace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		tracing := telemetry.TracingTo(spans, telemetry.TracingOptions{})
		defer tracing.Stop(t.Context())
		w := start(t, func(o *notify.Options) { o.Tracer = tracing.Tracer() })
		body := genuine("ORD_1")
		w.post("/notify/shop", bytes.Replace(body, []byte("88.88"), []byte("0.01"), 1))
		if n := len(spans.Ended()); n != 0 {
			t.Errorf("a forged notification made %d spans", n)
		}
		const foreign = "4bf92f3577b34da6a3ce929d0e0e4736"
		w.post("/notify/shop", body, "traceparent", "00-"+foreign+"-00f067aa0ba902b7-01")
		i := slices.IndexFunc(spans.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.SpanKind() == trace.SpanKindServer })
		if i < 0 {
			t.Fatalf("spans %v", spans.Ended())
		}
		server := spans.Ended()[i]
		if id := server.SpanContext().TraceID().String(); id == foreign {
			t.Error("it continues the sender's trace")
		}
		said := map[string]string{}
		for _, a := range server.Attributes() {
			said[string(a.Key)] = a.Value.AsString()
		}
		for key, want := range map[string]string{"bridge.account": "shop", "bridge.order_no": "ORD_1", "bridge.trade_no": "t-ORD_1", "bridge.notify_id": "n-ORD_1", "bridge.verdict": "accepted", "http.request.method": "POST"} {
			if said[key] != want {
				t.Errorf("%s = %q, want %q", key, said[key], want)
			}
			delete(said, key)
		}
		if delete(said, "http.route"); len(said) > 0 {
			t.Errorf("the span says more: %v", said)
		}
		for _, r := range append(w.published(notifications), w.published(observations)...) {
			found := ""
			for _, h := range r.Headers {
				if h.Key == "traceparent" {
					found = string(h.Value)
				}
			}
			if !strings.Contains(found, server.SpanContext().TraceID().String()) {
				t.Errorf("%s has the trace %q", r.Topic, found)
			}
		}
	})
}
