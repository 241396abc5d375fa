package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"alipay-kafka-bridge/internal/simulator"
)

const (
	// stopSimulator bounds how long running answers may take at the end.
	stopSimulator = 5 * time.Second
	// saveEvery is how much a crash may take from the state file.
	saveEvery = 5 * time.Second
)

// listen opens a port and warns when others can reach it (security D5).
func listen(c *cobra.Command, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(c.Context(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if a, err := netip.ParseAddrPort(l.Addr().String()); err != nil || !a.Addr().IsLoopback() {
		fmt.Fprintf(c.ErrOrStderr(), "warning: other machines can reach the simulator at %s; its keys are no secret\n", l.Addr())
	}
	return l, nil
}

// serve answers until the command's context ends, and says then what came. Files of TLS are
// relative to dir.
func (o simulateOptions) serve(c *cobra.Command, sim *simulator.Simulator, gateway net.Listener, dir string) error {
	scheme := "http"
	if o.tls || o.tlsCert != "" {
		var err error
		if gateway, err = o.secure(gateway, dir); err != nil {
			return err
		}
		scheme = "https"
	}
	if err := o.restore(sim); err != nil {
		return err
	}
	var admin net.Listener
	if o.admin != "" {
		var err error
		if admin, err = listen(c, o.admin); err != nil {
			return err
		}
	}
	talk := c.ErrOrStderr()
	fmt.Fprintf(talk, "simulating Alipay, not for real use, at %s://%s\n", scheme, gateway.Addr())
	g, ctx := errgroup.WithContext(c.Context())
	g.Go(func() error { return serveHTTP(ctx, gateway, sim) })
	g.Go(func() error { return sim.Run(ctx) })
	if o.state != "" {
		g.Go(func() error { return o.keep(ctx, sim) })
	}
	if admin != nil {
		fmt.Fprintf(talk, "admin at http://%s\n", admin.Addr())
		g.Go(func() error { return serveHTTP(ctx, admin, simulatorAdmin(sim)) })
	}
	err := g.Wait()
	if o.state != "" {
		err = errors.Join(err, o.save(sim)) // what the last answers did
	}
	printTotals(c.OutOrStdout(), sim.Totals())
	return err
}

// secure puts TLS around a listener.
func (o simulateOptions) secure(l net.Listener, dir string) (net.Listener, error) {
	cert, key := o.tlsCert, o.tlsKey
	if cert == "" {
		cert = filepath.Join(dir, tlsCertFile)
	}
	if key == "" {
		key = filepath.Join(dir, tlsKeyFile)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

// restore reads the state file where there is one.
func (o simulateOptions) restore(sim *simulator.Simulator) error {
	if o.state == "" {
		return nil
	}
	f, err := os.Open(o.state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	return sim.Restore(f)
}

// keep saves the state now and then.
func (o simulateOptions) keep(ctx context.Context, sim *simulator.Simulator) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := o.save(sim); err != nil {
				return err
			}
		}
	}
}

// save writes the state file, whole or not at all.
func (o simulateOptions) save(sim *simulator.Simulator) error {
	var b bytes.Buffer
	if err := sim.Save(&b); err != nil {
		return err
	}
	part := o.state + ".part"
	if err := os.WriteFile(part, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return os.Rename(part, o.state)
}

func printTotals(w io.Writer, t simulator.Tally) {
	fmt.Fprintf(w, "requests %d, executions %d, queries %d\n", t.Requests, t.Executions, t.Queries)
}

// serveHTTP serves until ctx ends; running answers get a moment more.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0), // broken connections are our own faults
	}
	served := make(chan error, 1) // closed by nobody; one value
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
