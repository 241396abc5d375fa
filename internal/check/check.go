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

// checkTimeout is the time limit for all requests to Kafka, and for those to the registry.
const checkTimeout = 30 * time.Second

// Options say what is checked, and for whom.
type Options struct {
	Principal string // who gets the ACLs; empty: the user of the settings
	Offline   bool   // settings, keys and certificates only

	Only app.PartList // what bridge run --only would run
}

// Load reads the settings, and of the files that they name those that the parts need.
func (o Options) Load(path string) (config.Config, error) {
	s, err := app.OpenSettings(path, o.Only...)
	return s.Config, err
}

// checker examines one part after the other.
type checker struct {
	Report
	cfg       config.Config
	principal string
	only      app.PartList
	now       time.Time
	within    time.Duration // how long a group may show no progress; 0: movesWithin
}

// Run checks what the settings describe. It ends after the part during which the context ended.
func Run(ctx context.Context, cfg config.Config, o Options) Report {
	c := &checker{Report: Report{Findings: []Finding{}}, cfg: cfg, principal: o.Principal, only: o.Only, now: time.Now()}
	c.keys(ctx, o.Offline)
	c.certificates()
	if o.Offline {
		return c.Report
	}
	c.host(ctx)
	for _, part := range []func(context.Context){c.kafka, c.schemas} { // each has a time limit of its own
		asking, cancel := context.WithTimeout(ctx, checkTimeout)
		part(asking)
		cancel()
		if ctx.Err() != nil {
			return c.Report
		}
	}
	if !c.only.Keyless() {
		c.gateways(ctx)
	}
	return c.Report
}

// keys builds what run would build: keys belong together, mappings are valid. It builds each app and
// account separately, so that one fault does not hide another.
func (c *checker) keys(ctx context.Context, offline bool) {
	if _, err := kafka.ClientOptions(c.cfg.Kafka, nil, discardLog()); err != nil {
		c.add(connectionFiles, err.Error(), "fix the files named under kafka")
	}
	if registry, err := app.OpenTopics(c.cfg, 0, app.Options{}); err != nil {
		c.add(connectionFiles, err.Error(), "fix the files named under registry")
	} else {
		registry.Close()
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Apps)) {
		switch a := c.cfg.Apps[name]; {
		case c.only.Keyless():
			c.alipayCertificates(name)
		case offline && a.PrivateKeyURI+a.NextPrivateKeyURI != "":
			c.note("app %s was not checked: its key is in Vault, and --offline uses no network", name)
		default:
			c.app(ctx, name)
		}
	}
	if err := c.only.Check(c.cfg); err != nil {
		c.add(partsIncomplete, err.Error(), "set what is missing, or name other parts with --only")
	} else if c.only.Keyless() {
		c.keyless(ctx)
	}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Accounts)) {
		if _, err := app.NewPlanner(c.cfg.Accounts[name]); err != nil {
			c.add(mappingWrong, fmt.Sprintf("account %s: %v", name, err), "fix accounts."+name+".mapping")
		}
	}
}

// keyless builds what run would build of parts that need none of our keys: a receiver verifies with Alipay's.
func (c *checker) keyless(ctx context.Context) {
	s, err := app.New(ctx, c.cfg, app.Options{Only: c.only})
	if err != nil {
		c.add(keyUnusable, err.Error(), "fix the files named under apps and notify, or the setting that is named")
		return
	}
	s.Close()
}

// app checks the keys of an app and lets it sign, also if its key is in Vault.
func (c *checker) app(ctx context.Context, name string) {
	client, err := app.NewAlipayApp(ctx, c.cfg.Apps[name], app.Options{})
	if err == nil {
		defer client.Close()
		err = client.CheckSigner(ctx)
	}
	if err != nil {
		c.add(keyUnusable, fmt.Sprintf("app %s: %v", name, err), "fix the keys named under apps."+name)
		return
	}
	if a := c.cfg.Apps[name]; a.Mode == config.CertificateMode { // by file: a serial number says nothing to a person
		c.chain(fileOf("apps."+name+".app_cert_file", a.AppCertFile), a.AppCertFile.Text)
		c.alipayCertificates(name)
		return
	}
	ends := client.Ends()
	for _, what := range slices.Sorted(maps.Keys(ends)) {
		c.ends(fmt.Sprintf("app %s: %s", name, what), ends[what])
	}
}

// alipayCertificates checks the dates of what an app verifies with, if these are certificates.
func (c *checker) alipayCertificates(name string) {
	a := c.cfg.Apps[name]
	c.chain(fileOf("apps."+name+".alipay_cert_file", a.AlipayCertFile), a.AlipayCertFile.Text)
	c.roots(fileOf("apps."+name+".alipay_root_cert_file", a.AlipayRootCertFile), a.AlipayRootCertFile.Text)
}

// discardLog drops log lines: a check prints findings instead.
func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
