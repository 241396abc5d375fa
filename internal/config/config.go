package config

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config are the settings, checked, with defaults filled in. Durations in the file are Go's
// ("15s"), sizes are like 16MiB.
type Config struct {
	Kafka        Kafka              `yaml:"kafka"`
	Registry     Registry           `yaml:"registry"`
	Topics       Topics             `yaml:"topics"`
	Apps         map[string]App     `yaml:"apps"`                    // Alipay apps by name
	Accounts     map[string]Account `yaml:"accounts"`                // merchants by the name that events carry
	TrustedHosts []string           `yaml:"trusted_hosts,omitempty"` // gateways besides Alipay's own that a production app may use
	Privacy      Privacy            `yaml:"privacy,omitempty"`
	Delivery     Delivery           `yaml:"delivery"`
	Telemetry    Telemetry          `yaml:"telemetry"`
	Admin        Admin              `yaml:"admin"`
}

// Kafka says which cluster and how this process takes part in its groups.
type Kafka struct {
	Brokers []string `yaml:"brokers"` // host:port
	// ClusterID is the id of the only cluster that the bridge works with; a production app
	// needs it (security G10).
	ClusterID string `yaml:"cluster_id,omitempty"`
	TLS       TLS    `yaml:"tls,omitempty"`
	SASL      SASL   `yaml:"sasl,omitempty"`
	Group     string `yaml:"group"` // of the calls; the queries' is <group>-queries
	// Start is where a group without committed offsets begins: earliest, latest or a time.
	// Without it such a group refuses to run: a first deployment must not fire a week of
	// creates by default.
	Start string `yaml:"start,omitempty"`
	// Slot names this process among those of its group, the same after a restart: transactional
	// ids are made of it. Default: the host's name.
	Slot               string        `yaml:"slot"`
	SessionTimeout     time.Duration `yaml:"session_timeout"`     // without a heartbeat for so long, the group gives our partitions to others
	Heartbeat          time.Duration `yaml:"heartbeat"`           // between two heartbeats; at most half of session_timeout
	RebalanceTimeout   time.Duration `yaml:"rebalance_timeout"`   // that a rebalance waits for its members
	TransactionTimeout time.Duration `yaml:"transaction_timeout"` // after which the broker aborts what a dead process left
	Headers            []string      `yaml:"headers,omitempty"`   // of input records that outputs keep
}

func (k *Kafka) defaults() {
	*k = Kafka{
		Group: "alipay-kafka-bridge", SessionTimeout: 10 * time.Second, Heartbeat: 3 * time.Second,
		RebalanceTimeout: 60 * time.Second, TransactionTimeout: 15 * time.Second,
	}
}

// QueriesGroup is the group of the query pipeline.
func (k Kafka) QueriesGroup() string { return k.Group + "-queries" }

// Registry says where schemas come from: a registry with Confluent's API, or a folder. Its
// files are read again for each new connection, passwords and tokens for each request.
type Registry struct {
	URL          string     `yaml:"url,omitempty"`           // a schema registry with Confluent's API; https, or http on this machine
	User         string     `yaml:"user,omitempty"`          // basic authentication, with PasswordFile
	PasswordFile SecretFile `yaml:"password_file,omitempty"` // the password of user
	TokenFile    SecretFile `yaml:"token_file,omitempty"`    // bearer token instead
	CAFile       File       `yaml:"ca_file,omitempty"`       // roots instead of the system's
	CertFile     File       `yaml:"cert_file,omitempty"`     // ours with its chain, for a registry that asks for one
	KeyFile      SecretFile `yaml:"key_file,omitempty"`      // of cert_file
	Folder       string     `yaml:"folder,omitempty"`        // with ids.json; no registry is asked
}

// Topics names every topic, and who may use which account.
type Topics struct {
	Inputs       []Input `yaml:"inputs"`
	Queries      []Input `yaml:"queries,omitempty"` // events that only ask, handled below live traffic
	Results      string  `yaml:"results"`           // one CallResult per event
	Snapshots    string  `yaml:"snapshots"`         // trades as Alipay shows them
	Observations string  `yaml:"observations"`      // internal: what results and snapshots say of a trade
	Journal      string  `yaml:"journal"`           // internal: skipped offsets with reasons
	Partitions   int     `yaml:"partitions"`        // of topics that `topics create` makes
	Replication  int     `yaml:"replication"`       // of topics that `topics create` makes; 0 is the cluster's default
}

func (t *Topics) defaults() {
	*t = Topics{
		Results: "alipay-results", Snapshots: "alipay-snapshots", Observations: "trade-observations",
		Journal: "bridge-journal", Partitions: 8,
	}
}

// Input is one input topic. The topic is the only identity that a record has, so it says which
// accounts its events may name (security K1).
type Input struct {
	Name           string   `yaml:"name"`                      // of the topic [order-events, and alipay-queries for queries]
	Accounts       []string `yaml:"accounts"`                  // that events of this topic may name; no wildcard
	DefaultAccount string   `yaml:"default_account,omitempty"` // of events that name none
	DeadLetters    string   `yaml:"dead_letters"`              // default: <name>.dlq
}

