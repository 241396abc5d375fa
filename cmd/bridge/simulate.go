package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alipay-kafka-bridge/examples"
	"alipay-kafka-bridge/internal/demo"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// simulateOptions are the flags of simulate.
type simulateOptions struct {
	folder  standalone.Folder
	server  standalone.Server
	file    string
	noServe bool
	listen  string
	orders  string
	seed    uint64
	latency time.Duration
	jitter  time.Duration
	quirks  string
	faults  string
}

func simulateCommand() *cobra.Command {
	var o simulateOptions
	c := &cobra.Command{
		Use:   "simulate (--out DIR | -c FILE)",
		Short: "Stand in for Alipay, both gateways, on this machine",
		Long: `Simulate answers as Alipay's documents say, strictly, and remembers what was asked and what
took effect. It is for trying and testing: nothing that it says is worth money.

With --out it first writes new keys, simulator.yaml, and a bridge.yaml that fits; what it
wrote before is used again. It plays buyers and sends notifications as its settings say.
With bench_mode: true in simulator.yaml it has no quirks and signs an answer once: send all
requests, POST /reset, and measure the same ones again.

Admin port: GET /journal, /totals, /tally?order=NUMBER, /trades, /trades/NUMBER, /hk-orders,
/notifications, /clock. POST /trades/NUMBER/pay, close, finish and refund?amount=YUAN;
POST /clock?advance=4m; POST /notifications/ID/send (again), /notifications/hold and
/notifications/release (the newest first); POST /faults takes a list of faults as in
simulator.yaml, DELETE /faults ends them; POST /outage/start and /outage/stop; POST /reset
forgets trades, orders and journal.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if (o.file == "") == (o.folder.Dir == "") {
				return usageError{errors.New("simulate wants --out DIR or -c FILE")}
			}
			if o.noServe && o.folder.Dir == "" {
				return usageError{errors.New("--no-serve wants --out DIR: there is nothing to do")}
			}
			return o.run(c)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "config", "c", "", "settings `file` of the simulator")
	f.StringVar(&o.folder.Dir, "out", "", "`folder` for keys, simulator.yaml and bridge.yaml")
	f.BoolVar(&o.folder.Force, "force", false, "write all of it anew, also over other files")
	f.BoolVar(&o.noServe, "no-serve", false, "end after writing")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` of the gateways")
	f.StringVar(&o.server.Admin, "admin", "127.0.0.1:8091", "`address` of the admin port; empty: none")
	f.StringSliceVar(&o.folder.Brokers, "brokers", []string{localBroker}, "Kafka, for bridge.yaml")
	f.StringVar(&o.folder.Registry, "registry", localRegistry, "schema registry `URL`, for bridge.yaml")
	f.StringVar(&o.orders, "orders", "", "order events as JSON lines in a `file`: the credit trades and Koubei orders that they are about are made, but for order numbers that begin with R (default with --out: examples/orders.jsonl)")
	f.Uint64Var(&o.seed, "seed", 0, "of everything random but keys")
	f.DurationVar(&o.latency, "latency", 50*time.Millisecond, "of each answer, half before and half after its effect")
	f.DurationVar(&o.jitter, "jitter", 0, "spread evenly on top of latency")
	f.StringVar(&o.quirks, "quirks", "", "liberties that answers take: default, all, none, or `names` with commas between and minus before those not wanted: "+quirkNames())
	f.StringVar(&o.faults, "faults", "", "list of faults in a `file`, as in simulator.yaml, added to those there")
	f.StringVar(&o.server.State, "state", "", "`file` that keeps trades, orders, notifications and the clock over a restart")
	f.BoolVar(&o.server.TLS, "tls", false, "serve https with keys/tls.crt and keys/tls.key beside the settings file")
	f.StringVar(&o.server.TLSCert, "tls-cert", "", "certificate `file` instead of keys/tls.crt")
	f.StringVar(&o.server.TLSKey, "tls-key", "", "key `file` instead of keys/tls.key")
	return c
}

func (o simulateOptions) run(c *cobra.Command) error {
	o.folder.TLS, o.folder.TLSCert = o.server.TLS, o.server.TLSCert
	if o.noServe {
		return o.folder.Write(c.OutOrStdout(), o.listen)
	}
	gateway, err := standalone.Listen(c.Context(), o.listen, c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer gateway.Close() //nolint:errcheck // closed already when it served
	file := o.file
	if o.folder.Dir != "" {
		file = filepath.Join(o.folder.Dir, standalone.SimulatorFile)
		if err := o.folder.Write(c.OutOrStdout(), gateway.Addr().String()); err != nil {
			return err
		}
	}
	sim, err := o.build(c, file)
	if err != nil {
		return err
	}
	o.server.Dir = filepath.Dir(file)
	return o.server.Serve(c.Context(), sim, gateway, c.OutOrStdout(), c.ErrOrStderr())
}

func quirkNames() string {
	var names []string
	for _, q := range wire.AllQuirks() {
		names = append(names, string(q))
	}
	return strings.Join(names, ", ")
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
	if o.orders != "" || o.folder.Dir != "" {
		events, err := o.events()
		if err != nil {
			return nil, err
		}
		if len(options.Apps) > 0 {
			trades, orders := demo.Prerequisites(events, options.Apps[0].ID, time.Now())
			fmt.Fprintf(c.ErrOrStderr(), "%d orders exist from the start, because the events are about them\n", standalone.Preload(&options, trades, orders))
		}
	}
	if err := o.applyFlags(c, &options); err != nil {
		return nil, err
	}
	return simulator.New(options)
}

// events are those of --orders, or of examples/orders.jsonl.
func (o simulateOptions) events() ([]order.Event, error) {
	codec := order.NewCodec(nil) // JSON needs no registry
	if o.orders == "" {
		return order.ReadEvents("examples", bytes.NewReader(examples.Orders), codec)
	}
	return readFiles(nil, []string{o.orders}, codec)
}

// applyFlags applies the flags that are no settings of the file.
func (o simulateOptions) applyFlags(c *cobra.Command, options *simulator.Options) error {
	if c.Flags().Changed("quirks") {
		var err error
		if options.Quirks, err = wire.ParseQuirks(o.quirks); err != nil {
			return usageError{err}
		}
	}
	if o.faults == "" {
		return nil
	}
	f, err := os.Open(o.faults)
	if err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	faults, err := standalone.LoadFaults(f)
	if err != nil {
		return fmt.Errorf("%s: %w", o.faults, err)
	}
	options.Faults = append(options.Faults, faults...)
	return nil
}

func readSimulator(file string) (standalone.Config, error) {
	f, err := os.Open(file) //nolint:gosec // the operator names his own settings file
	if err != nil {
		return standalone.Config{}, fmt.Errorf("simulator settings: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	cfg, err := standalone.LoadConfig(f)
	if err != nil {
		return standalone.Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return cfg, nil
}
