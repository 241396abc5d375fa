package config

import (
	"reflect"
	"time"

	"alipay-kafka-bridge/internal/config/fault"
)

// Kind is the gateway that an app uses.
type Kind string

// The gateways.
const (
	OpenAPI  Kind = "openapi"  // the classic one
	AlipayHK Kind = "alipayhk" // AlipayHK's merchant API
)

// Environment is what the calls of an app do. It is written into every output.
type Environment string

// The environments.
const (
	Production Environment = "production" // real money
	Sandbox    Environment = "sandbox"    // Alipay's
	Simulator  Environment = "simulator"  // `bridge simulate`
)

// Mode is how an openapi app verifies the signatures of Alipay.
type Mode string

// The modes ("access mode" of the app in Alipay's console).
const (
	KeyMode         Mode = "key"         // Alipay's public key
	CertificateMode Mode = "certificate" // three certificate files; new certificates of Alipay are downloaded
)

// App is one Alipay app: gateway, keys, limits and breaker, shared by its accounts.
type App struct {
	Kind Kind `yaml:"kind"` // which gateway the app uses: openapi (the classic gateway) or alipayhk
	// What the calls do: production (real money), sandbox or simulator; it is written into every
	// output.
	Environment Environment `yaml:"environment"`
	// Address of the gateway; in production only Alipay's own hosts and those of trusted_hosts are
	// accepted.
	URL      string `yaml:"url"`
	AppID    string `yaml:"app_id,omitempty"`    // number of the app at Alipay; required for kind openapi
	ClientID string `yaml:"client_id,omitempty"` // Client-Id that AlipayHK gave the app; required for kind alipayhk

	PrivateKeyFile SecretFile `yaml:"private_key_file,omitempty"` // file with our private key, which signs requests
	// Our private key in Vault, instead of private_key_file: vault://host:8200/mount/key.
	PrivateKeyURI  string     `yaml:"private_key_uri,omitempty"`
	VaultTokenFile SecretFile `yaml:"vault_token_file,omitempty"` // file with the token for Vault; required if a key is in Vault
	// File with Alipay's public key as the console shows it, not our own; for kind openapi.
	AlipayPublicKeyFile File            `yaml:"alipay_public_key_file,omitempty"`
	KeyVersion          string          `yaml:"key_version,omitempty"`   // version of our key at AlipayHK, for kind alipayhk [1]
	PlatformKeys        map[string]File `yaml:"platform_keys,omitempty"` // files with AlipayHK's public keys, by version; for kind alipayhk
	// File with the root certificates that are trusted for connections to the gateway, instead of
	// those of the operating system.
	CAFile File `yaml:"ca_file,omitempty"`

	// openapi only: certificates, coding and changes of keys.

	// How answers are verified: key (with Alipay's public key) or certificate; for kind openapi [key]
	Mode               Mode `yaml:"mode,omitempty"`
	AppCertFile        File `yaml:"app_cert_file,omitempty"`         // file with the app's certificate, for mode certificate
	AlipayCertFile     File `yaml:"alipay_cert_file,omitempty"`      // file with Alipay's certificate, for mode certificate
	AlipayRootCertFile File `yaml:"alipay_root_cert_file,omitempty"` // file with Alipay's root certificates, for mode certificate
	// Character set of requests and answers: utf-8, gbk or gb2312; for kind openapi [utf-8]
	Charset string `yaml:"charset,omitempty"`
	// Signature algorithm: RSA2 or RSA; RSA needs allow_weak; for kind openapi [RSA2]
	SignType  string `yaml:"sign_type,omitempty"`
	AllowWeak bool   `yaml:"allow_weak,omitempty"` // accepts signatures with RSA (SHA-1) and keys below 2048 bits
	// File with the AES key of the app; if it is set, the content of requests and answers is
	// encrypted.
	AESKeyFile SecretFile `yaml:"aes_key_file,omitempty"`
	// File with the private key to use as soon as Alipay refuses the current one, for a change of keys
	// without an interruption.
	NextPrivateKeyFile SecretFile `yaml:"next_private_key_file,omitempty"`
	NextPrivateKeyURI  string     `yaml:"next_private_key_uri,omitempty"` // the next private key in Vault, instead of next_private_key_file
	// Public keys of Alipay that are trusted in addition, during a change of keys; for mode key.
	MoreAlipayKeys []AlipayKey `yaml:"more_alipay_keys,omitempty"`

	// alipayhk only: what the gateway's pages leave open.

	PlatformECKeys map[string]File `yaml:"platform_ec_keys,omitempty"` // files with AlipayHK's ECC224 public keys, by version
	ECC            ECC             `yaml:"ecc,omitempty"`              // details of ECC224 that the pages of AlipayHK leave open
	// Name of the algorithm in our Signature header [RSA256 or ECC224, depending on our key]
	Algorithm   string `yaml:"algorithm,omitempty"`
	SigningPath string `yaml:"signing_path,omitempty"` // path in the text that is signed [the path of url]
	// Format of Request-Time: page (as on the page of AlipayHK), millis, compact or epoch [page]
	TimeLayout     string        `yaml:"time_layout,omitempty"`
	TimeZone       string        `yaml:"time_zone,omitempty"`       // time zone of Request-Time, as an offset [+08:00]
	OrderTimes     string        `yaml:"order_times,omitempty"`     // unit of the order's times: milliseconds or seconds [milliseconds]
	RequestIDs     string        `yaml:"request_ids,omitempty"`     // format of requestId: hex, or uuid (with dashes) [hex]
	Skew           time.Duration `yaml:"skew,omitempty"`            // how far the Response-Time of a success may differ from our clock [5m]
	AnyTime        bool          `yaml:"any_time,omitempty"`        // accepts any Response-Time
	TryAllKeys     bool          `yaml:"try_all_keys,omitempty"`    // tries all platform keys on an answer whose key version is not listed
	RefuseUnsigned bool          `yaml:"refuse_unsigned,omitempty"` // does not believe failures that are not signed
	Encrypt        Encrypt       `yaml:"encrypt,omitempty"`         // encryption of bodies (AlipayHK Synchronize Order, "Encrypt")
	// Class of a refusal by its resultCode: REJECTED, MISCONFIGURED, TRANSIENT or THROTTLED; it
	// replaces the class that the bridge knows.
	Classes map[string]string `yaml:"classes,omitempty"`

	InFlight       int           `yaml:"in_flight"`       // how many attempts may be in progress at the same time
	Rate           float64       `yaml:"rate"`            // how many attempts may begin per second; 0: no limit
	Burst          int           `yaml:"burst"`           // how many attempts may begin at once within rate
	ConnectTimeout time.Duration `yaml:"connect_timeout"` // time limit for a connection to the gateway, including TLS
	Timeout        time.Duration `yaml:"timeout"`         // time limit for one attempt [openapi 15s, alipayhk 8s]
	// How long a connection without requests is kept; it should be shorter than the time after which
	// the gateway closes it.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	HTTP2       bool          `yaml:"http2,omitempty"` // offers HTTP/2 to the gateway in addition to HTTP/1.1

	Queries Limits `yaml:"queries"` // limits for events of query topics, in addition to the limits above
	// When calls of one method pause because they fail; each method has a breaker of its own.
	Breaker Breaker `yaml:"breaker"`
	// How often and how long a call is tried; pauses double up to their maximum and are shortened at
	// random.
	Retry Retry `yaml:"retry"`

	keyless bool // the process does not sign
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

// AlipayKey is a public key of Alipay that is trusted in addition to the first one, during a change of
// keys.
type AlipayKey struct {
	File  File   `yaml:"file"`            // file with the public key
	Until string `yaml:"until,omitempty"` // time until which the key is trusted (RFC 3339); empty: until it is removed
}

// complete fills in defaults that depend on the kind and on other settings of the app.
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
	// How many attempts for query topics may be in progress at the same time [an eighth of the app's
	// in_flight]
	InFlight int     `yaml:"in_flight"`
	Rate     float64 `yaml:"rate"`  // how many attempts for query topics may begin per second; 0: no limit
	Burst    int     `yaml:"burst"` // how many attempts may begin at once within rate
}

