package standalone

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// Config is the settings file of `simulate -c FILE`: YAML or JSON. A key that it does not know is
// an error, as is one given twice. Times are RFC 3339, durations like "90s", amounts yuan in
// quotes ("88.88"). An app without keys gets new ones.
type Config struct {
	Seed      uint64                  `yaml:"seed"`
	Latency   simulator.Latency       `yaml:"latency"`
	Quirks    *[]wire.Quirk           `yaml:"quirks"`    // names; not given: the default ones, empty: none
	PayLimit  time.Duration           `yaml:"pay_limit"` // of a trade without its own; zero: 3 h
	BenchMode bool                    `yaml:"bench_mode"`
	Apps      []AppConfig             `yaml:"apps"`
	HKApps    []HKAppConfig           `yaml:"hk_apps"`
	HK        HKConfig                `yaml:"hk"`
	Faults    []FaultConfig           `yaml:"faults"`
	Buyers    []simulator.Buyer       `yaml:"buyers"`
	Notify    []simulator.TradeStatus `yaml:"notify"` // states that merchants are notified of; not given: TRADE_SUCCESS
	Trades    []TradeConfig           `yaml:"trades"`
	// Notifications are the faults and limits of what merchants are notified with.
	Notifications NotificationsConfig `yaml:"notifications"`
	ItemOrders    []ItemConfig        `yaml:"item_orders"`
}

// NotificationsConfig is a part of [outbox.Options].
type NotificationsConfig struct {
	Keep    int            `yaml:"keep"`    // zero: 100,000
	Senders int            `yaml:"senders"` // zero: 16
	Faults  []outbox.Fault `yaml:"faults"`
}

// AppConfig is one app of the classic gateway.
type AppConfig struct {
	ID         string           `yaml:"id"`
	SellerID   string           `yaml:"seller_id"`
	Keys       KeysConfig       `yaml:"keys"`        // of sign_type RSA2
	LegacyKeys KeysConfig       `yaml:"legacy_keys"` // of sign_type RSA; none is made
	AESKey     string           `yaml:"aes_key"`     // Base64, as the console shows it
	AESKeyFile string           `yaml:"aes_key_file"`
	Merchants  []MerchantConfig `yaml:"merchants"`

	Certificates *CertificatesConfig `yaml:"certificates"` // switch the app to certificate mode
}

// MerchantConfig is one merchant under an app.
type MerchantConfig struct {
	Name         string `yaml:"name"`
	SellerID     string `yaml:"seller_id"`
	AppAuthToken string `yaml:"app_auth_token"`
}

// HKAppConfig is one client of the HK gateway. KeyVersion is that of both keys; empty: 1. The
// merchant's older keys are taken too, the platform's older keys decrypt.
type HKAppConfig struct {
	ClientID   string      `yaml:"client_id"`
	KeyVersion string      `yaml:"key_version"`
	Keys       KeysConfig  `yaml:"keys"`
	Older      []OlderKeys `yaml:"older_keys"`
	ECC        ECCConfig   `yaml:"ecc"`
}

// OlderKeys are the keys of another version.
type OlderKeys struct {
	KeyVersion string     `yaml:"key_version"`
	Keys       KeysConfig `yaml:"keys"`
}

// ECCConfig is [wire.ECC] in a file; its keys have the version key_version of the client.
type ECCConfig struct {
	Keys   KeysConfig `yaml:"keys"`
	Hash   string     `yaml:"hash"`   // sha224 or sha256; empty: sha224
	Format string     `yaml:"format"` // der or p1363; empty: der
}

// HKConfig is [rules.HK] in a file.
type HKConfig struct {
	Skew          time.Duration `yaml:"skew"`
	BizTypes      []string      `yaml:"biz_types"`
	LongRequestID bool          `yaml:"long_request_id"`
	Seconds       bool          `yaml:"seconds"`
	OrderedTimes  bool          `yaml:"ordered_times"`
}

// FaultConfig is one [Fault]. Kind is one of cut, outage, bad_gateway, too_many_requests, delay,
// unavailable, system_error, throttled, refuse, unsigned, wrong_key,
// swapped, rotated, replayed, truncated, slow_body, no_order_id, skewed, reset, timeout, accepted.
type FaultConfig struct {
	Kind        string           `yaml:"kind"`
	Method      simulator.Method `yaml:"method"`
	Order       string           `yaml:"order"`
	App         string           `yaml:"app"`
	After       bool             `yaml:"after"` // behind the effect
	Skip        int              `yaml:"skip"`
	Times       int              `yaml:"times"` // 0: once, with a probability: without end
	Always      bool             `yaml:"always"`
	Probability float64          `yaml:"probability"`
	From        time.Time        `yaml:"from"`
	To          time.Time        `yaml:"to"`
	Delay       time.Duration    `yaml:"delay"` // of delay, slow_body, skewed; Retry-After of too_many_requests
	SubCode     string           `yaml:"sub_code"`
	Code        string           `yaml:"code"`
}

