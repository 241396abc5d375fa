package alipay

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Defaults of the options. The pages give no time-outs: 3 s and 15 s are those of the official
// Java SDK; 8 s is what Alipay+ recommends for payments. [inferred for HK]
const (
	defaultInFlight       = 256
	defaultConnectTimeout = 3 * time.Second
	defaultTimeout        = 15 * time.Second
	defaultHKTimeout      = 8 * time.Second
)

// gatewayPath is the path of the classic gateway (common parameters, "request address").
const gatewayPath = "/gateway.do"

// dialFunc opens a connection, as [net.Dialer.DialContext] does.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// OpenAPIOptions say how to reach the classic gateway as one app.
type OpenAPIOptions struct {
	URL       string         // absolute; without a path /gateway.do is meant
	AppID     string         // up to 32
	Signer    Signer         // holds the app's private key
	AlipayKey *rsa.PublicKey // verifies answers; 2048 bits or more

	InFlight       int              // most connections at once; 0 is 256
	ConnectTimeout time.Duration    // DNS, TCP and TLS together; 0 is 3 s
	Timeout        time.Duration    // of one attempt, from connecting to the last byte; 0 is 15 s
	DialContext    dialFunc         // nil is the net
	RootCAs        *x509.CertPool   // nil is the system's
	Now            func() time.Time // nil is time.Now
	Tracer         trace.Tracer     // nil records nothing
}

// HKOptions say how to reach AlipayHK's merchant gateway as one client.
type HKOptions struct {
	URL          string                    // absolute, of the host; the path of the API is appended
	ClientID     string                    // given by AlipayHK
	Signer       Signer                    // holds our private key
	KeyVersion   string                    // of our key; empty is "1"
	PlatformKeys map[string]*rsa.PublicKey // by key version; 2048 bits or more

	InFlight       int              // most connections at once; 0 is 256
	ConnectTimeout time.Duration    // DNS, TCP and TLS together; 0 is 3 s
	Timeout        time.Duration    // of one attempt, from connecting to the last byte; 0 is 8 s
	DialContext    dialFunc         // nil is the net
	RootCAs        *x509.CertPool   // nil is the system's
	Now            func() time.Time // nil is time.Now
	Tracer         trace.Tracer     // nil records nothing
}

// wire is the language of one gateway.
type wire interface {
	speaks(Method) bool
	seal(ctx context.Context, m Merchant, r Request, content []byte) (*sealed, error)
	open(r Request, s *sealed, a *answer) (Reply, error)
}

// App is one Alipay app: a gateway, its keys and its connections, shared by many merchants.
// It prints as <hidden>.
type App struct {
	wire    wire
	http    *http.Client
	timeout time.Duration
	tracer  trace.Tracer
	host    string // for spans
	port    int
}

// NewOpenAPI returns the app at the classic gateway. It connects to nothing.
func NewOpenAPI(o OpenAPIOptions) (*App, error) {
	u, err := baseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = gatewayPath
	}
	if o.AppID == "" || len(o.AppID) > 32 || o.Signer == nil {
		return nil, errors.New("alipay: an app needs an app id of up to 32 characters and a signer")
	}
	if err := checkAlipayKey("Alipay key", o.Signer, o.AlipayKey); err != nil {
		return nil, err
	}
	now := orNow(o.Now)
	return newApp(&gateway{url: u, appID: o.AppID, signer: o.Signer, key: o.AlipayKey, now: now}, u, transport{
		inFlight: o.InFlight, connect: o.ConnectTimeout, timeout: o.Timeout, fallback: defaultTimeout,
		dial: o.DialContext, roots: o.RootCAs, tracer: o.Tracer,
	}), nil
}

// NewHK returns the client at AlipayHK's merchant gateway. It connects to nothing.
func NewHK(o HKOptions) (*App, error) {
	u, err := baseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if u.Path = strings.TrimSuffix(u.Path, "/"); !strings.HasSuffix(u.Path, hkPath) {
		u.Path += hkPath
	}
	if o.ClientID == "" || o.Signer == nil || len(o.PlatformKeys) == 0 {
		return nil, errors.New("alipay: an HK client needs a client id, a signer and a platform key")
	}
	for v, key := range o.PlatformKeys {
		if err := checkAlipayKey("platform key "+v, o.Signer, key); err != nil {
			return nil, err
		}
	}
	if o.KeyVersion == "" {
		o.KeyVersion = "1"
	}
	w := &hk{
		url: u, clientID: o.ClientID, signer: o.Signer, keyVersion: o.KeyVersion,
		keys: o.PlatformKeys, versions: newestFirst(o.PlatformKeys), now: orNow(o.Now),
	}
	return newApp(w, u, transport{
		inFlight: o.InFlight, connect: o.ConnectTimeout, timeout: o.Timeout, fallback: defaultHKTimeout,
		dial: o.DialContext, roots: o.RootCAs, tracer: o.Tracer,
	}), nil
}

// baseURL reads the address of a gateway. Which hosts are allowed is a matter of settings.
func baseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("alipay: the gateway's address is not an absolute http or https URL")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("alipay: the gateway's address has a query, a fragment or a user")
	}
	return u, nil
}

// minAlipayKeyBits is the least length of a key that verifies answers: what is signed with a
// shorter one can be forged.
const minAlipayKeyBits = 2048

