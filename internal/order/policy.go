package order

import (
	"slices"

	"alipay-kafka-bridge/internal/alipay"
)

// Payees lists, by field of OrderEvent, the values that events may name there. A field that
// says who is paid, who earns commission or who agrees to be charged is refused unless its
// value is listed (security K2): who can write to a topic must not choose who is paid.
type Payees map[string][]string

// A Rule says what an event may do with a member that can move money.
type Rule int

// The rules of the table of policies.
const (
	Listed  Rule = iota // only values that the account lists under payees
	Setting             // never from an event: only the settings have it, and only a restart changes it
	Switch              // never from an event, unless the account has the switch extra_money
	Free                // any value: it changes no receiver
)

// Policy is the rule for one member that can move money, or that looks as if it could.
type Policy struct {
	Field  string // of OrderEvent, or the setting
	Rule   Rule
	Source string // page or document, and the member there
	Reason string
}

// Policies returns the table of all members that can move money (security K2). docs/payees.md
// shows it, and tests compare it with the schema, the settings and the requests.
func Policies() []Policy {
	const create, query, hk = "alipay.trade.create, ", "alipay.trade.query, ", "AlipayHK Synchronize Order, "
	return []Policy{
		{"seller_id", Listed, create + "seller_id", "the seller who is paid"},
		{"store_id", Listed, create + "seller_id", "the account bound to a store is paid before seller_id is looked at"},
		{"alipay_store_id", Listed, create + "seller_id", "names a store, as store_id does"},
		{"sub_merchant_id", Listed, create + "sub_merchant (2026)", "the second merchant who is paid"},
		{"extend_params.sys_service_provider_id", Listed, create + "extend_params", "earns the commission"},
		{"settlements.trans_in", Listed, create + "settle_info", "the account or card that is paid"},
		{"settlements.settle_entity_id", Listed, create + "settle_info", "the second merchant or store for which is settled"},
		{"org_pid", Listed, query + "org_pid", "the acquirer for which is asked"},
		{"merchant_id", Listed, hk + "merchantId", "the merchant for whom an agent sells"},

		{"apps.NAME.app_id", Setting, create + "seller_id", "without seller and token, the app's owner is paid"},
		{"accounts.NAME.app", Setting, create + "seller_id", "another app is another payee"},
		{"accounts.NAME.app_auth_token_file", Setting, create + "app_auth_token", "the token's merchant is the contract account"},
		{"accounts.NAME.agent_token_file", Setting, hk + "Agent-Token", "the merchant for whom an agent acts"},
		{"accounts.NAME.seller_id", Setting, create + "seller_id", "whose trade a query finds"},
		{"accounts.NAME.notify_url", Setting, create + "notify_url", "who learns that a trade is paid"},
		{"accounts.NAME.defaults.store_id", Setting, create + "seller_id", "as store_id"},
		{"accounts.NAME.defaults.product_code", Setting, create + "product_code (2026)", "the contract under which is paid"},
		{"accounts.NAME.channel", Setting, "docs/DESIGN.md, Mapping", "decides which call an event becomes"},
		{"accounts.NAME.mapping", Setting, "docs/DESIGN.md, Mapping", "decides which call an event becomes"},
		{"topics.inputs.default_account", Setting, "docs/settings.md", "who is paid where an event names no account"},

		{"extra_json", Switch, create + "royalty_info, agreement_sign_params (2026)", "may share the money or agree to later charges"},
		{"items.extra_json", Switch, create + "goods_detail", "as extra_json"},
		{"extend_params.extra_json", Switch, create + "extend_params", "as extra_json"},
		{"settlements.extra_json", Switch, create + "settle_info", "as extra_json"},
		{"business_params_json", Switch, create + "business_params", "free JSON, which a receiver may spread"},
		{"order_biz_info_json", Switch, "alipay.trade.orderinfo.sync, order_biz_info", "free JSON, agreed with Alipay"},
		{"ext_info_json", Switch, hk + "extInfo", "free JSON, whose members are on no page"},
		{"extend_params.industry_reflux_info", Switch, create + "extend_params", "free JSON"},
		{"extend_params.credit_ext_info", Switch, create + "extend_params (2026)", "free JSON"},

		{"settlements", Free, create + "settle_info", "its members have rules of their own"},
		{"settlements.trans_in_type", Free, create + "settle_info", "says how the listed trans_in is read"},
		{"settlements.settle_entity_type", Free, create + "settle_info", "says how the listed settle_entity_id is read"},
		{"settlements.summary_dimension", Free, create + "settle_info", "groups what is settled"},
		{"settlements.amount", Free, create + "settle_info", "must be the total"},
		{"settlements.actual_amount", Free, create + "settle_info (2026)", "goes to the listed trans_in"},
		{"settle_period_time", Free, create + "settle_info (2026)", "when is settled, not to whom"},
		{"sub_merchant_type", Free, create + "merchant_type", "says how the listed sub_merchant_id is read"},
		{"extend_params.specified_seller_name", Free, create + "extend_params (2026)", "a name that the buyer reads"},
		{"extend_params.hb_fq_seller_percent", Free, create + "extend_params (2026)", "a share of a fee, not a receiver"},
		{"extend_params.royalty_freeze", Free, create + "extend_params (2026)", "holds money back for sharing, which needs extra_money"},
	}
}

