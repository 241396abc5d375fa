package config

import (
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/config/fault"
)

// Forms of names.
const wantGroup = "up to 200 letters, digits, dots, dashes and underscores"

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)            // apps and accounts: they appear in keys and addresses
	topicForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)      // Kafka's rule for topics
	groupForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)      // narrower than Kafka's rule, which accepts anything
	hostForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*)?$`)     // trusted_hosts: no scheme, port or path
	wordForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)       // reasons of a skip
	extraForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`) // members of JSON texts (security K3)
)

// check applies all rules that need more than the form of one value.
func (c *Config) check(fs *fault.Findings) {
	c.Kafka.check(fs)
	c.checkCluster(fs)
	c.Registry.check(fs)
	c.Delivery.check(fs)
	c.Status.check(fs)
	c.Telemetry.check(fs)
	c.checkPorts(fs)
	for i, h := range c.TrustedHosts {
		if p := fault.Index("trusted_hosts", i); !hostForm.MatchString(h) {
			fs.Add(p, "is %s; use a host such as gateway.example.com, without scheme, port or path", fs.Quoted(p))
		}
	}
	c.Privacy.check(fs, c.Topics)
	c.Integrity.check(fs)
	c.Topics.check(fs, slices.Sorted(maps.Keys(c.Accounts)))
	c.checkApps(fs)
	c.checkAccounts(fs)
	c.checkNotify(fs)
}

func (k Kafka) check(fs *fault.Findings) {
	if len(k.Brokers) == 0 {
		fs.Add("kafka.brokers", "is missing; set it to at least one host:port")
	}
	for i, b := range k.Brokers {
		fs.HostPort(fault.Index("kafka.brokers", i), b)
	}
	for path, name := range map[string]string{"kafka.group": k.Group, "kafka.slot": k.Slot} {
		if !groupForm.MatchString(name) {
			fs.Add(path, "is %s; use "+wantGroup, fs.Quoted(path))
		}
	}
	k.checkStart(fs)
	k.checkHeaders(fs)
	k.checkSecurity(fs)
	fs.Duration("kafka.session_timeout", k.SessionTimeout, time.Second, 5*time.Minute)
	fs.Duration("kafka.heartbeat", k.Heartbeat, 100*time.Millisecond, k.SessionTimeout/2)
	fs.Duration("kafka.rebalance_timeout", k.RebalanceTimeout, k.SessionTimeout, 15*time.Minute)
	fs.Duration("kafka.transaction_timeout", k.TransactionTimeout, 5*time.Second, 15*time.Minute)
}

func (k Kafka) checkStart(fs *fault.Findings) {
	if k.Start == "" || k.Start == "earliest" || k.Start == "latest" {
		return
	}
	if _, err := time.Parse(time.RFC3339, k.Start); err != nil {
		fs.Add("kafka.start", "is %s; use earliest, latest or a time such as 2026-01-31T08:00:00+08:00", fs.Quoted("kafka.start"))
	}
}

// maxHeaders is how many headers of a record are copied at most (security K8).
const maxHeaders = 16

func (k Kafka) checkHeaders(fs *fault.Findings) {
	if len(k.Headers) > maxHeaders {
		fs.Add("kafka.headers", "has %d names; use at most %d", len(k.Headers), maxHeaders)
	}
	for i, name := range k.Headers {
		p := fault.Index("kafka.headers", i)
		switch {
		case !fault.VisibleForm.MatchString(name):
			fs.Add(p, "is %s; use the name of a header in visible ASCII characters", fs.Quoted(p))
		case ReservedHeader(name):
			fs.Add(p, "is %s, which the bridge writes itself; remove it", fs.Quoted(p))
		}
	}
	fs.Unique("kafka.headers", k.Headers)
}

// ReservedHeader reports whether only the bridge writes this header. One of an input record is
// never copied.
func ReservedHeader(name string) bool {
	switch name {
	case "event-id", "method", "class", "rewound", "traceparent", "tracestate", "baggage":
		return true
	}
	return strings.HasPrefix(name, "dead-") || strings.HasPrefix(name, "in.")
}

