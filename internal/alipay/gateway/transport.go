package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
)

// Bounds of a connection.
const (
	// idleTimeout is shorter than the time after which gateways reset idle connections: a
	// reset after a create was sent is an unknown outcome [inferred from reported resets].
	idleTimeout = 30 * time.Second
	// maxRetryAfter bounds how long an untrusted header can make us wait.
	maxRetryAfter = 10 * time.Minute
)

// transport says how an app's connections are made.
type transport struct {
	inFlight int
	connect  time.Duration
	timeout  time.Duration
	fallback time.Duration // of timeout
	dial     dialFunc
	roots    *x509.CertPool
	tracer   trace.Tracer
	http2    bool
	log      *slog.Logger
	now      func() time.Time
	idle     time.Duration
}

// client builds the app's own HTTP client: as many idle connections as calls in flight (with
// the default of two, nearly every call opens a new one), HTTP/1.1 unless HTTP/2 is set, no
// proxy from the environment, no redirect followed, no cookies, no compression, TLS 1.2 or newer.
func (t transport) client() *http.Client {
	inFlight := cmp.Or(max(t.inFlight, 0), defaultInFlight)
	connect := cmp.Or(max(t.connect, 0), defaultConnectTimeout)
	dial := t.dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(t.http2)
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				ctx, cancel := context.WithTimeoutCause(ctx, connect, errConnect)
				defer cancel()
				return dial(ctx, network, addr)
			},
			TLSClientConfig:        &tls.Config{RootCAs: t.roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connect,
			MaxIdleConnsPerHost:    inFlight,
			MaxConnsPerHost:        inFlight,
			IdleConnTimeout:        cmp.Or(max(t.idle, 0), idleTimeout),
			MaxResponseHeaderBytes: maxAnswerHeader,
			DisableCompression:     true,
			Protocols:              &protocols,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errConnect = errors.New("connecting took too long")

// send makes the HTTP exchange. Its error is an [*alipay.Error] that separates a request that
// was certainly not sent from one that may have arrived.
func (a *App) send(ctx context.Context, r call, s *sealedRequest, long places) (*answer, error) {
	var mayHaveArrived atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// The transport asks for a second connection only if nothing was written on the first.
		GetConn: func(string) { mayHaveArrived.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { mayHaveArrived.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(s.body))
	if err != nil {
		return nil, &alipay.Error{Method: r.Method(), Class: alipay.Misconfigured, Scope: alipay.ScopeApp, Message: "not sent", Err: s.bare(err)}
	}
	req.Header = s.header
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "alipay-kafka-bridge")
	res, err := a.http.Do(req)
	if err != nil {
		return nil, lostError(ctx, r, mayHaveArrived.Load(), s.bare(err))
	}
	ans, err := long.read(ctx, res)
	if err != nil {
		e := lostError(ctx, r, true, s.bare(err))
		if e.HTTPStatus = res.StatusCode; errors.Is(err, errTooLong) || errors.Is(err, errCompressed) {
			e.Class = alipay.Ambiguous
		}
		return nil, e
	}
	return ans, nil
}

// lostError classifies a call without an answer.
func lostError(ctx context.Context, r call, mayHaveArrived bool, err error) *alipay.Error {
	e := &alipay.Error{Method: r.Method(), Class: alipay.Transient, Message: "not sent", Err: err}
	if mayHaveArrived {
		e.Class, e.Message = lostClass(r), "sent, but no answer came"
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(e.Err, cause) {
		e.Err = fmt.Errorf("%w: %w", cause, e.Err)
	}
	return e
}

// bare unwraps an error from its url.Error, which prints the whole URL with the signature, and
// bounds its text, in which net/http quotes what a broken peer sent.
func (s *sealedRequest) bare(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return &peerError{err: err, text: s.sanitize(err.Error(), maxMessage)}
}

// peerError is an error whose text may hold untrusted bytes.
type peerError struct {
	err  error
	text string
}

func (e *peerError) Error() string { return e.text }
func (e *peerError) Unwrap() error { return e.err }

// retryAfter reads the header Retry-After: seconds, or a date against the answer's own date.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(date), 0), maxRetryAfter)
}

// hostPort returns the address as a span has it.
func hostPort(u *url.URL) (host string, port int) {
	port, err := strconv.Atoi(u.Port())
	switch {
	case err == nil:
	case u.Scheme == "https":
		port = 443
	default:
		port = 80
	}
	return u.Hostname(), port
}

// startSpan begins the client span of one attempt. It has the address and the method,
// never the URL: the query is a signed request. The trace does not continue at Alipay.
func (a *App) startSpan(ctx context.Context, m alipay.Method) (context.Context, trace.Span) {
	return a.tracer.Start(ctx, string(m), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", http.MethodPost),
		attribute.String("server.address", a.host),
		attribute.Int("server.port", a.port),
		attribute.String("alipay.method", string(m)),
	))
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
	span.SetAttributes(attribute.Int("http.response.status_code", status))
}

// endSpan ends a span with class and codes; texts of Alipay stay out of spans.
func endSpan(span trace.Span, rep alipay.Reply, err error) {
	class := alipay.ClassOf(err)
	span.SetAttributes(attribute.String("alipay.class", class.String()))
	for _, kv := range [][2]string{{"alipay.code", rep.Code}, {"alipay.sub_code", rep.SubCode}, {"alipay.trace_id", rep.TraceID}} {
		if kv[1] != "" {
			span.SetAttributes(attribute.String(kv[0], kv[1]))
		}
	}
	switch class {
	case alipay.Done, alipay.Accepted, alipay.Rejected: // a refusal is a healthy answer
	default:
		span.SetStatus(codes.Error, class.String())
	}
	span.End()
}
