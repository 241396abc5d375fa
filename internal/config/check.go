package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Forms of names.
const wantGroup = "up to 200 letters, digits, dots, dashes and underscores"

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)            // apps and accounts: they appear in keys and addresses
	topicForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)      // Kafka's rule for topics
	groupForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)      // narrower than Kafka's, which takes anything
	hostForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*)?$`)     // trusted_hosts: no scheme, port or path
	wordForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)       // reasons of a skip
	extraForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`) // members of JSON texts (security K3)
)

// check applies every rule that needs more than one value's form.
func (c *Config) check(fs *findings) {
	c.Kafka.check(fs)
	c.checkCluster(fs)
	c.Registry.check(fs)
	c.Delivery.check(fs)
	c.Telemetry.check(fs)
	if c.Admin.Listen != "" {
		fs.hostPort("admin.listen", c.Admin.Listen)
	}
	for i, h := range c.TrustedHosts {
		if p := index("trusted_hosts", i); !hostForm.MatchString(h) {
			fs.add(p, "is %s; want a host such as gateway.example.com, without scheme, port or path", fs.text(p))
		}
	}
	c.Privacy.check(fs, c.Topics)
	c.Topics.check(fs, slices.Sorted(maps.Keys(c.Accounts)))
	c.checkApps(fs)
	c.checkAccounts(fs)
}

func (k Kafka) check(fs *findings) {
	if len(k.Brokers) == 0 {
		fs.add("kafka.brokers", "is missing; want at least one host:port")
	}
	for i, b := range k.Brokers {
		fs.hostPort(index("kafka.brokers", i), b)
	}
	for path, name := range map[string]string{"kafka.group": k.Group, "kafka.slot": k.Slot} {
		if !groupForm.MatchString(name) {
			fs.add(path, "is %s; want "+wantGroup, fs.text(path))
		}
	}
	k.checkStart(fs)
	k.checkHeaders(fs)
	k.checkSecurity(fs)
	fs.duration("kafka.session_timeout", k.SessionTimeout, time.Second, 5*time.Minute)
	fs.duration("kafka.heartbeat", k.Heartbeat, 100*time.Millisecond, k.SessionTimeout/2)
	fs.duration("kafka.rebalance_timeout", k.RebalanceTimeout, k.SessionTimeout, 15*time.Minute)
	fs.duration("kafka.transaction_timeout", k.TransactionTimeout, 5*time.Second, 15*time.Minute)
}

func (k Kafka) checkStart(fs *findings) {
	if k.Start == "" || k.Start == "earliest" || k.Start == "latest" {
		return
	}
	if _, err := time.Parse(time.RFC3339, k.Start); err != nil {
		fs.add("kafka.start", "is %s; want earliest, latest or a time such as 2026-01-31T08:00:00+08:00", fs.text("kafka.start"))
	}
}

// maxHeaders is how many headers of a record are passed on at most (security K8).
const maxHeaders = 16

func (k Kafka) checkHeaders(fs *findings) {
	if len(k.Headers) > maxHeaders {
		fs.add("kafka.headers", "has %d names; want up to %d", len(k.Headers), maxHeaders)
	}
	for i, name := range k.Headers {
		p := index("kafka.headers", i)
		switch {
		case !visibleForm.MatchString(name):
			fs.add(p, "is %s; want the name of a header in visible ASCII", fs.text(p))
		case ReservedHeader(name):
			fs.add(p, "is %s, which the bridge writes itself; leave it out", fs.text(p))
		}
	}
	fs.unique("kafka.headers", k.Headers)
}

// ReservedHeader says whether only the bridge writes this header: an inbound one is never
// passed on.
func ReservedHeader(name string) bool {
	switch name {
	case "event-id", "method", "class", "rewound", "traceparent", "tracestate", "baggage":
		return true
	}
	return strings.HasPrefix(name, "dead-") || strings.HasPrefix(name, "in.")
}

func (r Registry) check(fs *findings) {
	switch {
	case r.URL == "" && r.Folder == "" && !fs.hasFault("registry.url"):
		fs.add("registry", "says not where schemas are; want url or folder")
	case r.URL != "" && r.Folder != "":
		fs.add("registry.folder", "and url exclude each other; keep one")
	case r.URL != "":
		fs.secureURL("registry.url", r.URL)
	}
	r.checkAccess(fs)
}

func (d Delivery) check(fs *findings) {
	fs.duration("delivery.settle_every", d.SettleEvery, time.Millisecond, 5*time.Second)
	fs.number("delivery.settle_count", d.SettleCount, 1, 100_000)
	if d.MaxRecord < 1<<10 || d.MaxRecord > 64<<20 {
		fs.add("delivery.max_record", "is %s; want 1KiB to 64MiB", d.MaxRecord)
	}
	if d.MaxBytes < d.MaxRecord || d.MaxBytes > 1<<30 {
		fs.add("delivery.max_bytes", "is %s; want max_record (%s) to 1024MiB", d.MaxBytes, d.MaxRecord)
	}
	fs.duration("delivery.revoke_bound", d.RevokeBound, time.Second, 10*time.Minute)
	fs.duration("delivery.grace", d.Grace, 0, 10*time.Minute)
}

func (t Telemetry) check(fs *findings) {
	if t.OTLPEndpoint != "" {
		fs.secureURL("telemetry.otlp_endpoint", t.OTLPEndpoint)
	}
	if t.ServiceName == "" {
		fs.add("telemetry.service_name", "is empty; want a name")
	}
	fs.oneOf("telemetry.log_level", t.LogLevel, "debug", "info", "warn", "error")
	fs.oneOf("telemetry.log_format", t.LogFormat, "text", "json")
}
