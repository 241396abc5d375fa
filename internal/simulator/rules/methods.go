package rules

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// userID is a user id: 16 digits that begin with 2088 (alipay.trade.create, "buyer_id").
var userID = regexp.MustCompile(`^2088[0-9]{12}$`)

// noSigns is a subject without the signs that Alipay reserves (official model of 2026, "subject").
var noSigns = regexp.MustCompile(`^[^/=&]*$`)

// createRules is the table of alipay.trade.create, with the fields that the SDK models of 2026 add.
var createRules = []rule{
	{name: "out_trade_no", max: 64, required: true, pattern: regexp.MustCompile(`^[A-Za-z0-9_]+$`)},
	{name: "seller_id", max: 28},
	{name: "total_amount", form: isYuan, required: true},
	{name: "discountable_amount", form: isYuan},
	{name: "undiscountable_amount", form: isYuan},
	{name: "subject", max: 256, required: true, pattern: noSigns},
	{name: "body", max: 128},
	{name: "buyer_id", max: 28, pattern: userID},
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
	{name: "business_params", form: isJSONOrObject, max: 512},
	{name: "receiver_address_info", form: isObject, inner: []rule{
		{name: "name", max: 512}, {name: "address", max: 512}, {name: "mobile", max: 60},
		{name: "zip", max: 40}, {name: "division_code", max: 16},
	}},
	{name: "product_code"},
	{name: "op_app_id", max: 32},
	{name: "op_buyer_open_id", max: 128},
	{name: "passback_params", max: 512},
	{name: "query_options", form: isTextList},
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

// settleRules is the table of settle_detail_infos; cardAliasNo and defaultSettle were added in 2026.
var settleRules = []rule{
	{name: "trans_in_type", max: 64, required: true, oneOf: []string{"cardSerialNo", "cardAliasNo", "userId", "loginName", "defaultSettle"}},
	{name: "trans_in", max: 64, required: true},
	{name: "summary_dimension", max: 64},
	{name: "settle_entity_id", max: 64},
	{name: "settle_entity_type", max: 32, oneOf: []string{"SecondMerchant", "Store"}},
	{name: "amount", form: isYuan, required: true},
	{name: "actual_amount", form: isYuan},
}

// CheckCreate checks the table and the rules that concern several fields; account is the user id of
// the contract account, the payee when the request names none.
func CheckCreate(c wire.Fields, account string) *wire.Reply {
	if err := checkRules(createRules, c); err != nil {
		return wire.Refusal("ACQ.INVALID_PARAMETER", err.Error())
	}
	for _, across := range []func(wire.Fields) error{checkAmounts, checkBuyer, checkSettle, checkTimeLimit, checkChannels} {
		if err := across(c); err != nil {
			return wire.Refusal("ACQ.INVALID_PARAMETER", err.Error())
		}
	}
	if b := c.Text("buyer_id"); b != "" && b == Seller(c, account) {
		return wire.Refusal("ACQ.BUYER_SELLER_EQUAL", "the buyer is the seller")
	}
	return nil
}

// Seller returns the payee: the seller_id of the request, else the contract account (alipay.trade.create, "seller_id").
func Seller(c wire.Fields, account string) string {
	if s := c.Text("seller_id"); s != "" {
		return s
	}
	return account
}

// checkAmounts checks that the two parts, if both are given, add up to the total (alipay.trade.create,
// "total_amount"), and that no part exceeds it [inferred].
func checkAmounts(c wire.Fields) error {
	total, _ := c.Yuan("total_amount")
	part, ok1 := c.Yuan("discountable_amount")
	rest, ok2 := c.Yuan("undiscountable_amount")
	switch {
	case ok1 && ok2 && part+rest != total:
		return errors.New("total_amount is not the sum of discountable_amount and undiscountable_amount")
	case part > total || rest > total:
		return errors.New("discountable_amount or undiscountable_amount exceeds total_amount")
	}
	return nil
}

// checkBuyer checks that one of three fields names the buyer ("specially optional") [inferred].
func checkBuyer(c wire.Fields) error {
	if c.Text("buyer_id")+c.Text("buyer_open_id")+c.Text("buyer_logon_id") == "" {
		return errors.New("buyer_id, buyer_open_id and buyer_logon_id are all missing")
	}
	return nil
}

// checkSettle checks that the settle amount is the total, and the form of a user id (alipay.trade.create, "trans_in").
func checkSettle(c wire.Fields) error {
	info, _ := c["settle_info"].(wire.Fields)
	list, _ := info["settle_detail_infos"].([]any)
	total, _ := c.Yuan("total_amount")
	for _, entry := range list {
		o, _ := entry.(wire.Fields)
		if a, _ := o.Yuan("amount"); a != total {
			return errors.New("settle_info: amount is not total_amount")
		}
		if o.Text("trans_in_type") == "userId" && !userID.MatchString(o.Text("trans_in")) {
			return errors.New("settle_info: trans_in is not a user id")
		}
	}
	return nil
}

// checkTimeLimit checks that timeout_express is 1m to 15d (alipay.trade.create, "timeout_express") and that time_expire is a time.
func checkTimeLimit(c wire.Fields) error {
	if t := c.Text("timeout_express"); t != "" && t != "1c" {
		if d := parseTimeLimit(t); d <= 0 || d > 15*24*time.Hour {
			return errors.New("timeout_express is outside 1m to 15d")
		}
	}
	if t := c.Text("time_expire"); t != "" {
		if _, err := time.ParseInLocation(wire.TimeLayout, t, wire.Beijing); err != nil {
			return errors.New("time_expire does not have the form yyyy-MM-dd HH:mm:ss")
		}
	}
	return nil
}

// parseTimeLimit reads "90m", "3h" or "15d"; zero for other texts.
func parseTimeLimit(text string) time.Duration {
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil {
		return 0
	}
	unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[text[len(text)-1]]
	return time.Duration(n) * unit
}

// checkChannels checks that not both lists of channels are given (alipay.trade.create, 2026).
func checkChannels(c wire.Fields) error {
	if c.Text("enable_pay_channels") != "" && c.Text("disable_pay_channels") != "" {
		return errors.New("enable_pay_channels and disable_pay_channels cannot be combined")
	}
	return nil
}

// buyerFields name the buyer. A repeat that differs in them has another buyer, not another content.
var buyerFields = []string{"buyer_id", "buyer_open_id", "buyer_logon_id"}

// Fingerprint hashes the content of a create without its buyer. The order of members, white space
// and escapes make no difference, and 88.88 is the same as "88.88".
func Fingerprint(c wire.Fields) [32]byte {
	rest := maps.Clone(c)
	for _, name := range buyerFields {
		delete(rest, name)
	}
	for name := range rest {
		if a, ok := c.Yuan(name); ok && slices.ContainsFunc(createRules, func(r rule) bool { return r.name == name && r.form == isYuan }) {
			rest[name] = a.String()
		}
	}
	text, err := json.Marshal(rest)
	if err != nil {
		panic("simulator: cannot encode parsed JSON: " + err.Error())
	}
	return seeded.Hash(string(text))
}

// Expiry returns when an unpaid trade is closed: time_expire takes precedence over timeout_express, and 1c is the
// next midnight in Beijing (alipay.trade.create, "timeout_express"). payLimit applies to a request with neither.
func Expiry(c wire.Fields, now time.Time, payLimit time.Duration) time.Time {
	if t, err := time.ParseInLocation(wire.TimeLayout, c.Text("time_expire"), wire.Beijing); err == nil {
		return t
	}
	switch t := c.Text("timeout_express"); t {
	case "":
		return now.Add(payLimit)
	case "1c":
		y, m, d := now.In(wire.Beijing).Date()
		return time.Date(y, m, d+1, 0, 0, 0, 0, wire.Beijing)
	default:
		return now.Add(parseTimeLimit(t))
	}
}

// queryRules is the table of alipay.trade.query.
var queryRules = []rule{
	{name: "out_trade_no", max: 64},
	{name: "trade_no", max: 64},
	{name: "org_pid", max: 16},
	{name: "query_options", form: isTextList}, // the page's 1024 is not checked: it does not say of what
}

// syncRules is the table of alipay.trade.orderinfo.sync. The page calls trade_no "optional", but the
// number that could replace it is not a parameter of the method: so it is required [inferred].
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

// CheckItemOrder checks the table.
func CheckItemOrder(c wire.Fields) error { return checkRules(itemOrderRules, c) }

// CheckQuery checks the table; one of the two numbers is required (alipay.trade.query, "out_trade_no").
func CheckQuery(c wire.Fields) error {
	if err := checkRules(queryRules, c); err != nil {
		return err
	}
	if c.Text("out_trade_no")+c.Text("trade_no") == "" {
		return errors.New("out_trade_no and trade_no are both missing")
	}
	return nil
}

// syncStatuses are the documented words of order_biz_info (docs/alipay.md, "alipay.trade.orderinfo.sync").
var syncStatuses = []string{"COMPLETE", "CLOSED", "VIOLATED"}

// CheckSync checks the table. A status that no document has is refused with NOTIFY_STATUS_INVALID of the page [inferred].
func CheckSync(c wire.Fields) *wire.Reply {
	if err := checkRules(syncRules, c); err != nil {
		return wire.Refusal("ACQ.INVALID_PARAMETER", err.Error())
	}
	info, err := wire.ParseObject([]byte(c.Text("order_biz_info")))
	if err != nil {
		return nil // there is none: the table has checked that it is JSON otherwise
	}
	if status, given := info["status"]; given && !slices.Contains(syncStatuses, wire.Literal(status)) {
		return wire.Refusal("ACQ.NOTIFY_STATUS_INVALID", "status is not one of "+strings.Join(syncStatuses, ", "))
	}
	return nil
}

// CheckDownload checks a request for a certificate: it must name one.
func CheckDownload(c wire.Fields) *wire.Reply {
	if c.Text("alipay_cert_sn") == "" {
		return wire.Refusal("isv.invalid-parameter", "alipay_cert_sn is missing")
	}
	return nil
}
