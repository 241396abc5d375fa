package telemetry_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/telemetry"
)

// TestSpansOfSentRecords: one for each record whose trace is kept, as long as the transaction took. The ceiling
// does not count them.
func TestSpansOfSentRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer, spans := sampled(&telemetry.Sampling{Ratio: 1, MaxPerSecond: 1})
		ctx, process := tracer.Start(telemetry.Extract(t.Context(), record("traceparent", parent)), "process in")
		var batch []*kgo.Record
		for _, topic := range []string{"results", "snapshots", "observations"} {
			r := &kgo.Record{Topic: topic, Value: []byte("value")}
			telemetry.Inject(ctx, r)
			batch = append(batch, r)
		}
		process.End()
		batch = append(batch, &kgo.Record{Topic: "journal"}, record("traceparent", unsampled))
		began := time.Now()
		time.Sleep(30 * time.Millisecond)
		telemetry.Sent(tracer, batch, began, "")
		telemetry.Sent(tracer, batch[:1], began, "fenced")
		ended := spans.Ended()
		if len(ended) != 5 {
			t.Fatalf("%d spans, want the handling and four records", len(ended))
		}
		for i, name := range []string{"send results", "send snapshots", "send observations", "send results"} {
			s := ended[i+1]
			if s.Name() != name || s.SpanKind() != trace.SpanKindProducer || s.Parent().SpanID() != process.SpanContext().SpanID() || s.EndTime().Sub(s.StartTime()) != 30*time.Millisecond {
				t.Errorf("span %d is %s, a %s below %s, of %s", i, s.Name(), s.SpanKind(), s.Parent().SpanID(), s.EndTime().Sub(s.StartTime()))
			}
			if failed := i == 3; (s.Status().Code == codes.Error) != failed {
				t.Errorf("span %d: %v", i, s.Status())
			}
		}
		got := map[string]string{}
		for _, a := range ended[4].Attributes() {
			got[string(a.Key)] = a.Value.String()
		}
		for key, want := range map[string]string{
			"messaging.system": "kafka", "messaging.operation.name": "send", "messaging.operation.type": "send",
			"messaging.destination.name": "results", "messaging.message.body.size": "5", "error.type": "fenced",
		} {
			if got[key] != want {
				t.Errorf("%s = %q, want %q", key, got[key], want)
			}
		}
	})
}
