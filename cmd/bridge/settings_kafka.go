package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"alipay-kafka-bridge/internal/config"
)

// dialTimeout bounds the way to a broker or registry, TLS included; it is kgo's own.
const dialTimeout = 10 * time.Second

// kafkaOptions are for every client of every command.
func kafkaOptions(k config.Kafka, log *slog.Logger) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.ClientID(strings.TrimSuffix("alipay-kafka-bridge-"+k.Slot, "-")),
		kgo.SessionTimeout(k.SessionTimeout), kgo.HeartbeatInterval(k.Heartbeat), kgo.RebalanceTimeout(k.RebalanceTimeout),
	}
	switch {
	case k.TLS.Enabled:
		dial, err := dialerOf("kafka.tls", tlsFiles{k.TLS.CAFile, k.TLS.CertFile, k.TLS.KeyFile, k.TLS.ServerName}, log)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer(dial))
	case k.SASL.Readable():
		opts = append(opts, kgo.Dialer(dialLoopback))
	}
	if k.SASL.Mechanism != "" {
		m, err := mechanismOf(k.SASL, log)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// errElsewhere is about a broker that another broker named.
var errElsewhere = errors.New("the broker is not on this machine, and without kafka.tls it would get the secret of kafka.sasl in clear (security G1)")

// dialLoopback connects to this machine alone. The settings name the first brokers, those say
// where the others are, and a name is resolved only here: what counts is the address at the
// moment of connecting.
func dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, Control: func(_, resolved string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(resolved); err != nil || !a.Addr().IsLoopback() {
			return errElsewhere
		}
		return nil
	}}
	return d.DialContext(ctx, network, addr)
}

// tlsFiles are what a server is known by, and we to it.
type tlsFiles struct {
	ca         config.File
	cert       config.File
	key        config.SecretFile
	serverName string
}

// config reads the files.
func (f tlsFiles) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.serverName}
	if !f.ca.IsZero() {
		text, err := f.ca.Read()
		if err != nil {
			return nil, err
		}
		if c.RootCAs, err = rootsOf(config.File{Path: f.ca.Path, Text: text}); err != nil {
			return nil, err
		}
	}
	if f.cert.IsZero() {
		return c, nil
	}
	cert, err := f.cert.Read()
	if err != nil {
		return nil, err
	}
	key, err := f.key.Read()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no pair: %w", f.cert.Path, f.key.Path, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// dialerOf returns a dialer that reads the files anew for each connection.
func dialerOf(what string, f tlsFiles, log *slog.Logger) (func(ctx context.Context, network, addr string) (net.Conn, error), error) {
	files, err := newFresh(what, log, f.config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: files.get()}
		return d.DialContext(ctx, network, addr)
	}, nil
}

// rootsOf returns nil, the system's roots, when no file is named.
func rootsOf(f config.File) (*x509.CertPool, error) {
	if f.IsZero() {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(f.Text)) {
		return nil, fmt.Errorf("%s holds no certificate", f.Path)
	}
	return pool, nil
}

// mechanismOf reads the secret anew for each authentication.
func mechanismOf(s config.SASL, log *slog.Logger) (sasl.Mechanism, error) {
	if s.Mechanism == config.OAuthBearer {
		token, err := tokenOf(s, log)
		if err != nil {
			return nil, err
		}
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			text, err := token(ctx)
			return oauth.Auth{Token: text, Extensions: s.Extensions}, err
		}), nil
	}
	password, err := newFresh("kafka.sasl", log, s.PasswordFile.Read)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	now := func(context.Context) (scram.Auth, error) {
		return scram.Auth{User: s.User, Pass: password.get().Reveal()}, nil
	}
	switch s.Mechanism {
	case config.Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: s.User, Pass: password.get().Reveal()}, nil
		}), nil
	case config.Scram256:
		return scram.Sha256(now), nil
	case config.Scram512:
		return scram.Sha512(now), nil
	}
	return nil, fmt.Errorf("kafka.sasl: no such mechanism %q", s.Mechanism)
}