// TradeConfig is one [simulator.Trade].
type TradeConfig struct {
	App         string                `yaml:"app"`
	Merchant    string                `yaml:"merchant"`
	OutTradeNo  string                `yaml:"out_trade_no"`
	TradeNo     string                `yaml:"trade_no"`
	Status      simulator.TradeStatus `yaml:"status"`
	Total       wire.Fen              `yaml:"total"`
	Subject     string                `yaml:"subject"`
	BuyerID     string                `yaml:"buyer_id"`
	BuyerOpenID string                `yaml:"buyer_open_id"`
	SellerID    string                `yaml:"seller_id"`
	CreatedAt   time.Time             `yaml:"created_at"`
	ExpiresAt   time.Time             `yaml:"expires_at"`
	NotifyURL   string                `yaml:"notify_url"`
	More        map[string]any        `yaml:"more"`
	Steps       []simulator.Step      `yaml:"steps"` // what the buyer will do
}

// ItemConfig is one [simulator.ItemOrder].
type ItemConfig struct {
	App            string           `yaml:"app"`
	OrderNo        string           `yaml:"order_no"`
	OutOrderNo     string           `yaml:"out_order_no"`
	PartnerID      string           `yaml:"partner_id"`
	TradeNo        string           `yaml:"trade_no"`
	Status         string           `yaml:"status"`
	BuyerID        string           `yaml:"buyer_id"`
	SellerID       string           `yaml:"seller_id"`
	CreatedAt      time.Time        `yaml:"created_at"`
	ModifiedAt     time.Time        `yaml:"modified_at"`
	PaidAt         time.Time        `yaml:"paid_at"`
	Total          wire.Fen         `yaml:"total"`
	RealPay        wire.Fen         `yaml:"real_pay"`
	Discount       wire.Fen         `yaml:"discount"`
	SellerReceives wire.Fen         `yaml:"seller_receives"`
	Items          []simulator.Item `yaml:"items"`
	More           map[string]any   `yaml:"more"`
}

// LoadConfig reads a settings file.
func LoadConfig(r io.Reader) (Config, error) {
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	var c Config
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("read simulator settings: %w", err)
	}
	if err := d.Decode(new(Config)); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("read simulator settings: more than one document")
	}
	return c, nil
}

// LoadFaults reads a list of [FaultConfig], as the key faults of a settings file holds it.
func LoadFaults(r io.Reader) ([]simulator.Fault, error) {
	var list []FaultConfig
	if err := decode(r, &list); err != nil {
		return nil, fmt.Errorf("read faults: %w", err)
	}
	faults := make([]simulator.Fault, len(list))
	for i, c := range list {
		var err error
		if faults[i], err = c.fault(); err != nil {
			return nil, fmt.Errorf("faults[%d]: %w", i, err)
		}
	}
	return faults, nil
}

// decode reads YAML or JSON without unknown keys.
func decode(r io.Reader, into any) error {
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	return d.Decode(into)
}

// Generated are the apps for which a configuration gave no keys.
type Generated struct {
	Apps   []GeneratedApp
	HKApps []GeneratedHKApp
}

// Options turns the configuration into options. Key files are relative to dir. Apps without keys
// get new ones, which are returned too.
func (c Config) Options(dir string) (simulator.Options, Generated, error) {
	o := simulator.Options{
		Seed: c.Seed, Latency: c.Latency, PayLimit: c.PayLimit, BenchMode: c.BenchMode,
		HK: rules.HK(c.HK), Buyers: c.Buyers, Notify: c.Notify,
		Notifications: outbox.Options{Keep: c.Notifications.Keep, Senders: c.Notifications.Senders, Faults: c.Notifications.Faults},
	}
	var made Generated
	var errs []error
	if c.Quirks != nil {
		o.Quirks = append([]wire.Quirk{}, *c.Quirks...)
	}
	for _, a := range c.Apps {
		errs = append(errs, a.addTo(dir, &o, &made))
	}
	for _, a := range c.HKApps {
		errs = append(errs, a.Add(dir, &o, &made))
	}
	for i, f := range c.Faults {
		fault, err := f.fault()
		if err != nil {
			errs = append(errs, fmt.Errorf("faults[%d]: %w", i, err))
		}
		o.Faults = append(o.Faults, fault)
	}
	for _, t := range c.Trades {
		o.Trades = append(o.Trades, t.trade())
	}
	for _, i := range c.ItemOrders {
		o.ItemOrders = append(o.ItemOrders, i.itemOrder())
	}
	if err := errors.Join(errs...); err != nil {
		return simulator.Options{}, Generated{}, fmt.Errorf("simulator settings: %w", err)
	}
	return o, made, nil
}

