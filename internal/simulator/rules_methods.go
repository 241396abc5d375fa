package simulator

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// user is a user id: 16 digits that begin with 2088 (alipay.trade.create, "buyer_id").
var user = regexp.MustCompile(`^2088[0-9]{12}$`)

// createRules is the table of alipay.trade.create, with the fields that models of 2026 add.
var createRules = []rule{
	{name: "out_trade_no", max: 64, required: true, pattern: regexp.MustCompile(`^[A-Za-z0-9_]+$`)},
	{name: "seller_id", max: 28},
	{name: "total_amount", form: isYuan, required: true},
	{name: "discountable_amount", form: isYuan},
	{name: "undiscountable_amount", form: isYuan},
	{name: "subject", max: 256, required: true},
	{name: "body", max: 128},
	{name: "buyer_id", max: 28, pattern: user},
	{name: "buyer_open_id", max: 128},
	{name: "buyer_logon_id", max: 100},
	{name: "goods_detail", form: isList, inner: goodsRules},
	{name: "operator_id", max: 28},
	{name: "store_id", max: 32},
	{name: "terminal_id", max: 32},
	{name: "alipay_store_id", max: 32},
	{name: "extend_params", form: isObject, inner: []rule{
		{name: "sys_service_provider_id", max: 64},
		{name: "industry_reflux_info", max: 512},
		{name: "card_type", max: 32},
	}},
	{name: "timeout_express", max: 6, pattern: regexp.MustCompile(`^(1c|[1-9][0-9]*[mhd])$`)},
	{name: "time_expire"},
	{name: "settle_info", form: isObject, inner: []rule{
		{name: "settle_detail_infos", form: isList, required: true, max: 1, inner: settleRules}, // "only one is supported"
		{name: "settle_period_time", pattern: regexp.MustCompile(`^([1-9]|[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-5])d$`)},
	}},
	{name: "merchant_type", max: 32, oneOf: []string{"alipay", "merchant"}},
	{name: "sub_merchant", form: isObject, inner: []rule{
		{name: "merchant_id", required: true},
		{name: "merchant_type", oneOf: []string{"alipay"}},
	}},
	{name: "logistics_detail", form: isObject, inner: []rule{
		{name: "logistics_type", max: 32, oneOf: []string{"POST", "EXPRESS", "VIRTUAL", "EMS", "DIRECT"}},
	}},
	{name: "business_params", form: isLoose, max: 512},
	{name: "receiver_address_info", form: isObject, inner: []rule{
		{name: "name", max: 512}, {name: "address", max: 512}, {name: "mobile", max: 60},
		{name: "zip", max: 40}, {name: "division_code", max: 16},
	}},
	{name: "product_code"},
	{name: "op_app_id", max: 32},
	{name: "op_buyer_open_id", max: 128},
	{name: "passback_params", max: 512},
	{name: "query_options", form: isTexts},
	{name: "enable_pay_channels"},
	{name: "disable_pay_channels"},
	{name: "merchant_order_no", max: 32},
	{name: "royalty_info", form: isObject},
	{name: "agreement_sign_params", form: isObject},
	{name: "ext_user_info", form: isObject},
	{name: "bkagent_req_info", form: isObject},
}

// goodsRules is the table of goods_detail.
var goodsRules = []rule{
	{name: "goods_id", max: 32, required: true},
	{name: "goods_name", max: 256, required: true},
	{name: "quantity", form: isQuantity, max: 10, required: true},
	{name: "price", form: isPrice, required: true},
	{name: "goods_category", max: 24},
	{name: "categories_tree", max: 128},
	{name: "body", max: 1000},
	{name: "show_url", max: 400},
	{name: "alipay_goods_id"}, {name: "out_item_id"}, {name: "out_sku_id"}, {name: "goods_ean_id"},
}