func (r Registry) check(fs *fault.Findings) {
	switch {
	case r.URL == "" && r.Folder == "" && !fs.HasFault("registry.url"):
		fs.Add("registry", "does not say where the schemas are; set url or folder")
	case r.URL != "" && r.Folder != "":
		fs.Add("registry.folder", "cannot be used together with url; remove one of them")
	case r.URL != "":
		fs.SecureURL("registry.url", r.URL)
	}
	r.checkAccess(fs)
}

func (d Delivery) check(fs *fault.Findings) {
	fs.Duration("delivery.settle_every", d.SettleEvery, time.Millisecond, 5*time.Second)
	fs.Number("delivery.settle_count", d.SettleCount, 1, 100_000)
	if d.MaxRecord < 1<<10 || d.MaxRecord > 64<<20 {
		fs.Add("delivery.max_record", "is %s; use 1KiB to 64MiB", d.MaxRecord)
	}
	if d.MaxBytes < d.MaxRecord || d.MaxBytes > 1<<30 {
		fs.Add("delivery.max_bytes", "is %s; use max_record (%s) to 1024MiB", d.MaxBytes, d.MaxRecord)
	}
	fs.Duration("delivery.revoke_bound", d.RevokeBound, time.Second, 10*time.Minute)
	fs.Duration("delivery.grace", d.Grace, 0, 10*time.Minute)
	if d.AuditEvery != 0 {
		fs.Duration("delivery.audit_every", d.AuditEvery, time.Second, time.Hour)
	}
}

func (t Telemetry) check(fs *fault.Findings) {
	if fs.OneOf("telemetry.otlp_protocol", t.OTLPProtocol, "http/protobuf", "grpc") && t.OTLPEndpoint != "" {
		t.checkEndpoint(fs, "telemetry.otlp_endpoint")
	}
	if t.OTLPMetricsEvery != 0 {
		fs.Duration("telemetry.otlp_metrics_every", t.OTLPMetricsEvery, time.Second, time.Hour)
		if t.OTLPEndpoint == "" && !fs.HasFault("telemetry.otlp_endpoint") {
			fs.Add("telemetry.otlp_metrics_every", "is set, but otlp_endpoint does not say where metrics are pushed to; set it, or remove otlp_metrics_every")
		}
	}
	if !(t.SampleRatio >= 0 && t.SampleRatio <= 1) { // so that NaN is refused as well
		fs.Add("telemetry.sample_ratio", "is %s; use 0 to 1", fs.Quoted("telemetry.sample_ratio"))
	}
	fs.Number("telemetry.max_traces_per_second", t.MaxTracesPerSecond, 0, 1_000_000)
	if t.ServiceName == "" {
		fs.Add("telemetry.service_name", "is empty; set it to a name")
	}
	fs.OneOf("telemetry.log_level", t.LogLevel, "debug", "info", "warn", "error")
	fs.OneOf("telemetry.log_format", t.LogFormat, "text", "json")
}

// checkEndpoint requires an address that fits the protocol.
func (t Telemetry) checkEndpoint(fs *fault.Findings, path string) {
	bare := !strings.Contains(t.OTLPEndpoint, "://")
	if t.OTLPProtocol != "grpc" {
		if _, _, err := net.SplitHostPort(t.OTLPEndpoint); bare && err == nil {
			fs.Add(path, "is %s; use a URL such as https://collector.example.com:4318, or set otlp_protocol to grpc", fs.Quoted(path))
			return
		}
		fs.SecureURL(path, t.OTLPEndpoint)
		return
	}
	if bare {
		fs.HostPort(path, t.OTLPEndpoint)
		return
	}
	switch u, err := url.Parse(t.OTLPEndpoint); {
	case err == nil && strings.Trim(u.Path, "/") != "":
		fs.Add(path, "has a path, and grpc has none; remove it, or set otlp_protocol to http/protobuf")
	case err == nil && u.Hostname() != "" && u.Port() == "":
		fs.Add(path, "has no port; use one such as https://%s:4317", u.Hostname())
	default:
		fs.SecureURL(path, t.OTLPEndpoint)
	}
}
