package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/config"
)

// ports are the listeners of a process: probes, metrics, admin.
type ports struct {
	probes  admin.Probes
	servers []*admin.Server
}

// open opens all ports that the settings have, or none.
func (p *ports) open(ctx context.Context, cfg config.Config, o RunOptions, log *slog.Logger, metrics, operators http.Handler) error {
	listen := o.Listen
	if listen == nil {
		listen = new(net.ListenConfig).Listen
	}
	guarded, secure, err := guardAdmin(cfg.Admin, log, operators)
	if err != nil {
		return err
	}
	for _, port := range []struct {
		setting, addr string
		handler       http.Handler
		tls           *tls.Config
	}{
		{"probes.listen", cfg.Probes.Listen, p.probes.Handler(), nil},
		{"metrics.listen", cfg.Metrics.Listen, metrics, nil},
		{"admin.listen", cfg.Admin.Listen, guarded, secure},
	} {
		if port.addr == "" {
			continue
		}
		l, err := listen(ctx, "tcp", port.addr)
		if err != nil {
			p.stop(ctx)
			return fmt.Errorf("%s %s: %w; another process may use this port, so choose another one", port.setting, port.addr, err)
		}
		if port.tls != nil {
			l = tls.NewListener(l, port.tls)
		}
		p.servers = append(p.servers, admin.Serve(l, port.handler, log))
	}
	return nil
}

// guardAdmin lets only those to the admin port that the settings permit, and returns its TLS, if any.
func guardAdmin(a config.Admin, log *slog.Logger, h http.Handler) (http.Handler, *tls.Config, error) {
	access := admin.Access{Hosts: a.Hosts}
	if !a.TokenFile.IsZero() {
		token, err := config.NewFileValue("admin.token_file", log, a.TokenFile.Read)
		if err != nil {
			return nil, nil, fmt.Errorf("admin.token_file: %w", err)
		}
		access.Token = func() (string, error) { return token.Get().Reveal(), nil }
	}
	if a.CertFile.IsZero() {
		return access.Handler(h), nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	pair, err := config.NewFileValue("admin.cert_file", log, func() (tls.Certificate, error) { return config.ReadPair(a.CertFile, a.KeyFile) })
	if err != nil {
		return nil, nil, fmt.Errorf("admin.cert_file: %w", err)
	}
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		now := pair.Get()
		return &now, nil
	}
	if !a.ClientCAFile.IsZero() {
		if c.ClientCAs, err = a.ClientCAFile.CertPool(); err != nil {
			return nil, nil, fmt.Errorf("admin.client_ca_file: %w", err)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return access.Handler(h), c, nil
}

// readyUntil returns what sets the answer of /readyz. It is never ready once ctx has ended.
func (p *ports) readyUntil(ctx context.Context) func(bool) {
	context.AfterFunc(ctx, func() { p.probes.Ready(false) })
	return func(ok bool) {
		p.probes.Ready(ok)
		if ctx.Err() != nil {
			p.probes.Ready(false)
		}
	}
}

// stop closes the ports, the last one first. At the end of a process no one waits for an answer.
func (p *ports) stop(ctx context.Context) {
	for _, s := range slices.Backward(p.servers) {
		_ = s.Stop(ctx)
	}
}