// settleRules is the table of settle_detail_infos; cardAliasNo and defaultSettle are of 2026.
var settleRules = []rule{
	{name: "trans_in_type", max: 64, required: true, oneOf: []string{"cardSerialNo", "cardAliasNo", "userId", "loginName", "defaultSettle"}},
	{name: "trans_in", max: 64, required: true},
	{name: "summary_dimension", max: 64},
	{name: "settle_entity_id", max: 64},
	{name: "settle_entity_type", max: 32, oneOf: []string{"SecondMerchant", "Store"}},
	{name: "amount", form: isYuan, required: true},
	{name: "actual_amount", form: isYuan},
}

// checkCreate applies the table and the rules across fields; account is the user id of the
// contract account, the payee when the request names none.
func checkCreate(c fields, account string) *reply {
	if err := checkRules(createRules, c); err != nil {
		return refusal("ACQ.INVALID_PARAMETER", err.Error())
	}
	for _, across := range []func(fields) error{checkParts, checkBuyer, checkSettle, checkLife, checkChannels} {
		if err := across(c); err != nil {
			return refusal("ACQ.INVALID_PARAMETER", err.Error())
		}
	}
	if b := c.text("buyer_id"); b != "" && b == sellerOf(c, account) {
		return refusal("ACQ.BUYER_SELLER_EQUAL", "the buyer is the seller")
	}
	return nil
}

// sellerOf is the payee: the request's, else the contract account (alipay.trade.create, "seller_id").
func sellerOf(c fields, account string) string {
	if s := c.text("seller_id"); s != "" {
		return s
	}
	return account
}

// checkParts: all three amounts given must add up (alipay.trade.create, "total_amount"), and no
// part exceeds the total [inferred].
func checkParts(c fields) error {
	total, _ := c.yuan("total_amount")
	part, ok1 := c.yuan("discountable_amount")
	rest, ok2 := c.yuan("undiscountable_amount")
	switch {
	case ok1 && ok2 && part+rest != total:
		return errors.New("total_amount is not the sum of its parts")
	case part > total || rest > total:
		return errors.New("a part exceeds total_amount")
	}
	return nil
}

// checkBuyer: one way to name the buyer is needed ("specially optional") [inferred].
func checkBuyer(c fields) error {
	if c.text("buyer_id")+c.text("buyer_open_id")+c.text("buyer_logon_id") == "" {
		return errors.New("no buyer is named")
	}
	return nil
}

// checkSettle: "the amount must be the trade's", and a user id has its form (alipay.trade.create, "trans_in").
func checkSettle(c fields) error {
	info, _ := c["settle_info"].(fields)
	list, _ := info["settle_detail_infos"].([]any)
	total, _ := c.yuan("total_amount")
	for _, entry := range list {
		o, _ := entry.(fields)
		if a, _ := o.yuan("amount"); a != total {
			return errors.New("the settle amount is not total_amount")
		}
		if o.text("trans_in_type") == "userId" && !user.MatchString(o.text("trans_in")) {
			return errors.New("trans_in is no user id")
		}
	}
	return nil
}

// checkLife: 1m to 15d (alipay.trade.create, "timeout_express"); time_expire is a time.
func checkLife(c fields) error {
	if t := c.text("timeout_express"); t != "" && t != "1c" {
		if d := life(t); d <= 0 || d > 15*24*time.Hour {
			return errors.New("timeout_express is outside 1m to 15d")
		}
	}
	if t := c.text("time_expire"); t != "" {
		if _, err := time.ParseInLocation(timeLayout, t, beijing); err != nil {
			return errors.New("time_expire is no time")
		}
	}
	return nil
}

// life reads "90m", "3h", "15d".
func life(text string) time.Duration {
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil {
		return 0
	}
	unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[text[len(text)-1]]
	return time.Duration(n) * unit
}

// checkChannels: enabled and disabled channels exclude one another (alipay.trade.create, 2026).
func checkChannels(c fields) error {
	if c.text("enable_pay_channels") != "" && c.text("disable_pay_channels") != "" {
		return errors.New("enable_pay_channels and disable_pay_channels exclude one another")
	}
	return nil
}

