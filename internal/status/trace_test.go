package status_test

import (
	"fmt"
	"slices"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status"
	"alipay-kafka-bridge/internal/telemetry"
)

// TestSpansSayWhatWasDecided: each names its order, also where trade status has none of it.
func TestSpansSayWhatWasDecided(t *testing.T) {
	inBubble(t, func(r *rig) {
		spans := tracetest.NewSpanRecorder()
		tracing := telemetry.TracingTo(spans, telemetry.TracingOptions{})
		defer tracing.Stop(r.t.Context())
		a := r.start("a", func(o *status.Options) { o.Tracer = tracing.Tracer() })
		late, forgotten := notified("1", "TRADE_SUCCESS"), created("1")
		late.Late = true
		forgotten.Kind, forgotten.Version, forgotten.Outcome, forgotten.CreateEventID = order.Forgotten, 1, "", ""
		r.observe(late, created("1"), created("1"), forgotten)
		r.await("shop/1", "tombstone")
		a.stop()
		var got []string
		for _, s := range spans.Ended() {
			if s.Name() == "process "+inTopic {
				got = append(got, said(s))
			}
		}
		want := []string{"shop/1 late", "shop/1 PENDING version 1", "shop/1 no_news", "shop/1 forgotten"}
		if !slices.Equal(got, want) {
			r.t.Errorf("spans say %q, want %q", got, want)
		}
	})
}

// said are the attributes of a span that the merge decided.
func said(s sdktrace.ReadOnlySpan) (text string) {
	has := map[string]any{}
	for _, a := range s.Attributes() {
		has[string(a.Key)] = a.Value.AsInterface()
	}
	text = fmt.Sprint(has["bridge.account"], "/", has["bridge.order_no"])
	for _, key := range []string{"bridge.state", "bridge.reason"} {
		if v := has[key]; v != nil {
			text += fmt.Sprint(" ", v)
		}
	}
	if v := has["bridge.version"]; v != nil {
		text += fmt.Sprint(" version ", v)
	}
	return text
}
