package config

import (
	"reflect"
	"time"

	"alipay-kafka-bridge/internal/config/fault"
)

// Kind says which gateway an app speaks to.
type Kind string

// The gateways.
const (
	OpenAPI  Kind = "openapi"  // the classic one
	AlipayHK Kind = "alipayhk" // AlipayHK's merchant API
)

// Environment says what an app's calls do. It is written into every output.
type Environment string

// The environments.
const (
	Production Environment = "production" // real money
	Sandbox    Environment = "sandbox"    // Alipay's
	Simulator  Environment = "simulator"  // `bridge simulate`
)

// Mode says what an openapi app trusts Alipay's signatures by.
type Mode string

// The modes ("access mode" of the app in Alipay's console).
const (
	KeyMode         Mode = "key"         // Alipay's public key
	CertificateMode Mode = "certificate" // three certificate files; Alipay's successors are downloaded
)

// App is one Alipay app: gateway, keys, limits and breaker, shared by its accounts.
type App struct {
	Kind        Kind        `yaml:"kind"`                // openapi (the classic gateway) or alipayhk
	Environment Environment `yaml:"environment"`         // production, sandbox or simulator; stands in every output
	URL         string      `yaml:"url"`                 // of the gateway; production takes Alipay's own and trusted_hosts
	AppID       string      `yaml:"app_id,omitempty"`    // openapi: the number of the app at Alipay, required there
	ClientID    string      `yaml:"client_id,omitempty"` // alipayhk: the Client-Id that AlipayHK gave, required there

	PrivateKeyFile      SecretFile      `yaml:"private_key_file,omitempty"`       // ours
	PrivateKeyURI       string          `yaml:"private_key_uri,omitempty"`        // ours, if it is elsewhere: vault://host:8200/mount/key
	VaultTokenFile      SecretFile      `yaml:"vault_token_file,omitempty"`       // for keys that Vault holds
	AlipayPublicKeyFile File            `yaml:"alipay_public_key_file,omitempty"` // openapi: Alipay's, not our own
	KeyVersion          string          `yaml:"key_version,omitempty"`            // alipayhk: of our key [1]
	PlatformKeys        map[string]File `yaml:"platform_keys,omitempty"`          // alipayhk: theirs, by version
	CAFile              File            `yaml:"ca_file,omitempty"`                // roots instead of the system's

	// openapi only: certificates, coding and changes of keys.

	Mode               Mode        `yaml:"mode,omitempty"`                  // key (public keys) or certificate [key]
	AppCertFile        File        `yaml:"app_cert_file,omitempty"`         // mode certificate: the app's certificate
	AlipayCertFile     File        `yaml:"alipay_cert_file,omitempty"`      // mode certificate: Alipay's certificate
	AlipayRootCertFile File        `yaml:"alipay_root_cert_file,omitempty"` // mode certificate: Alipay's root certificates
	Charset            string      `yaml:"charset,omitempty"`               // utf-8, gbk or gb2312 [utf-8]
	SignType           string      `yaml:"sign_type,omitempty"`             // RSA2 or RSA, which needs allow_weak [RSA2]
	AllowWeak          bool        `yaml:"allow_weak,omitempty"`            // permits RSA (SHA-1) and keys below 2048 bits
	AESKeyFile         SecretFile  `yaml:"aes_key_file,omitempty"`          // contents are encrypted both ways
	NextPrivateKeyFile SecretFile  `yaml:"next_private_key_file,omitempty"` // to change over to when Alipay refuses ours
	NextPrivateKeyURI  string      `yaml:"next_private_key_uri,omitempty"`  // the same, if it is elsewhere
	MoreAlipayKeys     []AlipayKey `yaml:"more_alipay_keys,omitempty"`      // mode key: trusted besides

	// alipayhk only: what the gateway's pages leave open.

	PlatformECKeys map[string]File   `yaml:"platform_ec_keys,omitempty"` // theirs for ECC224, by version
	ECC            ECC               `yaml:"ecc,omitempty"`              // what ECC224 means
	Algorithm      string            `yaml:"algorithm,omitempty"`        // in our Signature header [RSA256 or ECC224, by our key]
	SigningPath    string            `yaml:"signing_path,omitempty"`     // in the signed text [the url's]
	TimeLayout     string            `yaml:"time_layout,omitempty"`      // of Request-Time: page, millis, compact or epoch [page]
	TimeZone       string            `yaml:"time_zone,omitempty"`        // of Request-Time, as an offset [+08:00]
	OrderTimes     string            `yaml:"order_times,omitempty"`      // unit of the order's times: milliseconds or seconds [milliseconds]
	RequestIDs     string            `yaml:"request_ids,omitempty"`      // form of requestId: hex or uuid, with dashes [hex]
	Skew           time.Duration     `yaml:"skew,omitempty"`             // of a success's Response-Time [5m]
	AnyTime        bool              `yaml:"any_time,omitempty"`         // Response-Time is not checked
	TryAllKeys     bool              `yaml:"try_all_keys,omitempty"`     // on answers with a key version that is not listed
	RefuseUnsigned bool              `yaml:"refuse_unsigned,omitempty"`  // even failures must be signed
	Encrypt        Encrypt           `yaml:"encrypt,omitempty"`
	Classes        map[string]string `yaml:"classes,omitempty"` // resultCode of a refusal to its class, before what is known of it

	InFlight       int           `yaml:"in_flight"`       // attempts at a time
	Rate           float64       `yaml:"rate"`            // attempts that begin per second; 0: no limit
	Burst          int           `yaml:"burst"`           // attempts that may begin at once under rate
	ConnectTimeout time.Duration `yaml:"connect_timeout"` // of a connection to the gateway, with TLS
	Timeout        time.Duration `yaml:"timeout"`         // of one attempt [openapi 15s, alipayhk 8s]
	IdleTimeout    time.Duration `yaml:"idle_timeout"`    // of a connection; below the time after which gateways reset
	HTTP2          bool          `yaml:"http2,omitempty"` // offers HTTP/2 beside HTTP/1.1

	Queries Limits  `yaml:"queries"` // of events on query topics, besides the above
	Breaker Breaker `yaml:"breaker"`
	Retry   Retry   `yaml:"retry"`
}

