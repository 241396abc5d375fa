package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// MinWait is the shortest wait that has a span of its own. Most waits are far shorter, and a span costs
// some microseconds.
const MinWait = 5 * time.Millisecond

// Waited adds a span to the trace of the context for a wait that is over now. Short ones are left out.
func Waited(ctx context.Context, why string, took time.Duration) {
	if took < MinWait {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	now := time.Now()
	_, wait := span.TracerProvider().Tracer(Scope).Start(ctx, why, trace.WithTimestamp(now.Add(-took)))
	wait.End(trace.WithTimestamp(now))
}
