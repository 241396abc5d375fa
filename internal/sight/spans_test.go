package sight

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/telemetry"
)

// TestTransactionsHaveSpans: also one that fails, and with its end.
func TestTransactionsHaveSpans(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracer := telemetry.TracingTo(spans, telemetry.TracingOptions{}).Tracer()
	ctx, process := tracer.Start(t.Context(), "process in")
	r := &kgo.Record{Topic: "results"}
	telemetry.Inject(ctx, r)
	tx := New(nil, tracer).NewPipeline("calls", "g", &produce.Transactor{}, slog.New(slog.DiscardHandler)).Tx
	if err := tx.Commit(t.Context(), produce.Batch{Records: []*kgo.Record{r}}); err == nil {
		t.Fatal("committed without a producer")
	}
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != "send results" || ended[0].Parent().SpanID() != process.SpanContext().SpanID() || ended[0].Status().Code != codes.Error || ended[0].Status().Description != "failed" {
		t.Errorf("spans: %v", ended)
	}
}
