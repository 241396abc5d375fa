package kafka

import (
	"context"
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

// ClientOptions are the options of every client of every command. dial opens connections, below
// TLS; nil: the network.
func ClientOptions(k config.Kafka, dial DialFunc, log *slog.Logger) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.ClientID(strings.TrimSuffix("alipay-kafka-bridge-"+k.Slot, "-")),
		kgo.SessionTimeout(k.SessionTimeout), kgo.HeartbeatInterval(k.Heartbeat), kgo.RebalanceTimeout(k.RebalanceTimeout),
	}
	switch {
	case k.TLS.Enabled:
		dialTLS, err := TLSDialer("kafka.tls", TLSFiles{k.TLS.CAFile, k.TLS.CertFile, k.TLS.KeyFile, k.TLS.ServerName}, dial, log)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer(dialTLS))
	case k.LoopbackOnly():
		opts = append(opts, kgo.Dialer(dialLoopback))
	case dial != nil:
		opts = append(opts, kgo.Dialer(dial))
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

// Time limits of commands: for an answer of any broker, for one request with its repetitions, and for
// the delivery of a record.
const (
	answerTimeout   = 10 * time.Second
	requestTimeout  = 15 * time.Second
	deliveryTimeout = 30 * time.Second
)

// ErrNoAnswer means that no broker answered in time.
var ErrNoAnswer = errors.New("no broker answered in time")

// NewClient opens a client for a command, with more options. It checks that a broker answers and
// belongs to the right cluster, so that no command waits for dead brokers. When ctx ends, the client
// is closed: kgo's first read of a connection knows no context.
func NewClient(ctx context.Context, k config.Kafka, log *slog.Logger, opts ...kgo.Opt) (*kgo.Client, error) {
	own, err := ClientOptions(k, nil, log)
	if err != nil {
		return nil, err
	}
	own = append(own, kgo.RetryTimeout(requestTimeout), kgo.RecordDeliveryTimeout(deliveryTimeout))
	cl, err := kgo.NewClient(append(own, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	context.AfterFunc(ctx, cl.Close)
	asked := make(chan error, 1) // one value; not closed
	asking, cancel := context.WithTimeoutCause(ctx, answerTimeout, ErrNoAnswer)
	defer cancel()
	go func() { asked <- checkAnswer(asking, cl, k) }()
	select {
	case err = <-asked:
	case <-asking.Done():
		err = context.Cause(asking)
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, ErrNoAnswer), errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("brokers %s: %w (%s)", strings.Join(k.Brokers, ","), ErrNoAnswer, answerTimeout)
	}
	if err != nil {
		go cl.Close() // it waits for what is being read
		return nil, err
	}
	return cl, nil
}

// checkAnswer asks for the cluster.
func checkAnswer(ctx context.Context, cl *kgo.Client, k config.Kafka) error {
	if k.ClusterID != "" {
		return CheckCluster(ctx, cl, k.ClusterID)
	}
	if err := cl.Ping(ctx); err != nil {
		return fmt.Errorf("brokers %s: %w", strings.Join(k.Brokers, ","), err)
	}
	return nil
}

// errRemoteBroker is about a broker that another broker named.
var errRemoteBroker = errors.New("the broker is not on this machine, and without TLS secrets and orders of a production app would be sent in clear; set kafka.tls.enabled to true (security G1)")

// dialLoopback connects only to this machine. The settings name the first brokers, these name the
// others, and names are resolved here: so the check uses the address of the connection.
func dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, Control: func(_, resolved string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(resolved); err != nil || !a.Addr().IsLoopback() {
			return errRemoteBroker
		}
		return nil
	}}
	return d.DialContext(ctx, network, addr)
}

// mechanismOf returns a mechanism that reads the secret again for each authentication.
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
	password, err := config.NewFileValue("kafka.sasl", log, s.PasswordFile.Read)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w", err)
	}
	now := func(context.Context) (scram.Auth, error) {
		return scram.Auth{User: s.User, Pass: password.Get().Reveal()}, nil
	}
	switch s.Mechanism {
	case config.Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: s.User, Pass: password.Get().Reveal()}, nil
		}), nil
	case config.Scram256:
		return scram.Sha256(now), nil
	case config.Scram512:
		return scram.Sha512(now), nil
	}
	return nil, fmt.Errorf("kafka.sasl: there is no mechanism %q", s.Mechanism)
}