// faultKinds are the faults by their names in the file; the others need more than a method.
var faultKinds = map[string]func(FaultConfig) simulator.Fault{
	"cut":               func(f FaultConfig) simulator.Fault { return simulator.CutBefore(f.Method) },
	"outage":            func(f FaultConfig) simulator.Fault { return simulator.Outage(f.From, f.To) },
	"bad_gateway":       func(f FaultConfig) simulator.Fault { return simulator.BadGateway(f.Method) },
	"too_many_requests": func(f FaultConfig) simulator.Fault { return simulator.TooManyRequests(f.Method, f.Delay) },
	"delay":             func(f FaultConfig) simulator.Fault { return simulator.Delay(f.Method, f.Delay) },
	"unavailable":       func(f FaultConfig) simulator.Fault { return simulator.Unavailable(f.Method) },
	"system_error":      func(f FaultConfig) simulator.Fault { return simulator.SystemError(f.Method) },
	"throttled":         func(f FaultConfig) simulator.Fault { return simulator.Throttled(f.Method) },
	"refuse":            func(f FaultConfig) simulator.Fault { return simulator.Refuse(f.Method, f.SubCode) },
	"unsigned":          func(f FaultConfig) simulator.Fault { return simulator.Unsigned(f.Method) },
	"wrong_key":         func(f FaultConfig) simulator.Fault { return simulator.WrongKey(f.Method) },
	"swapped":           func(f FaultConfig) simulator.Fault { return simulator.Swapped(f.Method) },
	"rotated":           func(f FaultConfig) simulator.Fault { return simulator.Rotated(f.Method) },
	"replayed":          func(f FaultConfig) simulator.Fault { return simulator.Replayed(f.Method) },
	"truncated":         func(f FaultConfig) simulator.Fault { return simulator.Truncated(f.Method) },
	"slow_body":         func(f FaultConfig) simulator.Fault { return simulator.SlowBody(f.Method, f.Delay) },
	"no_order_id":       func(f FaultConfig) simulator.Fault { return simulator.NoOrderID(f.Method) },
	"skewed":            func(f FaultConfig) simulator.Fault { return simulator.Skewed(f.Method, f.Delay) },
	"reset":             func(f FaultConfig) simulator.Fault { return simulator.TCPReset(f.Method) },
	"timeout":           func(f FaultConfig) simulator.Fault { return simulator.Timeout(f.Method) },
	"accepted":          func(f FaultConfig) simulator.Fault { return simulator.Accepted(f.Method) },
}

func (f FaultConfig) fault() (simulator.Fault, error) {
	mk := faultKinds[f.Kind]
	switch {
	case mk == nil:
		return simulator.Fault{}, fmt.Errorf("no kind %q", f.Kind)
	case f.Kind == "refuse" && f.SubCode == "":
		return simulator.Fault{}, errors.New("refuse needs sub_code")
	case f.Delay == 0 && slices.Contains([]string{"delay", "slow_body", "skewed"}, f.Kind):
		return simulator.Fault{}, fmt.Errorf("%s needs a delay", f.Kind)
	case f.Probability < 0 || f.Probability > 1:
		return simulator.Fault{}, errors.New("probability is outside 0 to 1")
	case f.Method != "" && f.Method != simulator.HKOrderSync && !f.Method.IsClassic():
		return simulator.Fault{}, fmt.Errorf("no method %q", f.Method)
	}
	out := mk(f).Order(f.Order).App(f.App).Skip(f.Skip).Between(f.From, f.To).WithCode(f.Code)
	if f.Probability > 0 {
		out = out.Probability(f.Probability)
	}
	if f.Times > 0 {
		out = out.Times(f.Times)
	}
	if f.Always {
		out = out.Always()
	}
	if f.After {
		out = out.AfterEffect()
	}
	return out, nil
}

func (t TradeConfig) trade() simulator.Trade {
	return simulator.Trade{
		App: t.App, Merchant: t.Merchant, OutTradeNo: t.OutTradeNo, TradeNo: t.TradeNo, Status: t.Status, Total: t.Total,
		Subject: t.Subject, BuyerID: t.BuyerID, BuyerOpenID: t.BuyerOpenID, SellerID: t.SellerID,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, NotifyURL: t.NotifyURL, More: t.More, Script: t.Steps,
	}
}

func (i ItemConfig) itemOrder() simulator.ItemOrder {
	return simulator.ItemOrder{
		App: i.App, OrderNo: i.OrderNo, OutOrderNo: i.OutOrderNo, PartnerID: i.PartnerID, TradeNo: i.TradeNo,
		Status: i.Status, BuyerID: i.BuyerID, SellerID: i.SellerID, CreatedAt: i.CreatedAt, ModifiedAt: i.ModifiedAt,
		PaidAt: i.PaidAt, Total: i.Total, RealPay: i.RealPay, Discount: i.Discount, SellerReceives: i.SellerReceives,
		Items: i.Items, More: i.More,
	}
}
