package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// stopSimulator bounds how long running answers may take at the end.
const stopSimulator = 5 * time.Second

// simulateOptions are the flags of simulate.
type simulateOptions struct {
	file     string
	dir      string
	force    bool
	noServe  bool
	listen   string
	admin    string
	brokers  []string
	registry string
	orders   string
	seed     uint64
	latency  time.Duration
	jitter   time.Duration
}

func simulateCommand() *cobra.Command {
	var o simulateOptions
	c := &cobra.Command{
		Use:   "simulate (--out DIR | -c FILE)",
		Short: "Stand in for Alipay, both gateways, on this machine",
		Long: `Simulate answers as Alipay's documents say, strictly, and remembers what was asked and what
took effect. It is for trying and testing: nothing that it says is worth money.

With --out it first writes new keys, simulator.yaml, and a bridge.yaml that fits; what it
wrote before is used again. On its admin port: GET /journal, /totals and /tally?order=NUMBER;
POST /faults takes a list of faults as in simulator.yaml, DELETE /faults ends them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (o.file == "") == (o.dir == "") {
				return usageError{errors.New("simulate wants --out DIR or -c FILE")}
			}
			if o.noServe && o.dir == "" {
				return usageError{errors.New("--no-serve wants --out DIR: there is nothing to do")}
			}
			return o.run(c)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "config", "c", "", "settings `file` of the simulator")
	f.StringVar(&o.dir, "out", "", "`folder` for keys, simulator.yaml and bridge.yaml")
	f.BoolVar(&o.force, "force", false, "write all of it anew, also over other files")
	f.BoolVar(&o.noServe, "no-serve", false, "end after writing")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` of the gateways")
	f.StringVar(&o.admin, "admin", "127.0.0.1:8091", "`address` of the admin port; empty: none")
	f.StringSliceVar(&o.brokers, "brokers", []string{localBroker}, "Kafka, for bridge.yaml")
	f.StringVar(&o.registry, "registry", localRegistry, "schema registry `URL`, for bridge.yaml")
	f.StringVar(&o.orders, "orders", "", "order events as JSON lines in a `file`: the credit trades and Koubei orders that they are about are made, but for order numbers that begin with R (default with --out: examples/orders.jsonl)")
	f.Uint64Var(&o.seed, "seed", 0, "of everything random but keys")
	f.DurationVar(&o.latency, "latency", 50*time.Millisecond, "of each answer, half before and half after its effect")
	f.DurationVar(&o.jitter, "jitter", 0, "spread evenly on top of latency")
	return c
}

func (o simulateOptions) run(c *cobra.Command) error {
	if o.noServe {
		return o.write(c.OutOrStdout(), o.listen)
	}
	gateway, err := listen(c, o.listen)
	if err != nil {
		return err
	}
	defer gateway.Close() //nolint:errcheck // closed already when it served
	file := o.file
	if o.dir != "" {
		file = filepath.Join(o.dir, simulatorFile)
		if err := o.write(c.OutOrStdout(), gateway.Addr().String()); err != nil {
			return err
		}
	}
	sim, err := o.build(c, file)
	if err != nil {
		return err
	}
	return o.serve(c, sim, gateway)
}

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

// build makes the simulator of a settings file; flags that were given win.
func (o simulateOptions) build(c *cobra.Command, file string) (*simulator.Simulator, error) {
	cfg, err := readSimulator(file)
	if err != nil {
		return nil, err
	}
	if c.Flags().Changed("seed") {
		cfg.Seed = o.seed
	}
	if c.Flags().Changed("latency") || cfg.Latency == (simulator.Latency{}) {
		cfg.Latency.Fixed = o.latency
	}
	if c.Flags().Changed("jitter") {
		cfg.Latency.Jitter = o.jitter
	}
	options, made, err := cfg.Options(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(made.Apps)+len(made.HKApps) > 0 {
		return nil, fmt.Errorf("%s: an app has no keys; name them, or let bridge simulate --out DIR make them", file)
	}
	if o.orders != "" || o.dir != "" {
		n, err := preload(&options, o.orders)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(c.ErrOrStderr(), "%d orders are known already, because events to come are about them\n", n)
	}
	return simulator.New(options)
}

func readSimulator(file string) (simulator.Config, error) {
	f, err := os.Open(file) //nolint:gosec // the operator names his own settings file
	if err != nil {
		return simulator.Config{}, fmt.Errorf("simulator settings: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	cfg, err := simulator.LoadConfig(f)
	if err != nil {
		return simulator.Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return cfg, nil
}

// serve answers until the command's context ends, and says then what came.
func (o simulateOptions) serve(c *cobra.Command, sim *simulator.Simulator, gateway net.Listener) error {
	var admin net.Listener
	if o.admin != "" {
		var err error
		if admin, err = listen(c, o.admin); err != nil {
			return err
		}
	}
	talk := c.ErrOrStderr()
	fmt.Fprintf(talk, "simulating Alipay, not for real use, at http://%s\n", gateway.Addr())
	g, ctx := errgroup.WithContext(c.Context())
	g.Go(func() error { return serveHTTP(ctx, gateway, sim) })
	if admin != nil {
		fmt.Fprintf(talk, "admin at http://%s\n", admin.Addr())
		g.Go(func() error { return serveHTTP(ctx, admin, simulatorAdmin(sim)) })
	}
	err := g.Wait()
	printTotals(c.OutOrStdout(), sim.Totals())
	return err
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
	_ = <-served // the listener is closed: it says only that
	return nil
}
