package alipay

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// memberForm is the form that a member of an answer must have.
type memberForm func(raw []byte) bool

// requiredMember is a member that every success of a method has.
type requiredMember struct {
	names  []string // one of them, the usual one first
	form   memberForm
	source string // the document that requires it
}

// requiredMembers are the members without which a success is not believed. They are those that the page's
// response table requires, except where the official models of 2026 say that a member is absent at times.
var requiredMembers = map[Method][]requiredMember{
	MethodTradeCreate: {
		{[]string{"out_trade_no"}, isText, "page"},
		{[]string{"trade_no"}, isNumber, "page"},
	},
	// The page also requires buyer_logon_id, buyer_user_id and fund_bill_list. Official, 2026: they
	// are absent before payment, or come only when they are asked for.
	MethodTradeQuery: {
		{[]string{"trade_no"}, isNumber, "page"},
		{[]string{"out_trade_no"}, isText, "page"},
		{[]string{"trade_status"}, isWord, "page"},
		{[]string{"total_amount"}, isAmount, "page"},
	},
	MethodOrderInfoSync: {
		{[]string{"trade_no"}, isNumber, "page"},
		{[]string{"out_trade_no"}, isText, "page"},
		{[]string{"buyer_user_id", "buyer_open_id"}, isNumber, "page; buyer_open_id for newer apps: official, 2026"},
	},
	MethodItemOrderQuery: {
		{[]string{"order_no"}, isNumber, "page"},
		{[]string{"out_order_no"}, isText, "page"},
		{[]string{"partner_id"}, isNumber, "page"},
		{[]string{"status"}, isWord, "page"},
		{[]string{"buyer_id"}, isNumber, "page"},
		{[]string{"biz_product"}, isWord, "page"},
		{[]string{"gmt_create"}, isTime, "page"},
		{[]string{"gmt_modified"}, isTime, "page"},
		{[]string{"total_amount"}, isAmount, "page"},
		{[]string{"real_pay_amount"}, isAmount, "page"},
		{[]string{"deliver_seller_real_amount"}, isAmount, "page"},
		{[]string{"item_order_vo", "item_order_v_o"}, isList, "page; the wrapped form: SDK"},
	},
	MethodHKOrderSync: {
		{[]string{"result"}, isObject, "page"},
		{[]string{"orderId"}, isNumber, "page"},
	},
}

// memberOwners says which methods' answers have a member. One that belongs only to other methods shows that
// an answer is another method's: its name is not signed. Members that no document names are allowed everywhere,
// and so are those that may come with any answer about an order.
var memberOwners = func() map[string][]Method {
	const query, sync, itemOrder = MethodTradeQuery, MethodOrderInfoSync, MethodItemOrderQuery
	owners := map[string][]Method{}
	for _, t := range []struct {
		methods []Method
		names   string
	}{
		// the response tables of the pages
		{[]Method{query, sync}, "buyer_user_id buyer_open_id"},
		{[]Method{query, itemOrder}, "total_amount discount_amount"},
		{[]Method{query}, `buyer_logon_id trade_status trans_currency settle_currency settle_amount pay_currency pay_amount
			settle_trans_rate trans_pay_rate buyer_pay_amount point_amount invoice_amount send_pay_date receipt_amount store_id
			terminal_id fund_bill_list store_name charge_amount charge_flags settlement_id auth_trade_pay_mode buyer_user_type
			mdiscount_amount buyer_user_name`},
		{[]Method{itemOrder}, `order_no out_order_no partner_id status buyer_id biz_product gmt_create gmt_payment gmt_modified
			real_pay_amount deliver_seller_real_amount item_order_vo item_order_v_o`},
		// official, 2026: other methods of the same gateway, for an app that uses them elsewhere
		{nil, `qr_code action retry_flag fund_change refund_fee refund_amount refund_status send_back_fee out_request_no
			alipay_cert_content`},
	} {
		for _, name := range strings.Fields(t.names) {
			owners[name] = t.methods
		}
	}
	return owners
}()

// CheckAnswer reports why a signed answer is not one of this method: a success lacks a member that its page
// requires, or has it in another form, or the answer has a member of another method. The error holds no value.
func CheckAnswer(m Method, answer jsonscan.Object, success bool) error {
	for _, member := range answer {
		if m == MethodHKOrderSync {
			break // its path is signed, and its names are its own
		}
		if owners, known := memberOwners[member.Name]; known && !slices.Contains(owners, m) {
			return fmt.Errorf("the answer has %s, which belongs to another method than %s", member.Name, m)
		}
	}
	if !success {
		return nil
	}
	for _, r := range requiredMembers[m] {
		if !slices.ContainsFunc(r.names, func(name string) bool { raw := answer.Raw(name); return raw != nil && r.form(raw) }) {
			return fmt.Errorf("the success of %s lacks %s, or has it in another form", m, strings.Join(r.names, " or "))
		}
	}
	return nil
}

// maxNumber is the longest number or word of an answer, in bytes (the pages' "maximum length" is 64; merchants' own
// numbers may have several bytes per character).
const maxNumber = 256

// isText accepts a text that can be a merchant's own number: not empty, without control characters.
func isText(raw []byte) bool {
	text, ok := jsonscan.TextOf(raw)
	return ok && raw[0] == '"' && text != "" && len(text) <= maxNumber && !strings.ContainsFunc(text, unicode.IsControl)
}

// isNumber accepts a text that can be a number of Alipay's: without white space, too. A JSON number is none: trade
// numbers have 28 digits.
func isNumber(raw []byte) bool {
	return isText(raw) && !strings.ContainsFunc(jsonscan.Unquote(raw), unicode.IsSpace)
}

// isWord accepts capitals, digits and underscores; the words themselves are open.
func isWord(raw []byte) bool {
	text, ok := jsonscan.TextOf(raw)
	return ok && raw[0] == '"' && text != "" && len(text) <= maxNumber && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// isAmount accepts a decimal, as a number or as a text. Its currency is not considered.
func isAmount(raw []byte) bool {
	text, ok := jsonscan.TextOf(raw)
	whole, frac, point := strings.Cut(text, ".")
	return ok && len(text) <= maxNumber && allDigits(whole) && (!point || allDigits(frac))
}

// isTime accepts a time as the gateway writes it.
func isTime(raw []byte) bool {
	text, ok := jsonscan.TextOf(raw)
	_, err := time.ParseInLocation(classicTime, text, beijing)
	return ok && err == nil
}

// isObject accepts an object.
func isObject(raw []byte) bool { return raw[0] == '{' }

// isList accepts a list in any of its forms, also an empty one.
func isList(raw []byte) bool {
	_, ok := elementsOf(raw)
	return ok
}
