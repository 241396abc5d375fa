package telemetry

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Sent adds a span for each record that one transaction sent, to the trace in its headers. Records
// of traces that are not kept, and records without a trace, have none. errorType says how the
// transaction failed; "": it did not.
func Sent(tracer trace.Tracer, records []*kgo.Record, began time.Time, errorType string) {
	now := time.Now()
	for _, r := range records {
		sc := trace.SpanContextFromContext(Extract(context.Background(), r))
		if !sc.IsSampled() {
			continue
		}
		// The bridge wrote the header, so it is no producer's decision that the ceiling bounds.
		ctx := trace.ContextWithSpanContext(context.Background(), sc.WithRemote(false))
		_, span := tracer.Start(ctx, "send "+r.Topic, trace.WithSpanKind(trace.SpanKindProducer), trace.WithTimestamp(began))
		if span.IsRecording() {
			span.SetAttributes(
				semconv.MessagingSystemKafka,
				semconv.MessagingOperationName("send"),
				semconv.MessagingOperationTypeSend,
				semconv.MessagingDestinationName(r.Topic),
				semconv.MessagingMessageBodySize(len(r.Value)),
			)
			if errorType != "" {
				span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
				span.SetStatus(codes.Error, errorType)
			}
		}
		span.End(trace.WithTimestamp(now))
	}
}
