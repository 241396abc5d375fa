package order

import (
	"slices"

	"alipay-kafka-bridge/internal/alipay"
)

// Payees lists, by field of OrderEvent, the values that events may name there. A field that
// says who is paid, who earns commission or who agrees to be charged is refused unless its
// value is listed (security K2): whoever may write to a topic must not choose who is paid.
type Payees map[string][]string

// payee is a field of a request that names a receiver.
type payee struct {
	field string // the field of OrderEvent that it comes from
	value string
}

// payees returns every receiver that a request names, set or not. It reads the request, not
// the event, so that it judges what is really sent.
func payees(r alipay.Request) []payee {
	switch r := r.(type) {
	case *alipay.TradeCreate:
		list := []payee{{"seller_id", r.SellerID}}
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

// PayeeFields returns the fields under which [Payees] may list values.
func PayeeFields() []string {
	return []string{
		"seller_id", "sub_merchant_id", "extend_params.sys_service_provider_id", "settlements.trans_in",
		"settlements.settle_entity_id", "org_pid", "merchant_id",
	}
}

func (p Payees) check(r alipay.Request) error {
	for _, named := range payees(r) {
		if named.value != "" && !slices.Contains(p[named.field], named.value) {
			return &InvalidError{ReasonPayee, named.field, "names a receiver that the account does not allow"}
		}
	}
	return nil
}

// moneyWords mark members that pay somebody, settle, or agree to a charge (security K2). They
// are looked for in names at every depth, as alipay.FoldName gives them.
var moneyWords = []string{"royalty", "settle", "agreement", "transin", "seller", "payee"}

// extra reads further members. None passes that the account does not list, as it is spelled;
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
	if !p.defaults.ExtraMoney && m.NamesHold(moneyWords) {
		return m, &InvalidError{ReasonPayee, field, "pays, settles or agrees, which the account does not allow"}
	}
	return m, nil
}