func checkAlipayKey(what string, s Signer, key *rsa.PublicKey) error {
	switch {
	case key == nil:
		return fmt.Errorf("alipay: the %s is missing", what)
	case key.N.BitLen() < minAlipayKeyBits:
		return fmt.Errorf("alipay: the %s has %d bits, fewer than %d", what, key.N.BitLen(), minAlipayKeyBits)
	case holdsKey(s, key):
		return fmt.Errorf("alipay: the %s is the public half of our own private key; configure the one Alipay shows", what)
	}
	return nil
}

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

func newApp(w wire, u *url.URL, t transport) *App {
	if t.timeout <= 0 {
		t.timeout = t.fallback
	}
	if t.tracer == nil {
		t.tracer = noop.NewTracerProvider().Tracer("")
	}
	a := &App{wire: w, http: t.client(), timeout: t.timeout, tracer: t.tracer}
	a.host, a.port = hostPort(u)
	return a
}

// Close drops idle connections. Calls that run are not disturbed.
func (a *App) Close() { a.http.CloseIdleConnections() }

// Format, LogValue and MarshalText keep what the app holds out of fmt, slog, JSON and YAML.
func (a *App) Format(f fmt.State, _ rune)   { fmt.Fprint(f, hidden) }
func (a *App) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (a *App) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Merchant is the account on whose behalf calls are made. It prints without its tokens.
type Merchant struct {
	AppAuthToken string // classic: up to 40, when the app acts for another merchant
	NotifyURL    string // classic create: up to 256, absolute http or https
	AgentToken   string // HK: when an agent acts for a merchant
}

// Validate checks what the common parameters say of the token and the address.
func (m Merchant) Validate() error {
	var c checks
	c.text("app_auth_token", m.AppAuthToken, 40)
	c.httpURL("notify_url", m.NotifyURL, 256)
	if strings.ContainsAny(m.AgentToken, "\r\n") {
		c.fail("Agent-Token", "form", "has a line end")
	}
	return c.err
}

// String says which tokens are set and hides them.
func (m Merchant) String() string {
	show := func(s string) string {
		if s == "" {
			return "none"
		}
		return hidden
	}
	return "app_auth_token " + show(m.AppAuthToken) + ", notify_url " + m.NotifyURL + ", agent token " + show(m.AgentToken)
}

// Format, LogValue and MarshalText print as String does.
func (m Merchant) Format(f fmt.State, _ rune)   { fmt.Fprint(f, m.String()) }
func (m Merchant) LogValue() slog.Value         { return slog.StringValue(m.String()) }
func (m Merchant) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Client makes calls for one merchant of an app. It is safe for concurrent use.
type Client struct {
	app      *App
	merchant Merchant
}

// Client returns the client of one merchant. It shares the app's connections.
func (a *App) Client(m Merchant) *Client { return &Client{app: a, merchant: m} }

// Format, LogValue and MarshalText print as the merchant does.
func (c *Client) Format(f fmt.State, _ rune)   { fmt.Fprint(f, c.merchant.String()) }
func (c *Client) LogValue() slog.Value         { return c.merchant.LogValue() }
func (c *Client) MarshalText() ([]byte, error) { return c.merchant.MarshalText() }

// Do makes one attempt of one call: validate, seal, send, open. It returns nil only when
// Alipay provably did or answered it; any other outcome is an [*Error], whose class says what
// to do. The reply is filled as far as the answer could be read, also beside an error.
func (c *Client) Do(ctx context.Context, r Request) (Reply, error) {
	content, err := c.prepare(r)
	if err != nil {
		return Reply{Method: r.Method()}, err
	}
	ctx, span := c.app.startSpan(ctx, r.Method())
	rep, err := c.attempt(ctx, span, r, content)
	endSpan(span, rep, err)
	return rep, err
}

// prepare does what needs no network.
func (c *Client) prepare(r Request) ([]byte, error) {
	if !c.app.wire.speaks(r.Method()) {
		return nil, &Error{Method: r.Method(), Class: Misconfigured, Scope: ScopeMethod, Message: "this gateway does not know the method"}
	}
	if err := c.merchant.Validate(); err != nil {
		return nil, &Error{Method: r.Method(), Class: Misconfigured, Scope: ScopeAccount, Message: "the account's settings", Err: err}
	}
	err := r.Validate()
	if err == nil {
		var content []byte
		if content, err = r.content(); err == nil {
			return content, nil
		}
	}
	return nil, &Error{Method: r.Method(), Class: Rejected, Message: "the request is not valid, nothing was sent", Err: err}
}

// errTimeout is the cause of an attempt's own deadline.
var errTimeout = errors.New("the attempt took too long")

func (c *Client) attempt(ctx context.Context, span trace.Span, r Request, content []byte) (Reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.app.timeout, errTimeout)
	defer cancel()
	s, err := c.app.wire.seal(ctx, c.merchant, r, content)
	if err != nil {
		return Reply{Method: r.Method()}, &Error{Method: r.Method(), Class: Transient, Message: "not signed, nothing was sent", Err: err}
	}
	a, err := c.app.send(ctx, r, s)
	if err != nil {
		return Reply{Method: r.Method()}, err
	}
	spanStatus(span, a.status)
	return c.app.wire.open(r, s, a)
}
