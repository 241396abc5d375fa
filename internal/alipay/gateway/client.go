package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// protocol is how one gateway works: how requests are sealed and answers opened.
type protocol interface {
	supports(alipay.Method) bool
	write(alipay.Request) ([]byte, error) // the content, in plain
	seal(ctx context.Context, m alipay.Merchant, r call, content []byte) (*sealedRequest, error)
	open(ctx context.Context, r call, s *sealedRequest, a *answer) (alipay.Reply, error)
	checkSigner(ctx context.Context) error
	inherit(old protocol) error // takes over what the old one has learned; the error says why it cannot
}

// App is one Alipay app: a gateway, its keys and its connections, shared by many merchants.
// It prints as <hidden>.
type App struct {
	inUse   atomic.Pointer[protocol] // replaced as a whole by UseKeys
	http    *http.Client
	timeout time.Duration
	tracer  trace.Tracer
	clock   clockWatch
	address []attribute.KeyValue // of the gateway, for spans

	long         places // of answers to calls
	longDownload places // of certificates: opening an answer may wait for one
}

func newApp(w protocol, u *url.URL, t transport) *App {
	if t.timeout <= 0 {
		t.timeout = t.fallback
	}
	if t.tracer == nil {
		t.tracer = noop.NewTracerProvider().Tracer("")
	}
	a := &App{http: t.client(), long: newPlaces(longAnswers), longDownload: newPlaces(1), timeout: t.timeout, tracer: t.tracer, clock: clockWatch{log: orDiscard(t.log), now: orNow(t.now)}}
	a.inUse.Store(&w)
	a.address = addressOf(u)
	return a
}

// protocol returns the protocol with the keys that are in use. A call uses one of them from its
// first byte to its last.
func (a *App) protocol() protocol { return *a.inUse.Load() }

// Close drops idle connections. Running calls are not affected.
func (a *App) Close() { a.http.CloseIdleConnections() }

// Format, LogValue and MarshalText keep what the app holds out of fmt, slog, JSON and YAML.
func (a *App) Format(f fmt.State, _ rune)   { fmt.Fprint(f, keys.Hidden) }
func (a *App) LogValue() slog.Value         { return slog.StringValue(keys.Hidden) }
func (a *App) MarshalText() ([]byte, error) { return []byte(keys.Hidden), nil }

// Client makes calls for one merchant of an app. It is safe for concurrent use.
type Client struct {
	app      *App
	merchant atomic.Pointer[alipay.Merchant]
}

// Client returns the client of one merchant. It shares the app's connections.
func (a *App) Client(m alipay.Merchant) *Client {
	c := &Client{app: a}
	c.SetMerchant(m)
	return c
}

// Supports reports whether the client's gateway has the method.
func (c *Client) Supports(m alipay.Method) bool { return c.app.protocol().supports(m) }

// SetMerchant replaces tokens and address. Sealed requests keep theirs; the next
// attempt of the same call uses the new ones.
func (c *Client) SetMerchant(m alipay.Merchant) { c.merchant.Store(&m) }

// Format, LogValue and MarshalText print as the merchant does.
func (c *Client) Format(f fmt.State, _ rune)   { fmt.Fprint(f, c.merchant.Load().String()) }
func (c *Client) LogValue() slog.Value         { return c.merchant.Load().LogValue() }
func (c *Client) MarshalText() ([]byte, error) { return c.merchant.Load().MarshalText() }

// Do makes one attempt of one call: validate, seal, send, open. It returns nil only when
// Alipay provably did or answered it; any other outcome is an [*alipay.Error], whose class decides what
// to do. If the answer was not believed, it wraps a [*StepError]. The reply is filled as far as the answer could be read, even with an error.
func (c *Client) Do(ctx context.Context, r alipay.Request) (alipay.Reply, error) {
	return c.Seal(ctx, r)(ctx)()
}

// Seal is [Client.Do] in three steps; only the second one waits for Alipay. Seal validates and
// signs. If the request is wrong, nothing is sent and the last step returns the error. A sealed
// request must be sent soon: its timestamp is signed.
func (c *Client) Seal(ctx context.Context, r alipay.Request) alipay.Send {
	by := caller{c.app.protocol(), *c.merchant.Load()}
	s, sealErr := c.app.seal(ctx, by, r)
	return func(ctx context.Context) func() (alipay.Reply, error) {
		if sealErr != nil {
			return func() (alipay.Reply, error) { return alipay.Reply{Method: r.Method()}, sealErr }
		}
		ctx, span := c.app.startSpan(ctx, r.Method())
		spanAttempt(span, alipay.AttemptOf(ctx))
		ctx, cancel := context.WithTimeoutCause(ctx, c.app.timeout, errTimeout)
		ans, err := c.app.send(ctx, r, s, c.app.long)
		return func() (alipay.Reply, error) {
			defer cancel()
			defer ans.release()
			rep := alipay.Reply{Method: r.Method()}
			if err == nil {
				spanStatus(span, ans.status)
				rep, err = by.open(ctx, r, s, ans)
				rep.Body = ans.own(rep.Body)
				c.app.clock.saw(s.at, ans, rep)
			}
			endSpan(span, rep, err)
			return rep, err
		}
	}
}

