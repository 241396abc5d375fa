package telemetry

import (
	"fmt"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// Sampling says which traces are kept.
type Sampling struct {
	Ratio        float64 // share of the traces beginning here that are kept, 0 to 1
	MaxPerSecond int     // traces that producers have sampled and that are kept, per second and input topic; 0: all
}

// sampler keeps the share of our own traces, follows the decision of a producer within the ceiling, and
// keeps the parts of a trace together.
func (s Sampling) sampler() sdktrace.Sampler {
	remote := sdktrace.AlwaysSample()
	if s.MaxPerSecond > 0 {
		remote = &ceiling{perSecond: s.MaxPerSecond, topics: map[string]*rate.Limiter{}}
	}
	return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(s.Ratio), sdktrace.WithRemoteParentSampled(remote))
}

// ceiling bounds the traces that producers have sampled: a producer may set the flag on all its records
// (security O6; W3C Trace Context, section 7.2).
type ceiling struct {
	perSecond int

	mu     sync.Mutex
	topics map[string]*rate.Limiter // by input topic, of which the settings have a few; guarded by mu
}

// ShouldSample keeps a trace while its topic is below the ceiling.
func (c *ceiling) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	r := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if c.of(topicOf(p)).Allow() {
		r.Decision = sdktrace.RecordAndSample
	}
	return r
}

// Description is the name of the sampler.
func (c *ceiling) Description() string { return fmt.Sprintf("Ceiling{%d/s}", c.perSecond) }

func (c *ceiling) of(topic string) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.topics[topic] == nil {
		c.topics[topic] = rate.NewLimiter(rate.Limit(c.perSecond), c.perSecond)
	}
	return c.topics[topic]
}

// topicOf returns the topic of a consumer's span.
func topicOf(p sdktrace.SamplingParameters) string {
	for _, a := range p.Attributes {
		if a.Key == semconv.MessagingDestinationNameKey {
			return a.Value.AsString()
		}
	}
	return ""
}
