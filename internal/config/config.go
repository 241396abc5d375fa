package config

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config are the settings, checked and with their defaults. In the file, durations are written like
// 15s, and sizes like 16MiB.
type Config struct {
	Kafka Kafka `yaml:"kafka"` // the Kafka cluster, and how this process takes part in its groups
	// Where schemas come from: a schema registry with the API of Confluent, or a folder.
	Registry Registry `yaml:"registry"`
	// The topics that the bridge reads and writes, and which accounts the events of each input may
	// name.
	Topics   Topics             `yaml:"topics"`
	Apps     map[string]App     `yaml:"apps"`     // Alipay apps, by a name that you choose
	Accounts map[string]Account `yaml:"accounts"` // merchants, by the name that events use in the field account
	// Hosts of gateways, other than those of Alipay, to which a production app may send requests.
	TrustedHosts []string `yaml:"trusted_hosts,omitempty"`
	// How results, snapshots and notifications hide personal data; by default, they leave it out (security
	// O7).
	Privacy   Privacy   `yaml:"privacy,omitempty"`
	Integrity Integrity `yaml:"integrity,omitempty"` // keys by which the bridge knows its own internal records
	Delivery  Delivery  `yaml:"delivery"`            // limits and intervals of reading and publishing
	Status    Status    `yaml:"status"`              // trade status: where its state is stored, and when Alipay is asked for orders of which nothing was heard
	Telemetry Telemetry `yaml:"telemetry"`           // where traces and logs go
	Probes    Probes    `yaml:"probes"`              // the port with the probes of an orchestrator
	Metrics   Metrics   `yaml:"metrics"`             // the port with the metrics
	Admin     Admin     `yaml:"admin"`               // the port for operators: status, waiting orders, log level
	Notify    Notify    `yaml:"notify"`              // the port that receives the notifications of Alipay
}

// Kafka says which cluster and how this process takes part in its groups.
type Kafka struct {
	// Addresses of some brokers, as host:port; the bridge finds the others through them.
	Brokers []string `yaml:"brokers"`
	// The id of the only cluster that the bridge works with; required if an app has environment
	// production (security G10).
	ClusterID string `yaml:"cluster_id,omitempty"`
	// Encryption of connections to brokers; the files are read again for each new connection, so that
	// new ones need no restart.
	TLS TLS `yaml:"tls,omitempty"`
	// How the bridge authenticates to brokers; the files are read again for each authentication.
	SASL SASL `yaml:"sasl,omitempty"`
	// Consumer group of the calls; the groups of the queries, of the sweep and of trade status have the same name with
	// -queries, -sweep and -status at its end.
	Group string `yaml:"group"`
	// Where a group without committed offsets begins: earliest, latest or a time. Without a start,
	// such a group refuses to run, so that a first deployment does not send old events to Alipay by
	// accident.
	Start string `yaml:"start,omitempty"`
	// Name of this process among the processes of its group. It must be the same after a restart,
	// because transactional ids are made from it [the host's name]
	Slot string `yaml:"slot"`
	// Time without a heartbeat after which the group gives our partitions to other members.
	SessionTimeout     time.Duration `yaml:"session_timeout"`
	Heartbeat          time.Duration `yaml:"heartbeat"`           // time between two heartbeats; at most half of session_timeout
	RebalanceTimeout   time.Duration `yaml:"rebalance_timeout"`   // the longest time that a rebalance waits for its members
	TransactionTimeout time.Duration `yaml:"transaction_timeout"` // time after which the broker aborts a transaction that a dead process left open
	Headers            []string      `yaml:"headers,omitempty"`   // names of headers that outputs copy from the input record

	production bool // an app of the settings has environment production
}

func (k *Kafka) defaults() {
	*k = Kafka{
		Group: "alipay-kafka-bridge", SessionTimeout: 10 * time.Second, Heartbeat: 3 * time.Second,
		RebalanceTimeout: 60 * time.Second, TransactionTimeout: 15 * time.Second,
	}
}

// QueriesGroup is the consumer group of the queries.
func (k Kafka) QueriesGroup() string { return k.Group + "-queries" }

// SweepGroup is the consumer group of the queries that the bridge makes by itself.
func (k Kafka) SweepGroup() string { return k.Group + "-sweep" }

// StatusGroup is the consumer group of trade status.
func (k Kafka) StatusGroup() string { return k.Group + "-status" }

// Registry says where schemas come from: a registry with Confluent's API, or a folder. Its
// files are read again for each new connection, passwords and tokens for each request.
type Registry struct {
	URL          string     `yaml:"url,omitempty"`           // address of the schema registry; https, or http on this machine
	User         string     `yaml:"user,omitempty"`          // user name for basic authentication
	PasswordFile SecretFile `yaml:"password_file,omitempty"` // file with the password of user; it is read again for each request
	// File with a bearer token, instead of user and password_file; it is read again for each request.
	TokenFile SecretFile `yaml:"token_file,omitempty"`
	// File with the root certificates that are trusted, instead of those of the operating system; read
	// again for each new connection.
	CAFile File `yaml:"ca_file,omitempty"`
	// File with the client certificate and its chain, for a registry that asks for one.
	CertFile File       `yaml:"cert_file,omitempty"`
	KeyFile  SecretFile `yaml:"key_file,omitempty"` // file with the private key of cert_file
	Folder   string     `yaml:"folder,omitempty"`   // folder with schema files and ids.json, instead of a registry
}

