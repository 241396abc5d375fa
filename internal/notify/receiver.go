package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/telemetry"
)

// Limits of one connection and request (security N2, N7).
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 30 * time.Second
	maxHeader     = 16 << 10
	maxBody       = 64 << 10
	usualBody     = 4 << 10

	// answerWithin is below writeTimeout: an answer that is written too late is lost, and Alipay repeats.
	answerWithin = 8 * time.Second

	maxWaiting = 256             // notifications that wait for a processor
	maxPatient = 2 * time.Second // how long they wait
)

// Options configure a receiver.
type Options struct {
	Codec          *order.Codec
	Keys           *integrity.Keys // seal observations; nil: they have no seals
	Topics         Topics
	Client         []kgo.Opt   // brokers, security
	TLS            *tls.Config // nil: a proxy in front of it has the certificate
	Proxies        Proxies
	MaxConnections int           // in all
	MaxPerAddress  int           // connections and requests of one sender
	Grace          time.Duration // to finish running requests when it stops
	Tracer         trace.Tracer  // nil: no spans
	Log            *slog.Logger
	Now            func() time.Time // nil: time.Now

	// Answered is called after each request; the account is empty where the path names none. Refused is called for
	// each connection beyond a limit.
	Answered func(ctx context.Context, account order.Account, v Verdict, took time.Duration)
	Refused  func(limit string)
}

// Receiver receives the notifications of all accounts.
type Receiver struct {
	o         Options
	accounts  atomic.Pointer[map[order.Account]*Account]
	encoder   encoder
	publisher *publisher
	verifying *pool
	requests  *shares       // that run, by sender
	places    chan struct{} // one for each open connection
	refusals  *telemetry.Counts[refusal]
}

// refusal is what is logged together.
type refusal struct {
	account order.Account
	verdict Verdict
}

// New returns a receiver of no accounts. It connects to nothing. Close ends it.
func New(o Options) (*Receiver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tracer == nil {
		o.Tracer = noop.Tracer{}
	}
	p, err := newPublisher(o.Client, o.Log)
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		o: o, encoder: encoder{o.Codec, o.Topics, o.Keys}, publisher: p, verifying: newPool(runtime.GOMAXPROCS(0), maxWaiting, maxPatient),
		requests: newShares(o.MaxPerAddress), places: make(chan struct{}, o.MaxConnections),
		refusals: telemetry.NewCounts(o.Log, "notifications were refused", func(f refusal) []any {
			return []any{"account", f.account, "verdict", f.verdict, "remedy", f.verdict.remedy()}
		}),
	}
	r.UseAccounts(nil)
	return r, nil
}

// UseAccounts puts other accounts in force, from the next request on.
func (r *Receiver) UseAccounts(accounts map[order.Account]*Account) { r.accounts.Store(&accounts) }

// Ready asks for the schemas of both topics.
func (r *Receiver) Ready(ctx context.Context) error { return r.encoder.ready(ctx) }

// Ping asks whether a broker answers.
func (r *Receiver) Ping(ctx context.Context) error { return r.publisher.client.Ping(ctx) }

// Connections are open now.
func (r *Receiver) Connections() int { return len(r.places) }

// Close ends the connections to brokers. It must be called after Serve has returned.
func (r *Receiver) Close() { r.publisher.close() }

// Serve answers requests on a listener until ctx ends, then finishes those that run, at most for the grace. It closes
// the listener.
func (r *Receiver) Serve(ctx context.Context, l net.Listener) error {
	server := r.server()
	l = &limited{Listener: l, places: r.places, senders: newShares(r.o.MaxPerAddress), exempt: r.o.Proxies.trusts, refused: r.refuse}
	if r.o.TLS != nil {
		l = tls.NewListener(l, r.o.TLS)
	}
	ended := make(chan error, 1) // one value; not closed
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("notify.listen is not served any more: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.Grace)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		_ = server.Close()
		r.o.Log.WarnContext(ctx, "some notifications were not answered before the receiver stopped; Alipay repeats them", "grace", r.o.Grace.String())
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("notify.listen: %w", err)
	}
	return nil
}

func (r *Receiver) server() *http.Server {
	s := &http.Server{
		Handler: r, MaxHeaderBytes: maxHeader, DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		Protocols: new(http.Protocols),
		ErrorLog:  slog.NewLogLogger(r.o.Log.Handler(), slog.LevelDebug), // who speaks no HTTP or TLS is no trouble of ours
	}
	s.Protocols.SetHTTP1(true)
	return s
}

func (r *Receiver) refuse(limit string) {
	if r.o.Refused != nil {
		r.o.Refused(limit)
	}
}
