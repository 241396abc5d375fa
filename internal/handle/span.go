package handle

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// Attributes of spans that OpenTelemetry has no names for. Spans have ids and classes, never names, addresses,
// amounts or texts of others (security O6).
const (
	keyAccount  = attribute.Key("bridge.account")
	keyOrder    = attribute.Key("bridge.order_no")
	keyEvent    = attribute.Key("bridge.event_id")
	keyType     = attribute.Key("bridge.event_type")
	keyTopic    = attribute.Key("bridge.waited_in_topic_ms") // from the timestamp of the record until it had a lane
	keyLane     = attribute.Key("bridge.waited_in_lane_ms")  // from there to the handling
	keyHandling = attribute.Key("bridge.handling")           // 2 or more: earlier handlings ended without an outcome
	keyOutcome  = attribute.Key("bridge.outcome")
	keyReason   = attribute.Key("bridge.reason")
	keyClass    = attribute.Key("bridge.class")
	keyAttempts = attribute.Key("bridge.attempts")
	keyFound    = attribute.Key("bridge.found")
)

// typeNoOutcome is the error.type of a handling that ended without an outcome: the lane keeps its event.
const typeNoOutcome = "NO_OUTCOME"

// startSpan begins the span of one handling, in the trace of its record.
func (h *Handler) startSpan(ctx context.Context, e *handling) (context.Context, trace.Span) {
	ctx = telemetry.Extract(ctx, e.in.Record)
	// The sampler needs the topic; the rest is for those who look.
	ctx, span := h.o.Tracer.Start(ctx, "process "+e.in.Topic, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(semconv.MessagingDestinationName(e.in.Topic)))
	e.handlings++
	if !span.IsRecording() {
		return ctx, span
	}
	span.SetAttributes(
		semconv.MessagingSystemKafka,
		semconv.MessagingOperationName("process"),
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingDestinationPartitionID(strconv.Itoa(int(e.in.Partition))),
		semconv.MessagingKafkaOffset(int(e.in.Offset)),
		semconv.MessagingConsumerGroupName(h.o.Group),
		semconv.MessagingMessageBodySize(len(e.in.Value)),
	)
	switch {
	case e.handlings > 1:
		span.SetAttributes(keyHandling.Int(e.handlings))
	case !e.prepared.IsZero():
		now := h.o.Now()
		span.SetAttributes(keyLane.Int64(milliseconds(now.Sub(e.prepared))))
		if e.in.Timestamp.Unix() > 0 { // a record may have none
			span.SetAttributes(keyTopic.Int64(milliseconds(e.prepared.Sub(e.in.Timestamp))))
		}
	}
	return ctx, span
}

// milliseconds is never negative: the record's time is another machine's.
func milliseconds(d time.Duration) int64 { return max(d, 0).Milliseconds() }

// endSpan ends the span of a handling; err means that there is no outcome.
func endSpan(span trace.Span, e *handling, err error) {
	if span.IsRecording() {
		if e.attempts > 0 {
			span.SetAttributes(keyAttempts.Int(e.attempts))
		}
		if err != nil {
			span.SetAttributes(semconv.ErrorTypeKey.String(typeNoOutcome))
			span.SetStatus(codes.Error, "no outcome")
		}
	}
	span.End()
}

// spanEvent says which event is handled.
func spanEvent(ctx context.Context, account order.Account, ev order.Event) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(keyAccount.String(string(account)), keyOrder.String(string(ev.OrderNo)), keyEvent.String(string(ev.ID)), keyType.String(string(ev.Type)))
	}
}

// spanResult says how the handling ended.
func spanResult(ctx context.Context, r order.Result) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(keyOutcome.String(string(r.Outcome)))
	if r.CallClass != "" {
		span.SetAttributes(keyClass.String(string(r.CallClass)))
	}
	if r.Reason != "" {
		span.SetAttributes(keyReason.String(r.Reason))
	}
	if r.Outcome == order.OutcomeExhausted || r.Outcome == order.OutcomeInvalid {
		span.SetAttributes(semconv.ErrorTypeKey.String(string(r.Outcome)))
		span.SetStatus(codes.Error, string(r.Outcome))
	}
}

// spanSkip says that the event leads to no call, and why.
func spanSkip(ctx context.Context, reason string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(keyOutcome.String("SKIPPED"), keyReason.String(reason))
	}
}

// startResolve begins the span of a search for a trade; its queries are below it.
func (h *Handler) startResolve(ctx context.Context) (context.Context, trace.Span) {
	return h.o.Tracer.Start(ctx, "resolve "+string(alipay.MethodTradeCreate))
}