// Topics names every topic, and who may use which account.
type Topics struct {
	// Topics with order events. The topic is the only identity that a record has, so each topic lists
	// the accounts that its events may name (security K1).
	Inputs []Input `yaml:"inputs"`
	// Topics with events that only query. They are handled by a pipeline of their own, with limits of
	// its own, so that they do not slow down the calls.
	Queries      []Input `yaml:"queries,omitempty"`
	Results      string  `yaml:"results"`      // topic that gets one result for each event (schema CallResult)
	Snapshots    string  `yaml:"snapshots"`    // topic that gets trades as Alipay returned them (schema TradeSnapshot)
	Observations string  `yaml:"observations"` // internal topic that gets what each result, snapshot and notification says about a trade
	// Topic that gets the notifications that were verified (schema TradeNotification).
	Notifications string `yaml:"notifications"`
	// Compacted topic that gets the state of each order (schema TradeStatus). It has as many partitions as observations.
	Status string `yaml:"status"`
	// Internal topic for the queries that the bridge makes by itself: orders of which nothing was heard.
	Sweep string `yaml:"sweep"`
	// Internal topic that gets the offsets of events that led to no call, with reasons.
	Journal    string `yaml:"journal"`
	Partitions int    `yaml:"partitions"` // number of partitions of the topics that `topics create` creates
	// Number of replicas of the topics that `topics create` creates; 0: the cluster's default.
	Replication int `yaml:"replication"`
}

func (t *Topics) defaults() {
	*t = Topics{
		Results: "alipay-results", Snapshots: "alipay-snapshots", Observations: "trade-observations",
		Notifications: "alipay-notifications", Status: "trade-status", Sweep: "bridge-sweep",
		Journal: "bridge-journal", Partitions: 8,
	}
}

// Input is one input topic. The topic is the only identity that a record has, so it says which
// accounts its events may name (security K1).
type Input struct {
	Name           string   `yaml:"name"`                      // name of the topic [order-events; for queries: alipay-queries]
	Accounts       []string `yaml:"accounts"`                  // accounts that events of this topic may name; there is no wildcard
	DefaultAccount string   `yaml:"default_account,omitempty"` // account of events that name none; it must be one of accounts
	DeadLetters    string   `yaml:"dead_letters"`              // topic for records that a person must look at [the name with .dlq at its end]
	// Where producers register their schemas: topic (TopicNameStrategy: the name with -value at its end),
	// record (RecordNameStrategy: the record's full name), topic-record (TopicRecordNameStrategy), or
	// the name of a subject.
	Subject string `yaml:"subject,omitempty"`
	// Names of the producers' records, with or without namespace; or any, alone: every record whose fields fit.
	// Empty: OrderEvent, in any namespace.
	Records    []string `yaml:"records,omitempty"`
	IgnoreCase bool     `yaml:"ignore_case,omitempty"` // accepts fields in other letter case, such as ORDER_NO, as ksqlDB writes them
}

// Delivery sets the limits and intervals of the engine.
type Delivery struct {
	SettleEvery time.Duration `yaml:"settle_every"` // time between two transactions of outcomes
	SettleCount int           `yaml:"settle_count"` // how many outcomes one transaction has at most
	MaxBytes    Bytes         `yaml:"max_bytes"`    // how many bytes of records each pipeline may hold in memory; the sweep an eighth of it, trade status three
	MaxRecord   Bytes         `yaml:"max_record"`   // a record larger than this is refused
	RevokeBound time.Duration `yaml:"revoke_bound"` // time limit to finish the work on partitions that a rebalance takes away
	Grace       time.Duration `yaml:"grace"`        // how long running calls may take to finish when the bridge stops

	// Time between two rounds of the audit, in which one instance of the group compares events with their outcomes; it
	// must read the output topics. 0s: none.
	AuditEvery time.Duration `yaml:"audit_every"`

	SkippedResults bool `yaml:"skipped_results,omitempty"` // also publishes a result SKIPPED for each event that leads to no call
}

func (d *Delivery) defaults() {
	*d = Delivery{
		SettleEvery: 100 * time.Millisecond, SettleCount: 1000, MaxBytes: 16 << 20, MaxRecord: 1 << 20,
		RevokeBound: 20 * time.Second, Grace: 20 * time.Second, AuditEvery: 30 * time.Second,
	}
}