// PayeeFields returns the fields under which [Payees] may list values.
func PayeeFields() []string {
	var fields []string
	for _, p := range Policies() {
		if p.Rule == Listed {
			fields = append(fields, p.Field)
		}
	}
	return fields
}

// payee is a field of a request that names a receiver.
type payee struct {
	field string // the field of OrderEvent that it comes from
	value string
}

// payees returns every receiver that a request names, set or not. It reads the request, not
// the event, so that it judges what is really sent.
func (p *Planner) payees(r alipay.Request) []payee {
	switch r := r.(type) {
	case *alipay.TradeCreate:
		list := []payee{{"seller_id", r.SellerID}, {"alipay_store_id", r.AlipayStoreID}}
		if r.StoreID != p.defaults.StoreID {
			list = append(list, payee{"store_id", r.StoreID})
		}
		if r.SubMerchant != nil {
			list = append(list, payee{"sub_merchant_id", r.SubMerchant.MerchantID})
		}
		if r.ExtendParams != nil {
			list = append(list, payee{"extend_params.sys_service_provider_id", r.ExtendParams.SysServiceProviderID})
		}
		if r.SettleInfo != nil {
			for _, d := range r.SettleInfo.Details {
				list = append(list, payee{"settlements.trans_in", d.TransIn}, payee{"settlements.settle_entity_id", d.SettleEntityID})
			}
		}
		return list
	case *alipay.TradeQuery:
		return []payee{{"org_pid", r.OrgPID}}
	case *alipay.HKOrderSync:
		return []payee{{"merchant_id", r.MerchantID}}
	}
	return nil
}

// freeTexts returns the JSON texts of a request that are sent as values of their own.
func freeTexts(r alipay.Request) []payee {
	switch r := r.(type) {
	case *alipay.TradeCreate:
		list := []payee{{"business_params", r.BusinessParams}}
		if x := r.ExtendParams; x != nil {
			list = append(list, payee{"extend_params.industry_reflux_info", x.IndustryRefluxInfo}, payee{"extend_params.credit_ext_info", x.CreditExtInfo})
		}
		return list
	case *alipay.OrderInfoSync:
		return []payee{{"order_biz_info", r.OrderBizInfo}}
	case *alipay.HKOrderSync:
		return []payee{{"ext_info", r.ExtInfo}}
	}
	return nil
}

// checkMoney refuses receivers that the account does not list, and members of free JSON texts
// that could name one.
func (p *Planner) checkMoney(r alipay.Request) error {
	for _, named := range p.payees(r) {
		if named.value != "" && !slices.Contains(p.defaults.Payees[named.field], named.value) {
			return &InvalidError{ReasonPayee, named.field, "names a receiver that the account does not allow"}
		}
	}
	for _, free := range freeTexts(r) {
		m, err := alipay.ParseMembers(free.value)
		if err != nil {
			continue // Validate says so
		}
		if err := p.checkMembers(free.field, m); err != nil {
			return err
		}
	}
	return nil
}

// moneyWords mark members that pay someone, settle, or agree to a charge (security K2). They
// are looked for in names at every depth, as alipay.FoldName gives them.
var moneyWords = []string{
	"royalty", "settle", "agreement", "transin", "seller", "payee", "submerchant", "merchantid", "storeid", "orgpid",
	"serviceprovider", "appauthtoken", "agenttoken", "receiveaccount",
}

// extra reads further members. The account must list each one, as it is spelled;
// typed names are refused when the request is written, at every depth and in every spelling.
func (p *Planner) extra(field, text string) (alipay.Members, error) {
	m, err := alipay.ParseMembers(text)
	if err != nil {
		return m, invalid(field, err.Error())
	}
	for _, name := range m.Names() {
		if !slices.Contains(p.defaults.ExtraNames, name) {
			return m, invalid(field, "holds a member that the account does not list")
		}
	}
	return m, p.checkMembers(field, m)
}

func (p *Planner) checkMembers(field string, m alipay.Members) error {
	if !p.defaults.ExtraMoney && m.NamesHold(moneyWords) {
		return &InvalidError{ReasonPayee, field, "pays, settles or agrees to a charge, which the account does not allow"}
	}
	return nil
}
