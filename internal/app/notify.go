package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/alipay/gateway"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/notify"
	"alipay-kafka-bridge/internal/order"
)

// receiving is the receiver of notifications as a part of a process.
type receiving struct {
	*notify.Receiver

	able   atomic.Bool // it listens, and a broker answered lately
	failed atomic.Bool // it ended with an error and waits for its next start
}

// newReceiver builds the receiver that the settings describe.
func (s *Service) newReceiver() (*receiving, error) {
	n := s.cfg.Notify
	secure, err := s.notifyTLS()
	if err != nil {
		return nil, err
	}
	r, err := notify.New(notify.Options{
		Codec: s.codec, Keys: s.keys, Topics: notify.Topics{Notifications: s.cfg.Topics.Notifications, Observations: s.cfg.Topics.Observations}, Client: s.kafkaOptions(), TLS: secure,
		Proxies: notify.Proxies{Trusted: n.Prefixes(), Header: n.ClientAddressHeader}, MaxConnections: n.MaxConnections, MaxPerAddress: n.MaxPerAddress,
		Grace: s.cfg.Delivery.Grace, Tracer: s.o.Tracer, Log: s.o.Log.With("part", partNotify),
		Answered: func(ctx context.Context, account order.Account, v notify.Verdict, took time.Duration) {
			s.o.Metrics.Add(ctx, &metrics.Notifications, 1, string(account), string(v))
			s.sight.Notifications.Note(account, string(v), v.Taken())
			s.o.Metrics.Record(ctx, &metrics.NotificationDuration, took.Seconds(), string(v))
		},
		Refused: func(limit string) {
			s.o.Metrics.Add(context.Background(), &metrics.NotifyConnectionsRefused, 1, limit)
		},
	})
	if err != nil {
		return nil, err
	}
	s.o.Metrics.Observe(func(o *metrics.Observer) {
		o.Gauge(&metrics.NotifyConnections, float64(r.Connections()))
		o.Gauge(&metrics.NotifyConnectionsLimit, float64(n.MaxConnections))
	})
	return &receiving{Receiver: r}, nil
}

// receiveFor puts accounts and trusted keys in force. A nil receiver ignores them.
func (s *Service) receiveFor(c config.Config) error {
	if s.receiver == nil {
		return nil
	}
	trusted := map[string]gateway.OpenAPIOptions{}
	for name, a := range c.Apps {
		if a.Kind != config.OpenAPI {
			continue
		}
		var g gateway.OpenAPIOptions
		if err := s.o.trust(a, &g); err != nil {
			return fmt.Errorf("app %s: %w", name, err)
		}
		trusted[name] = g
	}
	accounts := map[order.Account]*notify.Account{}
	for name, a := range c.Accounts {
		if !c.Receives(a) {
			continue
		}
		verifier, err := newVerifier(c.Apps[a.App], trusted[a.App], a)
		if err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
		accounts[order.Account(name)] = &notify.Account{
			Name: order.Account(name), Environment: string(c.Apps[a.App].Environment), Channel: order.Channel(a.Channel), Verifier: verifier, Tokens: a.NotifyTokens,
		}
	}
	s.receiver.UseAccounts(accounts)
	return nil
}

func newVerifier(app config.App, trusted gateway.OpenAPIOptions, a config.Account) (*gateway.Verifier, error) {
	o := gateway.VerifierOptions{
		AppID: app.AppID, AlipayKey: trusted.AlipayKey, MoreKeys: trusted.MoreKeys, Certificates: trusted.Certificates, SignType: alipay.SignType(app.SignType),
		AllowWeak: app.AllowWeak, SellerEmails: a.SellerEmails, AuthAppID: a.AuthAppID,
	}
	if a.SellerID != "" {
		o.SellerIDs = []string{a.SellerID}
	}
	return gateway.NewVerifier(o)
}

// runReceiver listens and serves until ctx ends.
func (s *Service) runReceiver(ctx context.Context) error {
	listen := s.o.Listen
	if listen == nil {
		listen = new(net.ListenConfig).Listen
	}
	l, err := listen(ctx, "tcp", s.cfg.Notify.Listen)
	if err != nil {
		return fmt.Errorf("notify.listen %s: %w; another process may use this port, so choose another one", s.cfg.Notify.Listen, err)
	}
	s.o.Log.InfoContext(ctx, "notifications are received", "address", l.Addr().String(), "tls", !s.cfg.Notify.CertFile.IsZero())
	pinging, stop := context.WithCancel(ctx)
	var pings sync.WaitGroup
	pings.Go(func() { s.receiver.watch(pinging) })
	defer pings.Wait()
	defer stop()
	return s.receiver.Serve(ctx, l)
}

// When a receiver can make no progress: no broker answers. It is asked for by itself, because a receiver that is not ready
// gets no notifications that could show it.
const (
	pingEvery   = 5 * time.Second
	pingTimeout = 10 * time.Second
)

func (r *receiving) watch(ctx context.Context) {
	defer r.able.Store(false)
	for {
		asking, cancel := context.WithTimeout(ctx, pingTimeout)
		r.able.Store(r.Ping(asking) == nil)
		cancel()
		if !pause.Sleep(ctx, pingEvery) {
			return
		}
	}
}

// works reports whether notifications can be taken; nil is no receiver.
func (r *receiving) works() bool { return r != nil && r.able.Load() && !r.failed.Load() }

// certificateAge is how long a certificate is used before its files are looked at again: reading them for each
// connection would be work that anyone can cause.
const certificateAge = 10 * time.Second

// notifyTLS is the TLS of the port for notifications; nil: a proxy has it.
func (s *Service) notifyTLS() (*tls.Config, error) {
	n := s.cfg.Notify
	if n.CertFile.IsZero() {
		return nil, nil
	}
	pair, err := config.NewFileValue("notify.cert_file", s.o.Log, func() (*tls.Certificate, error) {
		pair, err := config.ReadPair(n.CertFile, n.KeyFile)
		return &pair, err
	})
	if err != nil {
		return nil, fmt.Errorf("notify.cert_file: %w", err)
	}
	var mu sync.Mutex
	var held *tls.Certificate
	var read time.Time
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if held == nil || time.Since(read) >= certificateAge {
			held, read = pair.Get(), time.Now()
		}
		return held, nil
	}}, nil
}
