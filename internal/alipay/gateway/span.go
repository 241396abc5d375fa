package gateway

import (
	"context"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
)

// Attributes of spans that OpenTelemetry has no names for.
const (
	keyMethod  = attribute.Key("alipay.method")
	keyClass   = attribute.Key("alipay.class")
	keyCode    = attribute.Key("alipay.code")
	keySubCode = attribute.Key("alipay.sub_code")
	keyTraceID = attribute.Key("alipay.trace_id")
	keyAttempt = attribute.Key("bridge.attempt")
)

// addressOf returns the address of a gateway as spans have it. The URL has no query: that is a signed
// request.
func addressOf(u *url.URL) []attribute.KeyValue {
	port, err := strconv.Atoi(u.Port())
	switch {
	case err == nil:
	case u.Scheme == "https":
		port = 443
	default:
		port = 80
	}
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return []attribute.KeyValue{
		semconv.HTTPRequestMethodPost, semconv.ServerAddress(u.Hostname()), semconv.ServerPort(port), semconv.URLFull(bare.String()),
	}
}

// startSpan begins the client span of one exchange. It is named after Alipay's method, because all requests
// have the same path. The trace does not continue at Alipay.
func (a *App) startSpan(ctx context.Context, m alipay.Method) (context.Context, trace.Span) {
	ctx, span := a.tracer.Start(ctx, string(m), trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(a.address...)
		span.SetAttributes(keyMethod.String(string(m)))
	}
	return ctx, span
}

// spanAttempt says which exchange of its event a span is.
func spanAttempt(span trace.Span, at alipay.Attempt) {
	if at.Number == 0 || !span.IsRecording() {
		return
	}
	span.SetAttributes(keyAttempt.Int(at.Number))
	if at.Resends > 0 {
		span.SetAttributes(semconv.HTTPRequestResendCount(at.Resends))
	}
}

// exchange is send with a span of its own, for the download of a certificate.
func (a *App) exchange(ctx context.Context, r call, s *sealedRequest) (*answer, error) {
	ctx, span := a.startSpan(ctx, r.Method())
	ans, err := a.send(ctx, r, s, a.longDownload)
	if err == nil {
		body := ans.own(ans.body)
		ans.release()
		ans.body = body
		spanStatus(span, ans.status)
	}
	endSpan(span, alipay.Reply{}, err)
	return ans, err
}

func spanStatus(span trace.Span, status int) {
	if span.IsRecording() {
		span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	}
}

// endSpan ends a span with class and codes; texts of Alipay stay out of spans.
func endSpan(span trace.Span, rep alipay.Reply, err error) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	class := alipay.ClassOf(err)
	span.SetAttributes(keyClass.String(class.String()))
	for _, a := range []attribute.KeyValue{keyCode.String(rep.Code), keySubCode.String(rep.SubCode), keyTraceID.String(rep.TraceID)} {
		if a.Value.AsString() != "" {
			span.SetAttributes(a)
		}
	}
	switch class {
	case alipay.Done, alipay.Accepted, alipay.Rejected: // a refusal is a healthy answer
	default:
		span.SetAttributes(semconv.ErrorTypeKey.String(class.String()))
		span.SetStatus(codes.Error, class.String())
	}
}
