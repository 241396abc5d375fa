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
	"alipay-kafka-bridge/internal/command"
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
		Short: "Simulate both gateways of Alipay on this machine",
		Long: `Simulate answers strictly as Alipay's documents say, and records all requests
and their effects. It is for trials and tests: no money moves.

With --out it first writes new keys, simulator.yaml, and a bridge.yaml that
matches. If an earlier run wrote the folder, simulate uses its files again. The
settings say what simulated buyers do and which notifications are sent. With
bench_mode: true in simulator.yaml, it has no quirks and signs each answer once:
send all requests, POST /reset, and measure the same requests again.

Requests to the admin port:
  GET  /journal                      all requests and their effects
  GET  /totals                       numbers of requests and effects
  GET  /tally?order=NUMBER           the same numbers for one order
  GET  /trades, /trades/NUMBER, /hk-orders, /notifications, /clock
  POST /trades                       adds a trade, as in simulator.yaml, that no call created
  POST /trades/NUMBER/pay            also close, finish, refund?amount=YUAN
  POST /trades/NUMBER/pay?amount=YUAN&seller=ID&currency=HKD
                                     pays another amount, seller or currency
  POST /trades/NUMBER/pay_second     pays the order again under a second trade number
  POST /trades/NUMBER/foreign        pays an order that no call created
  POST /clock?advance=4m             moves the clock
  POST /notifications/ID/send        sends a notification again
  POST /notifications/hold           holds notifications back
  POST /notifications/release        sends them, the newest first
  POST /notifications/faults         adds a list of their faults, as in simulator.yaml
  DELETE /notifications/faults       removes these faults
  POST /faults                       adds a list of faults, as in simulator.yaml
  DELETE /faults                     removes all faults
  POST /outage/start, /outage/stop   cuts all connections
  POST /reset                        deletes trades, orders and journal`,
		Args: command.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if (o.file == "") == (o.folder.Dir == "") {
				return command.Usage(errors.New("simulate needs either --out DIR or -c FILE"))
			}
			if o.noServe && o.folder.Dir == "" {
				return command.Usage(errors.New("--no-serve needs --out DIR; without it there is nothing to do"))
			}
			return o.run(c)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "config", "c", "", "settings `file` of the simulator")
	f.StringVar(&o.folder.Dir, "out", "", "`folder` for keys, simulator.yaml and bridge.yaml")
	f.BoolVar(&o.folder.Force, "force", false, "write all files again, and overwrite files that simulate did not write")
	f.BoolVar(&o.noServe, "no-serve", false, "write the folder and exit")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` of the gateways")
	f.StringVar(&o.server.Admin, "admin", "127.0.0.1:8091", "`address` of the admin port; empty: no port")
	f.StringSliceVar(&o.folder.Brokers, "brokers", []string{localBroker}, "`addresses` of Kafka brokers, for bridge.yaml")
	f.StringVar(&o.folder.Registry, "registry", localRegistry, "schema registry `URL`, for bridge.yaml")
	f.StringVar(&o.orders, "orders", "", "`file` with order events as JSON lines. The credit trades and Koubei orders that they are about exist from the start, except for order numbers that begin with R (default with --out: examples/orders.jsonl)")
	f.Uint64Var(&o.seed, "seed", 0, "seed for everything random except keys")
	f.DurationVar(&o.latency, "latency", 50*time.Millisecond, "time until an answer, half of it before the effect")
	f.DurationVar(&o.jitter, "jitter", 0, "longest random time that is added to latency")
	f.StringVar(&o.quirks, "quirks", "", "quirks of answers: default, all, none, or `names` separated by commas, with a minus before those to leave out: "+quirkNames())
	f.StringVar(&o.faults, "faults", "", "`file` with a list of faults, as in simulator.yaml, which is added to the faults there")
	f.StringVar(&o.server.State, "state", "", "`file` that keeps trades, orders, notifications and the clock across restarts")
	f.BoolVar(&o.server.TLS, "tls", false, "serve https with keys/tls.crt and keys/tls.key next to the settings file")
	f.StringVar(&o.server.TLSCert, "tls-cert", "", "certificate `file` instead of keys/tls.crt")
	f.StringVar(&o.server.TLSKey, "tls-key", "", "key `file` instead of keys/tls.key")
	return c
}

func (o simulateOptions) run(c *cobra.Command) error {
	o.folder.TLS, o.folder.TLSCert = o.server.TLS, o.server.TLSCert
	if o.noServe {
		return o.folder.Write(c.OutOrStdout(), o.listen)
	}
	if _, err := os.Stat(o.file); o.file != "" && err != nil { // before a port is taken
		return err
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

// build makes the simulator of a settings file. Flags override the file.
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
		return nil, fmt.Errorf("%s: an app has no keys; name their files, or run bridge simulate --out DIR, which makes keys", file)
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

// events are the events of --orders, or of examples/orders.jsonl.
func (o simulateOptions) events() ([]order.Event, error) {
	codec := order.NewCodec(nil) // JSON needs no registry
	if o.orders == "" {
		return order.ReadEvents("examples", bytes.NewReader(examples.Orders), codec)
	}
	return readFiles(nil, []string{o.orders}, codec)
}

// applyFlags applies the flags that are not settings of the file.
func (o simulateOptions) applyFlags(c *cobra.Command, options *simulator.Options) error {
	if c.Flags().Changed("quirks") {
		var err error
		if options.Quirks, err = wire.ParseQuirks(o.quirks); err != nil {
			return command.Usage(err)
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
