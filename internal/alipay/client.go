package alipay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// wire is what one gateway demands: how requests are sealed and answers opened.
type wire interface {
	speaks(Method) bool
	write(Request) ([]byte, error) // the content, in plain
	seal(ctx context.Context, m Merchant, r call, content []byte) (*sealed, error)
	open(ctx context.Context, r call, s *sealed, a *answer) (Reply, error)
	checkSigner(ctx context.Context) error
	follow(old wire) error // takes over what the old one has learned, or says why it cannot
}

// App is one Alipay app: a gateway, its keys and its connections, shared by many merchants.
// It prints as <hidden>.
type App struct {
	spoken  atomic.Pointer[wire] // replaced as a whole by UseKeys
	http    *http.Client
	timeout time.Duration
	tracer  trace.Tracer
	host    string // for spans
	port    int
}

func newApp(w wire, u *url.URL, t transport) *App {
	if t.timeout <= 0 {
		t.timeout = t.fallback
	}
	if t.tracer == nil {
		t.tracer = noop.NewTracerProvider().Tracer("")
	}
	a := &App{http: t.client(), timeout: t.timeout, tracer: t.tracer}
	a.spoken.Store(&w)
	a.host, a.port = hostPort(u)
	return a
}

// wire is the protocol with the keys that are in use. A call keeps to one from its first byte
// to the last.
func (a *App) wire() wire { return *a.spoken.Load() }

// Close drops idle connections. Calls that run are not disturbed.
func (a *App) Close() { a.http.CloseIdleConnections() }

// Format, LogValue and MarshalText keep what the app holds out of fmt, slog, JSON and YAML.
func (a *App) Format(f fmt.State, _ rune)   { fmt.Fprint(f, hidden) }
func (a *App) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (a *App) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Client makes calls for one merchant of an app. It is safe for concurrent use.
type Client struct {
	app      *App
	merchant atomic.Pointer[Merchant]
}

// Client returns the client of one merchant. It shares the app's connections.
func (a *App) Client(m Merchant) *Client {
	c := &Client{app: a}
	c.SetMerchant(m)
	return c
}

// SetMerchant replaces tokens and address. Requests that are sealed keep theirs; the next one
// of a call that is tried again has the new ones.
func (c *Client) SetMerchant(m Merchant) { c.merchant.Store(&m) }

// Format, LogValue and MarshalText print as the merchant does.
func (c *Client) Format(f fmt.State, _ rune)   { fmt.Fprint(f, c.merchant.Load().String()) }
func (c *Client) LogValue() slog.Value         { return c.merchant.Load().LogValue() }
func (c *Client) MarshalText() ([]byte, error) { return c.merchant.Load().MarshalText() }

// Do makes one attempt of one call: validate, seal, send, open. It returns nil only when
// Alipay provably did or answered it; any other outcome is an [*alipay.Error], whose class says what
// to do. The reply is filled as far as the answer could be read, even with an error.
func (c *Client) Do(ctx context.Context, r Request) (Reply, error) { return c.Seal(ctx, r)(ctx)() }

// Seal is [Client.Do] in three steps, of which only the second one is Alipay's time. Seal
// validates and signs; what is wrong with the request is returned at the end, and nothing is sent.
// A sealed request is to be sent soon: its timestamp is signed.
func (c *Client) Seal(ctx context.Context, r Request) Send {
	by := speaker{c.app.wire(), *c.merchant.Load()}
	s, sealErr := c.app.seal(ctx, by, r)
	return func(ctx context.Context) func() (Reply, error) {
		if sealErr != nil {
			return func() (Reply, error) { return Reply{Method: r.Method()}, sealErr }
		}
		ctx, span := c.app.startSpan(ctx, r.Method())
		ctx, cancel := context.WithTimeoutCause(ctx, c.app.timeout, errTimeout)
		ans, err := c.app.send(ctx, r, s)
		return func() (Reply, error) {
			defer cancel()
			rep := Reply{Method: r.Method()}
			if err == nil {
				spanStatus(span, ans.status)
				rep, err = by.open(ctx, r, s, ans)
			}
			endSpan(span, rep, err)
			return rep, err
		}
	}
}

// speaker is the merchant and the protocol of one attempt.
type speaker struct {
	wire
	merchant Merchant
}

// prepare does what needs no network.
func prepare(w wire, m Merchant, r Request) ([]byte, error) {
	if !w.speaks(r.Method()) {
		return nil, &Error{Method: r.Method(), Class: Misconfigured, Scope: ScopeMethod, Message: "this gateway does not know the method"}
	}
	if err := m.Validate(); err != nil {
		return nil, &Error{Method: r.Method(), Class: Misconfigured, Scope: ScopeAccount, Message: "the account's settings", Err: err}
	}
	err := Check(r)
	if err == nil {
		var content []byte
		if content, err = w.write(r); err == nil {
			return content, nil
		}
	}
	return nil, &Error{Method: r.Method(), Class: Rejected, Message: "the request is not valid, nothing was sent", Err: err}
}

// errTimeout is the cause of an attempt's own deadline.
var errTimeout = errors.New("the attempt took too long")

// seal writes and signs one request.
func (a *App) seal(ctx context.Context, by speaker, r Request) (*sealed, error) {
	content, err := prepare(by.wire, by.merchant, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, errTimeout)
	defer cancel()
	s, err := by.seal(ctx, by.merchant, r, content)
	if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
		return nil, &Error{Method: r.Method(), Class: Transient, Message: "not signed, nothing was sent", Err: err}
	}
	return s, err
}

// CheckSigner lets the app's signer sign a fixed text and verifies the signature, so that a
// signer that is elsewhere shows its faults at start. The error wraps [keys.ErrSigner].
func (a *App) CheckSigner(ctx context.Context) error { return a.wire().checkSigner(ctx) }

// UseKeys puts the keys of another app in use, one that was built of the same settings after
// their files changed: our own keys, Alipay's, certificates and the key of encryption. Calls
// that run keep the old ones to their end. What the app has learned stays: which of two own keys
// Alipay accepts, and the certificates that were downloaded, if the new root bundle vouches for
// them. The other app must not be used after that. After an error nothing has changed. (security, Y3)
func (a *App) UseKeys(from *App) error {
	next := from.wire()
	if err := next.follow(a.wire()); err != nil {
		return err
	}
	a.spoken.Store(&next)
	return nil
}

// Ends returns the time at which each certificate, or each key of Alipay's with an end, stops
// counting, by the name that an operator knows it by.
func (a *App) Ends() map[string]time.Time {
	g, ok := a.wire().(*gateway)
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

var errOtherApp = errors.New("alipay: another app, gateway or mode; keys alone are replaced")