func (l *Limits) defaults() { l.Burst = 1 }

// Breaker says when calls of a method of an app pause. There is one per method.
type Breaker struct {
	Consecutive int `yaml:"consecutive"` // failures in a row after which the breaker opens
	// Share of failures at which the breaker opens, if there were at least min_requests within window.
	Ratio       float64       `yaml:"ratio"`
	MinRequests int           `yaml:"min_requests"` // how many attempts window must have before ratio applies
	Window      time.Duration `yaml:"window"`       // the time over which ratio is measured
	Open        time.Duration `yaml:"open"`         // how long the breaker stays open before it lets probes through
	HalfOpen    int           `yaml:"half_open"`    // number of probes; the breaker closes if all of them succeed
	// Time from the first success until the full number of attempts may be in progress again.
	Ramp time.Duration `yaml:"ramp"`
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
	BackOff             time.Duration `yaml:"back_off"`               // first pause between two attempts; it doubles each time
	BackOffMax          time.Duration `yaml:"back_off_max"`           // longest pause between two attempts
	ThrottledBackOff    time.Duration `yaml:"throttled_back_off"`     // first pause after Alipay said that there are too many requests
	ThrottledBackOffMax time.Duration `yaml:"throttled_back_off_max"` // longest pause after Alipay said that there are too many requests
	// How many attempts must have failed before an event is given up; max_trying must have passed as
	// well.
	MinAttempts int `yaml:"min_attempts"`
	// How long an event must have been tried before it is given up; waiting for an open breaker is not
	// included.
	MaxTrying time.Duration `yaml:"max_trying"`
	// Pause between two queries after a lost create. The bridge believes that there is no such trade
	// only when two answers say so.
	NotFoundPause time.Duration `yaml:"not_found_pause"`
}

func (r *Retry) defaults() {
	*r = Retry{
		BackOff: 200 * time.Millisecond, BackOffMax: 30 * time.Second,
		ThrottledBackOff: time.Second, ThrottledBackOffMax: time.Minute,
		MinAttempts: 5, MaxTrying: 15 * time.Minute, NotFoundPause: 3 * time.Second,
	}
}