// Telemetry says where spans and logs go.
type Telemetry struct {
	// Where a collector takes traces: for http/protobuf a URL, to which /v1/traces is appended; for grpc a URL without a
	// path, or host:port, which means https. Empty: no traces are sent.
	OTLPEndpoint string `yaml:"otlp_endpoint,omitempty"`
	OTLPProtocol string `yaml:"otlp_protocol"` // protocol of otlp_endpoint: http/protobuf (usual port 4318) or grpc (usual port 4317)
	// Time between two pushes of all metrics to otlp_endpoint, for http/protobuf under /v1/metrics. The metrics are served to
	// scrapes as well. 0s: none are pushed.
	OTLPMetricsEvery time.Duration `yaml:"otlp_metrics_every"`
	// Share of the traces beginning here that are kept, from 0 to 1. A trace that a producer has begun is kept if the
	// producer has sampled it.
	SampleRatio float64 `yaml:"sample_ratio"`
	// How many of the traces that producers have sampled are kept, per second and input topic: a producer may sample
	// all of its records. 0: all.
	MaxTracesPerSecond int `yaml:"max_traces_per_second"`

	ServiceName string `yaml:"service_name"` // value of service.name in traces and pushed metrics
	LogLevel    string `yaml:"log_level"`    // lowest level that is logged: debug, info, warn or error
	LogFormat   string `yaml:"log_format"`   // format of log lines: text or json
}

func (t *Telemetry) defaults() {
	*t = Telemetry{OTLPProtocol: "http/protobuf", SampleRatio: 1, MaxTracesPerSecond: 100, ServiceName: "alipay-kafka-bridge", LogLevel: "info", LogFormat: "text"}
}

// Default returns the settings that a file need not have: numbers, and topics with their default
// names.
func Default() Config {
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	c.Topics.Inputs, c.Topics.Queries = make([]Input, 1), make([]Input, 1)
	completeInputs(c.Topics.Inputs, "order-events")
	completeInputs(c.Topics.Queries, "alipay-queries")
	return c
}

// Load reads and checks a settings file with all files that it names. env looks up a variable of the
// environment, as [os.LookupEnv] does. An error wraps [fault.Faults], unless the settings file itself
// cannot be read.
func Load(path string, env func(string) (string, bool)) (Config, error) {
	return load(path, env, everything)
}

// LoadPublic is Load for commands that do not call Alipay. It does not read the key and token files of
// apps and accounts, nor the key of masks, nor the files of the ports.
func LoadPublic(path string, env func(string) (string, bool)) (Config, error) {
	return loadWithout(path, env, "apps.", "accounts.", "privacy.", "integrity.", "admin.", "notify.")
}

// LoadInternal is LoadPublic for commands that write internal records: it reads the keys of integrity.
func LoadInternal(path string, env func(string) (string, bool)) (Config, error) {
	return loadWithout(path, env, "apps.", "accounts.", "privacy.", "admin.", "notify.")
}

func loadWithout(path string, env func(string) (string, bool), sections ...string) (Config, error) {
	return load(path, env, func(setting string, _ bool) bool {
		return !slices.ContainsFunc(sections, func(p string) bool { return strings.HasPrefix(setting, p) })
	})
}

func load(path string, env func(string) (string, bool), reads reads) (Config, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names his own settings file
	if err != nil {
		return Config{}, fmt.Errorf("read settings: %w", err)
	}
	src := &Source{path: path, text: text, env: env}
	return src.load(reads, func(_, name string, secret bool) (string, error) { return readFile(name, secret) })
}

// config decodes the text of a settings file and checks it.
func (d *decoder) config(text []byte) Config {
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	if top := d.document(text); top != nil {
		d.decode(top, "", reflect.ValueOf(&c).Elem())
		c.complete(d)
		c.check(d.Findings)
	}
	return c
}

// complete fills in what depends on other settings.
func (c *Config) complete(d *decoder) {
	if !d.Given("kafka.slot") {
		c.Kafka.Slot, _ = os.Hostname() // check reports an empty one
	}
	if c.Registry.Folder != "" {
		c.Registry.Folder = resolve(d.dir, c.Registry.Folder)
	}
	if c.Status.Folder != "" {
		c.Status.Folder = resolve(d.dir, c.Status.Folder)
	}
	completeInputs(c.Topics.Inputs, "order-events")
	completeInputs(c.Topics.Queries, "alipay-queries")
	for name, a := range c.Apps {
		c.Kafka.production = c.Kafka.production || a.Environment == Production
		a.keyless = d.keyless
		a.complete(d.Findings, "apps."+name)
		c.Apps[name] = a
	}
	for name, a := range c.Accounts {
		if c.Apps[a.App].Kind == AlipayHK && a.Channel == "" {
			a.Channel = "HK" // that gateway has no other
		}
		c.Accounts[name] = a
	}
}

func completeInputs(inputs []Input, name string) {
	for i := range inputs {
		if inputs[i].Name == "" {
			inputs[i].Name = name
		}
		if inputs[i].DeadLetters == "" {
			inputs[i].DeadLetters = inputs[i].Name + ".dlq"
		}
	}
}

// Print writes the effective settings as YAML that Load reads. Secrets are in files, of which only
// the names are printed.
func (c Config) Print(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return e.Close()
}

// UseSlot replaces kafka.slot by the slot of the command line, unless that is empty.
func (k *Kafka) UseSlot(slot string) error {
	if slot == "" {
		return nil
	}
	if !groupForm.MatchString(slot) {
		return fmt.Errorf("slot %q is not valid; use %s", slot, wantGroup)
	}
	k.Slot = slot
	return nil
}