// caller is the merchant and the protocol of one attempt.
type caller struct {
	protocol
	merchant alipay.Merchant
}

// prepare validates and writes a request.
func prepare(w protocol, m alipay.Merchant, r alipay.Request) ([]byte, error) {
	if !w.supports(r.Method()) {
		return nil, &alipay.Error{Method: r.Method(), Class: alipay.Misconfigured, Scope: alipay.ScopeMethod, Message: "this gateway does not have the method"}
	}
	if err := m.Validate(); err != nil {
		return nil, &alipay.Error{Method: r.Method(), Class: alipay.Misconfigured, Scope: alipay.ScopeAccount, Message: "the account's settings", Err: err}
	}
	err := alipay.Check(r)
	if err == nil {
		var content []byte
		if content, err = w.write(r); err == nil {
			return content, nil
		}
	}
	return nil, &alipay.Error{Method: r.Method(), Class: alipay.Rejected, Message: "the request is not valid; nothing was sent", Err: err}
}

// errTimeout is the cause of an attempt's own deadline.
var errTimeout error = tooLong{}

type tooLong struct{}

func (tooLong) Error() string { return "the attempt took too long" }

// Timeout says so to whoever asks, as errors of package net do.
func (tooLong) Timeout() bool { return true }

// seal writes and signs one request.
func (a *App) seal(ctx context.Context, by caller, r alipay.Request) (*sealedRequest, error) {
	content, err := prepare(by.protocol, by.merchant, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, errTimeout)
	defer cancel()
	s, err := by.seal(ctx, by.merchant, r, content)
	if e := (*alipay.Error)(nil); err != nil && !errors.As(err, &e) {
		return nil, &alipay.Error{Method: r.Method(), Class: alipay.Transient, Message: "not signed; nothing was sent", Unsent: true, Err: err}
	}
	return s, err
}

// CheckSigner lets the app's signer sign a fixed text and verifies the signature, so that a
// remote signer shows its faults at start. The error wraps [keys.ErrSigner].
func (a *App) CheckSigner(ctx context.Context) error { return a.protocol().checkSigner(ctx) }

// UseKeys puts the keys of another app in use, one that was built from the same settings after
// their files changed: our own keys, Alipay's, certificates and the encryption key. Running calls
// keep the old ones. What the app has learned stays: which of two own keys Alipay accepts, and
// the certificates that were downloaded, if the new root bundle leads to them. The other app must not be used after that. After an error nothing has changed (security, Y3).
func (a *App) UseKeys(from *App) error {
	next := from.protocol()
	if err := next.inherit(a.protocol()); err != nil {
		return err
	}
	a.inUse.Store(&next)
	return nil
}

// ClockOffset is how far our clock is ahead of the gateway's, by the last answer; negative: behind. An
// answer shows whole seconds, so less than two mean nothing.
func (a *App) ClockOffset() time.Duration { return a.clock.offset() }

// Ends returns the time at which each certificate, or each key of Alipay's with an end, becomes
// invalid, by the name that an operator knows.
func (a *App) Ends() map[string]time.Time {
	g, ok := a.protocol().(*classic)
	switch {
	case !ok:
		return nil
	case g.trust.certs != nil:
		return g.trust.certs.Ends()
	}
	ends := map[string]time.Time{}
	for i, k := range g.trust.keys {
		if !k.Until.IsZero() {
			ends[fmt.Sprintf("more_alipay_keys[%d]", i-1)] = k.Until
		}
	}
	return ends
}

// OwnKeys returns the fingerprints of the public halves of the app's own keys: the one in use first, then the next one.
func (a *App) OwnKeys() []string {
	switch p := a.protocol().(type) {
	case *classic:
		return p.keys.Fingerprints()
	case *hk:
		return []string{keys.Fingerprint(keys.PublicOf(p.signer))}
	}
	return nil
}

var errOtherApp = errors.New("alipay: another app, gateway or mode: only keys can be replaced; restart the bridge for the rest")
