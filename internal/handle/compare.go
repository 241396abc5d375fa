package handle

import (
	"encoding/json"
	"net/url"
	"strings"

	"alipay-kafka-bridge/internal/alipay"
)

// verdict is whose trade was found under the number of a create whose outcome was unknown.
type verdict uint8

const (
	verdictUndecided verdict = iota // too little can be compared
	verdictOurs                     // nothing differs, and the amount and one more fact could be compared
	verdictOther                    // something differs
)

// String returns the verdict as spans have it.
func (v verdict) String() string { return [...]string{"undecided", "ours", "another"}[v] }

// compare decides whose trade was found. It compares all that a create says and a query shows
// (docs/DESIGN.md, "A trade is found"). A fact that one side does not have decides nothing.
func compare(c *alipay.TradeCreate, t alipay.Trade) verdict {
	if t.TotalAmount != nil && *t.TotalAmount != c.TotalAmount {
		return verdictOther
	}
	compared := false // one more fact than the amount
	for _, f := range []struct {
		created, shown string
		equal          func(created, shown string) bool
	}{
		{c.BuyerID, t.BuyerUserID, same},
		{c.BuyerOpenID, t.BuyerOpenID, same},
		{withoutCountry(c.BuyerLogonID), shownName(c.BuyerLogonID, t.BuyerLogonID), sameMasked},
		{c.SellerID, moreText(t, "seller_id"), same},
		{c.Subject, t.Subject, same},
		{c.StoreID, t.StoreID, same},
		{c.PassbackParams, t.PassbackParams, sameCoded},
	} {
		switch {
		case f.created == "" || f.shown == "":
		case !f.equal(f.created, f.shown):
			return verdictOther
		default:
			compared = true
		}
	}
	if t.TotalAmount == nil || !compared {
		return verdictUndecided
	}
	return verdictOurs
}

func same(created, shown string) bool { return created == shown }

// sameCoded compares a text with one that may be URL-coded, as it was when it was sent.
func sameCoded(created, shown string) bool {
	plain, err := url.QueryUnescape(shown)
	return created == shown || err == nil && created == plain
}

// shownName is a login name as a query shows it; empty when it cannot be compared: all of it is
// masked, or one of the two is an e-mail address and the other a phone number. A buyer has both.
func shownName(created, shown string) string {
	if strings.Trim(shown, "*") == "" || strings.Contains(created, "@") != strings.Contains(shown, "@") {
		return ""
	}
	return withoutCountry(shown)
}

// withoutCountry cuts the country code off a phone number such as +86-15900005620.
func withoutCountry(name string) string {
	if country, rest, ok := strings.Cut(name, "-"); ok && strings.HasPrefix(country, "+") {
		return rest
	}
	return name
}

// sameMasked compares a login name with one of which Alipay shows a part, such as 138****1234 or
// abc***@example.com: the first and last shown characters must be those of the name.
func sameMasked(created, shown string) bool {
	first, last := strings.IndexByte(shown, '*'), strings.LastIndexByte(shown, '*')
	if first < 0 {
		return strings.EqualFold(created, shown)
	}
	head, tail := shown[:first], shown[last+1:]
	return len(created) >= len(head)+len(tail) &&
		strings.EqualFold(created[:len(head)], head) && strings.EqualFold(created[len(created)-len(tail):], tail)
}

// moreText is a member of the answer that the trade has no field for, if it is a text.
func moreText(t alipay.Trade, name string) string {
	var text string
	if json.Unmarshal([]byte(t.More[name]), &text) != nil {
		return ""
	}
	return text
}
