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

// dialTimeout bounds the way to a broker or registry, TLS included; it is kgo's own.
const dialTimeout = 10 * time.Second

// TLSFiles are the files that identify a server to us, and us to it.
type TLSFiles struct {
	CA         config.File
	Cert       config.File
	Key        config.SecretFile
	ServerName string
}

// read makes a configuration of the files as they are now.
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
	cert, err := f.Cert.Read()
	if err != nil {
		return nil, err
	}
	key, err := f.Key.Read()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("%s and %s are no pair: %w", f.Cert.Path, f.Key.Path, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// TLSDialer returns a dialer that reads the files anew for each connection.
func TLSDialer(what string, f TLSFiles, log *slog.Logger) (func(ctx context.Context, network, addr string) (net.Conn, error), error) {
	files, err := config.NewFileValue(what, log, f.read)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: files.Get()}
		return d.DialContext(ctx, network, addr)
	}, nil
}
