package check

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/app"
	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
)

// checkTimeout bounds what a check asks of Kafka, and of the registry.
const checkTimeout = 30 * time.Second

// Options say what is asked, and for whom.
type Options struct {
	Principal string // whom ACLs are for; empty: who the settings say we are
	Offline   bool   // settings, keys and certificates alone
}

// checker looks at one part after the other.
type checker struct {
	Report
	cfg       config.Config
	principal string
	now       time.Time
}

// Run ends after the part during which the context ended.
func Run(ctx context.Context, cfg config.Config, o Options) Report {
	c := &checker{Report: Report{Findings: []Finding{}}, cfg: cfg, principal: o.Principal, now: time.Now()}
	c.keys(ctx, o.Offline)
	c.certificates()
	if o.Offline {
		return c.Report
	}
	for _, part := range []func(context.Context){c.kafka, c.schemas} { // one that hangs costs the next nothing
		asking, cancel := context.WithTimeout(ctx, checkTimeout)
		part(asking)
		cancel()
		if ctx.Err() != nil {
			return c.Report
		}
	}
	c.gateways(ctx)
	return c.Report
}

// keys builds what run would build: keys pair up, mappings make sense. Each app and account
// by itself, so that one fault hides no other.
func (c *checker) keys(ctx context.Context, offline bool) {
	if _, err := kafka.ClientOptions(c.cfg.Kafka, nil, discardLog()); err != nil {
		c.add(partKeys, err.Error(), "bring the files named under kafka in order")
	}
	if registry, err := app.OpenRegistry(c.cfg.Registry, 0, app.Options{}); err != nil {
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
		if _, err := app.NewPlanner(c.cfg.Accounts[name]); err != nil {
			c.add(partSettings, fmt.Sprintf("account %s: %v", name, err), "mend accounts."+name+".mapping")
		}
	}
}

// app looks at the keys of an app and lets it sign, wherever its key is.
func (c *checker) app(ctx context.Context, name string) {
	client, err := app.NewAlipayApp(ctx, c.cfg.Apps[name], app.Options{})
	if err == nil {
		defer client.Close()
		err = client.CheckSigner(ctx)
	}
	if err != nil {
		c.add(partKeys, fmt.Sprintf("app %s: %v", name, err), "bring the keys named under apps."+name+" in order")
		return
	}
	ends := client.Ends()
	for _, what := range slices.Sorted(maps.Keys(ends)) {
		c.ends(fmt.Sprintf("app %s: %s", name, what), ends[what])
	}
}

// discardLog is where a check logs: what it finds is its output.
func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
