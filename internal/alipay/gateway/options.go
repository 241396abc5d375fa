package gateway

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/certs"
	"alipay-kafka-bridge/internal/alipay/encryption"
	"alipay-kafka-bridge/internal/alipay/keys"
)

// Defaults of the options. The pages give no time-outs: 3 s and 15 s are those of the official
// Java SDK; 8 s is what Alipay+ recommends for payments [inferred for HK].
const (
	defaultInFlight       = 256
	defaultConnectTimeout = 3 * time.Second
	defaultTimeout        = 15 * time.Second
	defaultHKTimeout      = 8 * time.Second
)

// dialFunc opens a connection, as [net.Dialer.DialContext] does.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// OpenAPIOptions say how to reach the classic gateway as one app.
type OpenAPIOptions struct {
	URL       string         // absolute; an empty path means /gateway.do
	AppID     string         // up to 32
	Signer    keys.Signer    // holds the app's private key
	AlipayKey *rsa.PublicKey // verifies answers; 2048 bits or more; nil in certificate mode

	NextSigner   keys.Signer        // used when Alipay refuses Signer's key; nil: none
	MoreKeys     []AlipayKey        // further keys of Alipay's, each with its end
	Certificates *certs.Store       // not nil: certificate mode
	AES          *encryption.AESKey // not nil: contents are encrypted both ways
	Charset      alipay.Charset     // empty is UTF-8
	SignType     alipay.SignType    // empty is RSA2
	AllowWeak    bool               // permits RSA (SHA-1) and keys below 2048 bits

	InFlight       int              // most connections at once; 0 is 256
	ConnectTimeout time.Duration    // DNS, TCP and TLS together; 0 is 3 s
	Timeout        time.Duration    // of one attempt, from connecting to the last byte; 0 is 15 s
	DialContext    dialFunc         // nil is the network
	RootCAs        *x509.CertPool   // nil is the system's
	Now            func() time.Time // nil is time.Now
	Tracer         trace.Tracer     // nil records nothing
	Log            *slog.Logger     // of changes that an operator must know; nil drops them
	HTTP2          bool             // offers HTTP/2 as well as HTTP/1.1
	IdleTimeout    time.Duration    // of a connection; 0 is 30 s, below the time after which gateways reset
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
	g, err := newClassic(o)
	if err != nil {
		return nil, err
	}
	g.url = u
	a := newApp(g, u, transport{
		inFlight: o.InFlight, connect: o.ConnectTimeout, timeout: o.Timeout, fallback: defaultTimeout,
		dial: o.DialContext, roots: o.RootCAs, tracer: o.Tracer, http2: o.HTTP2, idle: o.IdleTimeout, log: o.Log, now: o.Now,
	})
	g.send = a.exchange
	return a, nil
}

// baseURL reads the address of a gateway. The settings decide which hosts are allowed.
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

func orNow(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
