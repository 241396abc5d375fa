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
