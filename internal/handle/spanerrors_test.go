package handle_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// A span is an error where a person must look: no outcome, EXHAUSTED, INVALID. A refusal by Alipay is an
// outcome like any other.
func TestSpansThatAreErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		faults []simulator.Fault
		change func(*order.Event)
		want   string // the description of an error; empty: none
	}{
		"applied":            {nil, func(*order.Event) {}, ""},
		"refused by Alipay":  {[]simulator.Fault{simulator.Refuse(simulator.TradeCreate, "ACQ.TOTAL_FEE_EXCEED")}, func(*order.Event) {}, ""},
		"invalid":            {nil, func(e *order.Event) { e.Subject = "" }, "INVALID"},
		"exhausted":          {[]simulator.Fault{simulator.CutBefore(simulator.TradeCreate).Times(100)}, func(*order.Event) {}, "EXHAUSTED"},
		"permission missing": {[]simulator.Fault{simulator.Refuse(simulator.TradeCreate, "ACQ.ACCESS_FORBIDDEN")}, func(*order.Event) {}, "no outcome"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, tt.faults...)
				spans := tracetest.NewInMemoryExporter()
				d.options.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("bridge")
				d.handler = handle.NewHandler(d.options)
				ev := created("o1")
				tt.change(&ev)
				d.send(ev)
				got := slices.DeleteFunc(spans.GetSpans(), func(s tracetest.SpanStub) bool { return s.Name != "process in" })
				if len(got) != 1 {
					t.Fatalf("%d spans of the handling", len(got))
				}
				if s := got[0].Status; s.Description != tt.want || (s.Code == codes.Error) != (tt.want != "") {
					t.Errorf("status %v %q, want %q", s.Code, s.Description, tt.want)
				}
			})
		})
	}
}