// NewApp returns an app of this kind with the defaults that a settings file has.
func NewApp(kind Kind) App {
	a := App{}
	setDefaults(reflect.ValueOf(&a).Elem())
	a.Kind = kind
	a.complete(fault.New(), "app")
	return a
}

func (a *App) defaults() {
	a.InFlight, a.Burst, a.ConnectTimeout, a.IdleTimeout = 256, 1, 3*time.Second, 30*time.Second
}

// AlipayKey is a public key of Alipay's that is trusted besides the first, for the time of a
// change.
type AlipayKey struct {
	File  File   `yaml:"file"`            // the public key
	Until string `yaml:"until,omitempty"` // a time (RFC 3339); empty: no end is known
}

// complete fills in what depends on the kind and on other settings of the app.
func (a *App) complete(fs *fault.Findings, path string) {
	if !fs.Given(path + ".timeout") {
		a.Timeout = 15 * time.Second
		if a.Kind == AlipayHK {
			a.Timeout = 8 * time.Second // Alipay+ recommends 8 s for payments [inferred]
		}
	}
	if !fs.Given(path+".key_version") && a.Kind == AlipayHK {
		a.KeyVersion = "1"
	}
	if !fs.Given(path + ".queries.in_flight") {
		a.Queries.InFlight = max(1, a.InFlight/8)
	}
	if a.Kind == OpenAPI {
		a.completeOpenAPI(fs, path)
	}
	if a.Kind == AlipayHK {
		a.completeHK(fs, path)
	}
}

func (a *App) completeOpenAPI(fs *fault.Findings, path string) {
	if !fs.Given(path + ".mode") {
		a.Mode = KeyMode
	}
	if !fs.Given(path + ".charset") {
		a.Charset = "utf-8"
	}
	if !fs.Given(path + ".sign_type") {
		a.SignType = "RSA2"
	}
}

// Limits bound the queries of an app, so that they stay below live traffic.
type Limits struct {
	InFlight int     `yaml:"in_flight"` // attempts at a time [an eighth of the app's]
	Rate     float64 `yaml:"rate"`      // per second; 0: no limit
	Burst    int     `yaml:"burst"`     // attempts that may begin at once under rate
}

func (l *Limits) defaults() { l.Burst = 1 }

// Breaker says when a method of an app is left alone for a while. There is one per method.
type Breaker struct {
	Consecutive int           `yaml:"consecutive"`  // failures in a row that open it
	Ratio       float64       `yaml:"ratio"`        // share of failures that opens it ...
	MinRequests int           `yaml:"min_requests"` // ... of at least so many ...
	Window      time.Duration `yaml:"window"`       // ... within this time
	Open        time.Duration `yaml:"open"`         // how long it stays open before it probes
	HalfOpen    int           `yaml:"half_open"`    // probes, all of which must succeed
	Ramp        time.Duration `yaml:"ramp"`         // from first success to full concurrency
}

func (b *Breaker) defaults() {
	*b = Breaker{
		Consecutive: 10, Ratio: 0.5, MinRequests: 20, Window: 10 * time.Second,
		Open: 10 * time.Second, HalfOpen: 3, Ramp: 10 * time.Second,
	}
}

// Retry says how often and how long a call is tried. Pauses double up to their maximum, with
// full jitter.
type Retry struct {
	BackOff             time.Duration `yaml:"back_off"`               // first pause, doubled each time
	BackOffMax          time.Duration `yaml:"back_off_max"`           // longest pause
	ThrottledBackOff    time.Duration `yaml:"throttled_back_off"`     // where Alipay says that we ask too often
	ThrottledBackOffMax time.Duration `yaml:"throttled_back_off_max"` // longest pause there
	MinAttempts         int           `yaml:"min_attempts"`           // both must be reached
	MaxTrying           time.Duration `yaml:"max_trying"`             // before an event is given up
	NotFoundPause       time.Duration `yaml:"not_found_pause"`        // between two answers that say "no such trade"
}

func (r *Retry) defaults() {
	*r = Retry{
		BackOff: 200 * time.Millisecond, BackOffMax: 30 * time.Second,
		ThrottledBackOff: time.Second, ThrottledBackOffMax: time.Minute,
		MinAttempts: 5, MaxTrying: 15 * time.Minute, NotFoundPause: 3 * time.Second,
	}
}
