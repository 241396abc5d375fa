package config

// Account is one merchant under an app. Its name appears in keys of records.
type Account struct {
	App              string     `yaml:"app"`                           // the name of the app that it is under
	Channel          string     `yaml:"channel"`                       // of events that leave it to the account: TRADE, CREDIT, HK or KOUBEI
	AppAuthTokenFile SecretFile `yaml:"app_auth_token_file,omitempty"` // openapi, acting for another merchant
	AgentTokenFile   SecretFile `yaml:"agent_token_file,omitempty"`    // alipayhk, the same
	SellerID         string     `yaml:"seller_id,omitempty"`           // the merchant's user id at Alipay
	NotifyURL        string     `yaml:"notify_url,omitempty"`          // where Alipay sends notifications of trades that the bridge makes; https in production

	Defaults Defaults `yaml:"defaults,omitempty"` // for events that do not say
	// ExpiresAs says as which parameter expires_at is sent: time_expire, or timeout_express,
	// counted from occurred_at.
	ExpiresAs        string `yaml:"expires_as"`
	BusinessParamsAs string `yaml:"business_params_as"`       // text or object
	AllowViolated    bool   `yaml:"allow_violated,omitempty"` // let CREDIT events write a negative record

	// Payees lists, by field of OrderEvent, the values that events may name there: who is paid,
	// earns commission or agrees to be charged is refused unless listed (security K2). See PayeeFields.
	Payees map[string][]string `yaml:"payees,omitempty"`
	// Extra lists the members that extra_json may hold.
	Extra      []string `yaml:"extra,omitempty"`
	ExtraMoney bool     `yaml:"extra_money,omitempty"` // lets members through that pay, settle or agree to be charged

	// Mapping are rows before the usual ones; the first that matches an event wins.
	Mapping []Row `yaml:"mapping,omitempty"`
}

// NewAccount returns an account under an app with the defaults that a settings file has.
func NewAccount(app, channel string) Account {
	a := Account{}
	a.defaults()
	a.App, a.Channel = app, channel
	return a
}

func (a *Account) defaults() { a.ExpiresAs, a.BusinessParamsAs = "time_expire", "text" }

// Defaults are parameters of a create for events that lack them.
type Defaults struct {
	ProductCode    string `yaml:"product_code,omitempty"`    // product_code of a create
	TimeoutExpress string `yaml:"timeout_express,omitempty"` // like 30m, 12h, 15d, or 1c: Beijing midnight
	StoreID        string `yaml:"store_id,omitempty"`        // store_id of a create
}

// IsZero says that there are none.
func (d Defaults) IsZero() bool { return d == Defaults{} }

// Row maps events to a call, or to none with a reason. Empty lists match every event.
type Row struct {
	Channel string   `yaml:"channel,omitempty"` // TRADE, CREDIT, HK or KOUBEI; empty: any
	Events  []string `yaml:"events,omitempty"`  // types, see EventTypes; empty: all
	If      []string `yaml:"if,omitempty"`      // what must all hold, see Conditions
	Call    string   `yaml:"call,omitempty"`    // a method, see Calls
	Status  string   `yaml:"status,omitempty"`  // of the two syncs; empty: as the event gives it
	Skip    string   `yaml:"skip,omitempty"`    // instead of a call: the reason, for the journal
}

// Methods that a [Row] may call.
const (
	CallCreate      = "alipay.trade.create"
	CallQuery       = "alipay.trade.query"
	CallSync        = "alipay.trade.orderinfo.sync"
	CallHKSync      = "alipayhk.merchant.order.sync"
	CallKoubeiQuery = "koubei.trade.itemorder.query"
)

// Calls returns the channels for which a [Row] may call each method.
func Calls() map[string][]string {
	return map[string][]string{
		CallCreate: {"TRADE", "CREDIT"}, CallQuery: {"TRADE", "CREDIT"}, CallSync: {"CREDIT"},
		CallHKSync: {"HK"}, CallKoubeiQuery: {"KOUBEI"},
	}
}

// EventTypes returns the types of events that a [Row] may name: OrderEvent's without UNKNOWN,
// which is never a call.
func EventTypes() []string {
	return []string{
		"CREATED", "PAID", "PAYMENT_FAILED", "ACCEPTED", "PREPARING", "READY", "SHIPPED", "DELIVERED",
		"COMPLETED", "CANCELLED", "EXPIRED", "OVERDUE", "PARTIALLY_REFUNDED", "REFUNDED", "AMENDED",
		"STATUS_CHANGED", "SETTLED_ELSEWHERE", "CHARGE_WITHDRAWN", "QUERY_REQUESTED",
	}
}

// Conditions returns what a [Row] may ask of an event besides channel and type.
func Conditions() []string {
	return []string{
		"no_trade_no", "has_status", "has_biz_type", "has_order_biz_info", "has_koubei_order_no", "refunded_whole",
	}
}

// PayeeFields returns the fields of OrderEvent under which Account.Payees may list values.
func PayeeFields() []string {
	return []string{
		"seller_id", "sub_merchant_id", "extend_params.sys_service_provider_id", "settlements.trans_in",
		"settlements.settle_entity_id", "org_pid", "merchant_id",
	}
}
