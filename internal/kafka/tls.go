package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"alipay-kafka-bridge/internal/config"
)

// dialTimeout bounds a connection to a broker or registry, including TLS. It is kgo's own default.
const dialTimeout = 10 * time.Second

// DialFunc opens a connection, as [net.Dialer.DialContext] does.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// TLSFiles are the files that authenticate a server to us, and us to the server.
type TLSFiles struct {
	CA         config.File
	Cert       config.File
	Key        config.SecretFile
	ServerName string
}

// read makes a configuration from the current contents of the files.
func (f TLSFiles) read() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if !f.CA.IsZero() {
		text, err := f.CA.Read()
		if err != nil {
			return nil, err
		}
		reread := config.File{Path: f.CA.Path, Text: text}
		if c.RootCAs, err = reread.CertPool(); err != nil {
			return nil, err
		}
	}
	if f.Cert.IsZero() {
		return c, nil
	}
	pair, err := config.ReadPair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// TLSDialer returns a function that opens TLS connections and reads the files anew for each of them.
// dial opens the connections below TLS; nil: the network.
func TLSDialer(what string, f TLSFiles, dial DialFunc, log *slog.Logger) (DialFunc, error) {
	files, err := config.NewFileValue(what, log, f.read)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		plain, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		secured := tls.Client(plain, configFor(addr, files.Get()))
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = plain.Close() // the handshake's error is the one that matters
			return nil, err
		}
		return secured, nil
	}, nil
}

// configFor names the server by its address, unless the settings name it.
func configFor(addr string, c *tls.Config) *tls.Config {
	if c.ServerName == "" {
		c = c.Clone()
		c.ServerName, _, _ = net.SplitHostPort(addr)
	}
	return c
}
