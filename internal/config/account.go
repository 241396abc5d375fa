package config

// Account is one merchant under an app. Its name appears in keys of records.
type Account struct {
	App     string `yaml:"app"`     // name of the app that makes the calls for this merchant
	Channel string `yaml:"channel"` // channel of events that do not name one: TRADE, CREDIT, HK or KOUBEI
	// File with the app_auth_token, if the app acts for another merchant; for kind openapi.
	AppAuthTokenFile SecretFile `yaml:"app_auth_token_file,omitempty"`
	// File with the agent token, if the app acts for another merchant; for kind alipayhk.
	AgentTokenFile SecretFile `yaml:"agent_token_file,omitempty"`
	SellerID       string     `yaml:"seller_id,omitempty"` // the merchant's user id at Alipay
	// URL to which Alipay sends notifications about trades that the bridge creates; https in
	// production.
	NotifyURL string `yaml:"notify_url,omitempty"`
	// Tokens, one of which must end the path of notify_url, after the name of the account: 32 hexadecimal digits. A trade keeps the
	// URL that it was created with, so keep an old token for 13 months.
	NotifyTokens []string `yaml:"notify_tokens,omitempty"`
	SellerEmails []string `yaml:"seller_emails,omitempty"` // login names of the merchant at Alipay, for notifications that have no seller_id
	AuthAppID    string   `yaml:"auth_app_id,omitempty"`   // number of the merchant's app that authorised ours; notifications must name it
	// Takes the state of trades that the bridge did not create, for instance of codes at the till. Without it such a
	// trade is HELD.
	AcceptForeignOrders bool `yaml:"accept_foreign_orders,omitempty"`
	// How many new orders of this account a day are usual at most, in all instances together. More are still handled, and raise an
	// alert; 0: there is no ceiling. A change waits for a restart.
	NewOrdersPerDay int `yaml:"new_orders_per_day,omitempty"`

	Defaults Defaults `yaml:"defaults,omitempty"` // values for events that do not have them
	// Which parameter expires_at becomes: time_expire, or timeout_express, which is counted from
	// occurred_at.
	ExpiresAs        string `yaml:"expires_as"`
	BusinessParamsAs string `yaml:"business_params_as"`       // form of business_params in a create: text or object
	AllowViolated    bool   `yaml:"allow_violated,omitempty"` // lets CREDIT events write a negative record about the user

	// Values that events may give to fields that say who is paid, earns commission or agrees to be
	// charged, by field; other values are refused (security K2). See PayeeFields.
	Payees     map[string][]string `yaml:"payees,omitempty"`
	Extra      []string            `yaml:"extra,omitempty"`       // members that extra_json of an event may have
	ExtraMoney bool                `yaml:"extra_money,omitempty"` // accepts members of extra_json and of other JSON texts that pay or settle money, or agree to a charge

	// Rows that come before the rows of the default mapping; the first row that matches an event
	// decides.
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
	ProductCode string `yaml:"product_code,omitempty"` // value of product_code in a create
	// Value of timeout_express in a create, such as 30m, 12h, 15d, or 1c (midnight in Beijing).
	TimeoutExpress string `yaml:"timeout_express,omitempty"`
	StoreID        string `yaml:"store_id,omitempty"` // value of store_id in a create
}

// IsZero reports whether there are none.
func (d Defaults) IsZero() bool { return d == Defaults{} }

// Row maps events to a call, or to none with a reason. Empty lists match every event.
type Row struct {
	Channel string   `yaml:"channel,omitempty"` // channel that the row is for: TRADE, CREDIT, HK or KOUBEI; empty: any
	Events  []string `yaml:"events,omitempty"`  // types of events that the row is for, see EventTypes; empty: all
	If      []string `yaml:"if,omitempty"`      // conditions, all of which an event must meet, see Conditions
	Call    string   `yaml:"call,omitempty"`    // method to call, see Calls
	// Order status to send with one of the two sync methods; empty: the status of the event.
	Status string `yaml:"status,omitempty"`
	Skip   string `yaml:"skip,omitempty"` // reason for making no call, instead of call; it is written to the journal
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

// EventTypes returns the types of events that a [Row] may name: those of OrderEvent except UNKNOWN,
// for which there is never a call.
func EventTypes() []string {
	return []string{
		"CREATED", "PAID", "PAYMENT_FAILED", "ACCEPTED", "PREPARING", "READY", "SHIPPED", "DELIVERED",
		"COMPLETED", "CANCELLED", "EXPIRED", "OVERDUE", "PARTIALLY_REFUNDED", "REFUNDED", "AMENDED",
		"STATUS_CHANGED", "SETTLED_ELSEWHERE", "CHARGE_WITHDRAWN", "QUERY_REQUESTED",
	}
}

// Conditions returns the conditions that a [Row] may have in addition to channel and type.
func Conditions() []string {
	return []string{
		"no_trade_no", "has_status", "has_biz_type", "has_order_biz_info", "has_koubei_order_no", "refunded_whole",
	}
}

// PayeeFields returns the fields of OrderEvent under which Account.Payees may list values.
func PayeeFields() []string {
	return []string{
		"seller_id", "store_id", "alipay_store_id", "sub_merchant_id", "extend_params.sys_service_provider_id", "settlements.trans_in",
		"settlements.settle_entity_id", "org_pid", "merchant_id",
	}
}
