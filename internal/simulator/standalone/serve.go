package standalone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"alipay-kafka-bridge/internal/simulator"
)

const (
	// stopSimulator is how long running answers may take at the end.
	stopSimulator = 5 * time.Second
	// saveEvery is the time between two writes of the state file.
	saveEvery = 5 * time.Second
)

// Listen opens a port and warns when others can reach it (security D5).
func Listen(ctx context.Context, address string, talk io.Writer) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if a, err := netip.ParseAddrPort(l.Addr().String()); err != nil || !a.Addr().IsLoopback() {
		fmt.Fprintf(talk, "warning: other machines can reach the simulator at %s; its keys are not secret\n", l.Addr())
	}
	return l, nil
}

// Server serves a simulator over TCP, with an admin port and a state file.
type Server struct {
	Admin   string // address; empty: none
	State   string // file; empty: none
	TLS     bool
	TLSCert string // files; empty: those of the folder
	TLSKey  string
	Dir     string // folder of relative file names
}

// Serve answers until ctx ends, and then prints how many requests there were.
func (o Server) Serve(ctx context.Context, sim *simulator.Simulator, gateway net.Listener, out, talk io.Writer) error {
	scheme := "http"
	if o.TLS || o.TLSCert != "" {
		var err error
		if gateway, err = o.secure(gateway); err != nil {
			return err
		}
		scheme = "https"
	}
	if err := o.restore(sim); err != nil {
		return err
	}
	var admin net.Listener
	if o.Admin != "" {
		var err error
		if admin, err = Listen(ctx, o.Admin, talk); err != nil {
			return err
		}
	}
	fmt.Fprintf(talk, "simulating Alipay, not for real use, at %s://%s\n", scheme, gateway.Addr())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveHTTP(ctx, gateway, sim) })
	g.Go(func() error { return sim.Run(ctx) })
	if o.State != "" {
		g.Go(func() error { return o.keep(ctx, sim) })
	}
	if admin != nil {
		fmt.Fprintf(talk, "admin at http://%s\n", admin.Addr())
		g.Go(func() error { return serveHTTP(ctx, admin, adminHandler(sim, hostOf(o.Admin))) })
	}
	err := g.Wait()
	if o.State != "" {
		err = errors.Join(err, o.save(sim)) // including the last answers
	}
	printTotals(out, sim.Totals())
	return err
}

// secure puts TLS around a listener.
func (o Server) secure(l net.Listener) (net.Listener, error) {
	cert, key := o.TLSCert, o.TLSKey
	if cert == "" {
		cert = filepath.Join(o.Dir, TLSCertFile)
	}
	if key == "" {
		key = filepath.Join(o.Dir, tlsKeyFile)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

func printTotals(w io.Writer, t simulator.Tally) {
	fmt.Fprintf(w, "%d calls = %d queries + %d requests for an effect (%d took effect + %d did not: repeats, refusals, faults)\n",
		t.Requests+t.Queries, t.Queries, t.Requests, t.Executions, t.Requests-t.Executions)
}

// serveHTTP serves until ctx ends; running answers get a moment more.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // the simulator itself breaks connections
	}
	served := make(chan error, 1) // one value; not closed
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopSimulator)
	defer cancel()
	if s.Shutdown(stopping) != nil {
		_ = s.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}