// buyerFields name the buyer: another one of them is another buyer, not another content.
var buyerFields = []string{"buyer_id", "buyer_open_id", "buyer_logon_id"}

// fingerprint hashes the content of a create without its buyer: order of members, white space and
// escapes do not count, 88.88 is "88.88".
func fingerprint(c fields) [32]byte {
	rest := maps.Clone(c)
	for _, name := range buyerFields {
		delete(rest, name)
	}
	for name := range rest {
		if a, ok := c.yuan(name); ok && slices.ContainsFunc(createRules, func(r rule) bool { return r.name == name && r.form == isYuan }) {
			rest[name] = a.String()
		}
	}
	text, err := json.Marshal(rest)
	if err != nil {
		panic("simulator: parsed JSON cannot be written: " + err.Error())
	}
	return hash(string(text))
}

// expiry is the end of an unpaid trade: time_expire wins over timeout_express, 1c is the next
// Beijing midnight (alipay.trade.create, "timeout_express"). payLimit is for a request without both.
func expiry(c fields, now time.Time, payLimit time.Duration) time.Time {
	if t, err := time.ParseInLocation(timeLayout, c.text("time_expire"), beijing); err == nil {
		return t
	}
	switch t := c.text("timeout_express"); t {
	case "":
		return now.Add(payLimit)
	case "1c":
		y, m, d := now.In(beijing).Date()
		return time.Date(y, m, d+1, 0, 0, 0, 0, beijing)
	default:
		return now.Add(life(t))
	}
}

// queryRules is the table of alipay.trade.query.
var queryRules = []rule{
	{name: "out_trade_no", max: 64},
	{name: "trade_no", max: 64},
	{name: "org_pid", max: 16},
	{name: "query_options", form: isTexts, max: 1024},
}

// syncRules is the table of alipay.trade.orderinfo.sync. trade_no is "optional", but the number
// that could stand in for it is no parameter of the method: required [inferred].
var syncRules = []rule{
	{name: "trade_no", max: 64, required: true},
	{name: "out_request_no", max: 64, required: true},
	{name: "biz_type", max: 64, required: true, oneOf: []string{"CREDIT_AUTH", "CREDIT_DEDUCT"}},
	{name: "order_biz_info", form: isJSON, max: 2018},
	{name: "orig_request_no", max: 64},
}

// itemOrderRules is the table of koubei.trade.itemorder.query.
var itemOrderRules = []rule{
	{name: "order_no", max: 64, required: true},
}

// checkItemOrder applies the table.
func checkItemOrder(c fields) error { return checkRules(itemOrderRules, c) }

// checkQuery applies the table; one of the two numbers is needed (alipay.trade.query, "out_trade_no").
func checkQuery(c fields) error {
	if err := checkRules(queryRules, c); err != nil {
		return err
	}
	if c.text("out_trade_no")+c.text("trade_no") == "" {
		return errors.New("out_trade_no and trade_no are both missing")
	}
	return nil
}

// syncStatuses are the documented words of order_biz_info (docs/alipay.md, "alipay.trade.orderinfo.sync").
var syncStatuses = []string{"COMPLETE", "CLOSED", "VIOLATED"}

// checkSync applies the table. A status that no document knows is the page's NOTIFY_STATUS_INVALID [inferred].
func checkSync(c fields) *reply {
	if err := checkRules(syncRules, c); err != nil {
		return refusal("ACQ.INVALID_PARAMETER", err.Error())
	}
	info, err := parseObject([]byte(c.text("order_biz_info")))
	if err != nil {
		return nil // absent: the table has checked the rest
	}
	if status, given := info["status"]; given && !slices.Contains(syncStatuses, literal(status)) {
		return refusal("ACQ.NOTIFY_STATUS_INVALID", "status is not one of the agreed words")
	}
	return nil
}
