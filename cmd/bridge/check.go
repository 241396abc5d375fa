package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
)

// checkTimeout bounds what a check asks of Kafka, and of the registry.
const checkTimeout = 30 * time.Second

type checkOptions struct {
	file      string
	output    string
	principal string
	slot      string
	offline   bool
	printing  bool
	acls      bool
}

func checkCommand() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check settings, keys, Kafka, schemas and gateways",
		Long: `Check prints one finding a line with its remedy, and exits with 3 when there are any. It
looks at the settings, at keys and certificates, at topics with their configuration, at what
the bridge is allowed to do in Kafka, at schemas, gateways and the clock. What it may not look
at is a note. It changes nothing and makes no Alipay call.

--offline asks nobody: settings, keys and certificates alone. --acls prints the ACLs that the
bridge needs with these settings, as commands, and checks nothing.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.output != "text" && o.output != "json" {
				return usageError{fmt.Errorf("-o %s: want text or json", o.output)}
			}
			return o.run(c.Context(), c.OutOrStdout())
		},
	}
	c.Flags().StringVarP(&o.file, "config", "c", "bridge.yaml", "settings `file`")
	c.Flags().StringVarP(&o.output, "output", "o", "text", "text or json")
	c.Flags().BoolVar(&o.offline, "offline", false, "ask nobody: settings, keys and certificates alone")
	c.Flags().BoolVar(&o.printing, "print", false, "print the effective settings; secrets stay in their files")
	c.Flags().BoolVar(&o.acls, "acls", false, "print the ACLs that the bridge needs")
	c.Flags().StringVar(&o.principal, "principal", "", "whom the ACLs are for, such as User:bridge (default: who the settings say we are)")
	c.Flags().StringVar(&o.slot, "slot", "", "of which instance (default: kafka.slot, or the host's name)")
	return c
}

func (o checkOptions) run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load(o.file, os.LookupEnv)
	if f, ok := faults(err); ok {
		return f.print(safeWriter(out), o.output == "json")
	}
	if err != nil {
		return err
	}
	if err := cfg.Kafka.UseSlot(o.slot); err != nil {
		return usageError{err}
	}
	switch {
	case o.printing:
		return cfg.Print(out)
	case o.acls:
		return printACLs(safeWriter(out), cfg, o.principal, o.output == "json")
	}
	found := checkAll(ctx, cfg, o)
	if ctx.Err() != nil { // what was found since says nothing about the bridge
		return context.Cause(ctx)
	}
	return found.print(safeWriter(out), o.output == "json")
}

// checker looks at one part after the other.
type checker struct {
	findings
	cfg       config.Config
	principal string
	now       time.Time
}

// checkAll ends after the part during which the context ended.
func checkAll(ctx context.Context, cfg config.Config, o checkOptions) findings {
	c := &checker{cfg: cfg, principal: o.principal, now: time.Now()}
	c.keys(ctx, o.offline)
	c.certificates()
	if o.offline {
		return c.findings
	}
	for _, part := range []func(context.Context){c.kafka, c.schemas} { // one that hangs costs the next nothing
		asking, cancel := context.WithTimeout(ctx, checkTimeout)
		part(asking)
		cancel()
		if ctx.Err() != nil {
			return c.findings
		}
	}
	c.gateways(ctx)
	return c.findings
}

// keys builds what run would build: keys pair up, mappings make sense. Each app and account
// by itself, so that one fault hides no other.
func (c *checker) keys(ctx context.Context, offline bool) {
	if _, err := kafkaOptions(c.cfg.Kafka, nowhere()); err != nil {
		c.add(partKeys, err.Error(), "bring the files named under kafka in order")
	}
	if registry, err := registryOf(c.cfg.Registry, 0, nowhere()); err != nil {
		c.add(partKeys, err.Error(), "bring the files named under registry in order")
	} else {
		registry.Close()
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Apps)) {
		if a := c.cfg.Apps[name]; offline && a.PrivateKeyURI+a.NextPrivateKeyURI != "" {
			c.note("app %s was not looked at: its key is elsewhere", name)
			continue
		}
		c.app(ctx, name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Accounts)) {
		if _, err := plannerOf(c.cfg.Accounts[name]); err != nil {
			c.add(partSettings, fmt.Sprintf("account %s: %v", name, err), "mend accounts."+name+".mapping")
		}
	}
}

// app looks at the keys of an app and lets it sign, wherever its key is.
func (c *checker) app(ctx context.Context, name string) {
	app, err := appOf(ctx, c.cfg.Apps[name], telling{noop.Tracer{}, nowhere()})
	if err == nil {
		defer app.Close()
		err = app.CheckSigner(ctx)
	}
	if err != nil {
		c.add(partKeys, fmt.Sprintf("app %s: %v", name, err), "bring the keys named under apps."+name+" in order")
		return
	}
	ends := app.Ends()
	for _, what := range slices.Sorted(maps.Keys(ends)) {
		c.ends(fmt.Sprintf("app %s: %s", name, what), ends[what])
	}
}

// nowhere is where a check logs: what it finds is its output.
func nowhere() *slog.Logger { return slog.New(slog.DiscardHandler) }

// schemas compares every version that the registry lists with ours.
func (c *checker) schemas(ctx context.Context) {
	registry, err := registryOf(c.cfg.Registry, 0, nowhere())
	if err != nil {
		return // told already
	}
	defer registry.Close()
	if c.cfg.Registry.URL != "" {
		known := slices.DeleteFunc(contract(c.cfg.Topics), func(t topic) bool { return t.schema == "" })
		f, err := checkSchemaRegistry(ctx, registry, known)
		if err != nil {
			c.add(partSchemas, err.Error(), "start the registry "+c.cfg.Registry.URL+", or mend the settings under registry")
			return
		}
		for _, found := range f.Findings {
			c.add(partSchemas, found.String(), "bridge schemas check tells more")
		}
	}
	encoder := produce.NewEncoder(order.NewCodec(registry), topicsOf(c.cfg.Topics), nil)
	if err := encoder.Ready(ctx); err != nil {
		c.add(partSchemas, err.Error(), "bridge schemas register lists the schemas of this version")
	}
}