// Delivery sets the limits and intervals of the engine.
type Delivery struct {
	SettleEvery time.Duration `yaml:"settle_every"` // between two transactions of outcomes
	SettleCount int           `yaml:"settle_count"` // outcomes of one transaction at most
	MaxBytes    Bytes         `yaml:"max_bytes"`    // of records held in memory
	MaxRecord   Bytes         `yaml:"max_record"`   // a larger one is refused
	RevokeBound time.Duration `yaml:"revoke_bound"` // to finish what a rebalance takes away
	Grace       time.Duration `yaml:"grace"`        // for running calls at a stop

	SkippedResults bool `yaml:"skipped_results,omitempty"` // a result SKIPPED, too, for events that lead to no call
}

func (d *Delivery) defaults() {
	*d = Delivery{
		SettleEvery: 100 * time.Millisecond, SettleCount: 1000, MaxBytes: 16 << 20, MaxRecord: 1 << 20,
		RevokeBound: 20 * time.Second, Grace: 20 * time.Second,
	}
}

// Telemetry says where spans and logs go.
type Telemetry struct {
	OTLPEndpoint string `yaml:"otlp_endpoint,omitempty"` // URL of an OTLP/HTTP collector; empty: no spans leave
	ServiceName  string `yaml:"service_name"`            // service.name of spans
	LogLevel     string `yaml:"log_level"`               // debug, info, warn or error
	LogFormat    string `yaml:"log_format"`              // text or json
}

func (t *Telemetry) defaults() {
	*t = Telemetry{ServiceName: "alipay-kafka-bridge", LogLevel: "info", LogFormat: "text"}
}

// Admin is the port of the probes.
type Admin struct {
	Listen string `yaml:"listen"` // host:port; empty: none
}

func (a *Admin) defaults() { a.Listen = "127.0.0.1:8088" }

// Default returns what the file need not say: figures, and the topics by their usual names.
func Default() Config {
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	c.Topics.Inputs, c.Topics.Queries = make([]Input, 1), make([]Input, 1)
	completeInputs(c.Topics.Inputs, "order-events")
	completeInputs(c.Topics.Queries, "alipay-queries")
	return c
}

// Load reads and checks a settings file with all files that it names. env looks a variable of
// the environment up, as [os.LookupEnv] does. An error wraps [Faults] unless the settings
// file itself cannot be read.
func Load(path string, env func(string) (string, bool)) (Config, error) {
	return load(path, env, func(string) bool { return true })
}

// LoadPublic is Load for commands that call nobody at Alipay: the key and token files of apps
// and accounts, and the key of masks, are named but not read.
func LoadPublic(path string, env func(string) (string, bool)) (Config, error) {
	return load(path, env, func(setting string) bool {
		return !strings.HasPrefix(setting, "apps.") && !strings.HasPrefix(setting, "accounts.") && !strings.HasPrefix(setting, "privacy.")
	})
}

func load(path string, env func(string) (string, bool), reads func(string) bool) (Config, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names his own settings file
	if err != nil {
		return Config{}, fmt.Errorf("read settings: %w", err)
	}
	src := &Source{path: path, text: text, env: env}
	return src.decode(reads, func(_, name string, secret bool) (string, error) { return readFile(name, secret) })
}

// config decodes the text of a settings file and checks it.
func (d *decoder) config(text []byte) (Config, error) {
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	if top := d.document(text); top != nil {
		d.decode(top, "", reflect.ValueOf(&c).Elem())
		c.complete(d)
		c.check(d.Findings)
	}
	return c, d.Err()
}

// complete fills in what depends on other settings.
func (c *Config) complete(d *decoder) {
	if !d.Given("kafka.slot") {
		c.Kafka.Slot, _ = os.Hostname() // an empty one is a fault of check
	}
	if c.Registry.Folder != "" {
		c.Registry.Folder = resolve(d.dir, c.Registry.Folder)
	}
	completeInputs(c.Topics.Inputs, "order-events")
	completeInputs(c.Topics.Queries, "alipay-queries")
	for name, a := range c.Apps {
		a.complete(d.Findings, "apps."+name)
		c.Apps[name] = a
	}
	for name, a := range c.Accounts {
		if c.Apps[a.App].Kind == AlipayHK && a.Channel == "" {
			a.Channel = "HK" // that gateway knows no other
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

// Print writes the effective settings as YAML that Load reads. Secrets are in files; their
// names are printed.
func (c Config) Print(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	return e.Close()
}

// UseSlot replaces kafka.slot by what a command line says; empty leaves it.
func (k *Kafka) UseSlot(slot string) error {
	if slot == "" {
		return nil
	}
	if !groupForm.MatchString(slot) {
		return fmt.Errorf("slot %q: want %s", slot, wantGroup)
	}
	k.Slot = slot
	return nil
}
