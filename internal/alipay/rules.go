package alipay

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// checks keeps the first fault of a request; checks after it do nothing.
type checks struct {
	path string
	err  error
}

func (c *checks) fail(field, reason, format string, args ...any) {
	if c.err == nil {
		c.err = &FieldError{Field: c.path + field, Reason: reason, Text: fmt.Sprintf(format, args...)}
	}
}

// within runs check with field names below path.
func (c *checks) within(path string, check func()) {
	old := c.path
	c.path += path + "."
	check()
	c.path = old
}

// text checks an optional text: UTF-8 and at most limit characters; limit 0 is none.
func (c *checks) text(field, v string, limit int) {
	if !utf8.ValidString(v) {
		c.fail(field, "form", "is not UTF-8")
		return
	}
	if n := characters(v); limit > 0 && n > limit {
		c.fail(field, "length", "has %d characters, more than %d", n, limit)
	}
}

// need checks a required text.
func (c *checks) need(field, v string, limit int) {
	if strings.TrimSpace(v) == "" {
		c.fail(field, "missing", "is missing")
		return
	}
	c.text(field, v, limit)
}

// word checks an optional text against the words that are allowed.
func (c *checks) word(field, v string, words ...string) {
	if v != "" && !slices.Contains(words, v) {
		c.fail(field, "word", "is not one of %s", strings.Join(words, ", "))
	}
}

// yuan checks an optional amount: CNY, least to 100000000 yuan.
func (c *checks) yuan(field string, m *Money, least int64) {
	switch {
	case m == nil:
	case m.Currency != CNY:
		c.fail(field, "currency", "is not in CNY")
	case m.Minor < least || m.Minor > maxFen:
		c.fail(field, "range", "is not in %s to 100000000 yuan", decimal(least, 2))
	}
}

// json checks an optional JSON object text and returns its members.
func (c *checks) json(field, v string, limit int) Members {
	c.text(field, v, limit)
	m, err := ParseMembers(v)
	if err != nil {
		c.fail(field, "json", "is not a JSON object that may be sent: %v", err)
	}
	return m
}

// httpURL checks an optional absolute http or https address.
func (c *checks) httpURL(field, v string, limit int) {
	if v == "" {
		return
	}
	c.text(field, v, limit)
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		c.fail(field, "form", "is not an absolute http or https address")
	}
}

// validate returns the first fault of a request, including one that only writing its content finds.
func validate(r Request) error {
	if err := r.check(); err != nil {
		return err
	}
	_, err := r.content()
	return err
}

func (r *TradeCreate) check() error {
	var c checks
	r.checkNames(&c)
	r.checkAmounts(&c)
	r.checkBuyer(&c)
	r.checkShop(&c)
	r.checkLife(&c)
	for i := range r.GoodsDetail {
		c.within("goods_detail", func() { r.GoodsDetail[i].check(&c) })
	}
	if r.ExtendParams != nil {
		c.within("extend_params", func() { r.ExtendParams.check(&c) })
	}
	if r.SettleInfo != nil {
		c.within("settle_info", func() { r.SettleInfo.check(&c, r.TotalAmount) })
	}
	if r.ReceiverAddressInfo != nil {
		c.within("receiver_address_info", func() { r.ReceiverAddressInfo.check(&c) })
	}
	return c.err
}

func (r *TradeCreate) checkNames(c *checks) {
	c.need("out_trade_no", string(r.OutTradeNo), 64)
	for _, b := range []byte(r.OutTradeNo) {
		if b != '_' && (b < '0' || b > '9') && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') {
			c.fail("out_trade_no", "form", "has characters other than letters, digits and underscores")
			break
		}
	}
	c.need("subject", r.Subject, 256)
	if strings.ContainsAny(r.Subject, "/=&") { // official model of 2026, "subject"
		c.fail("subject", "form", "has one of / = &")
	}
	c.text("body", r.Body, 128)
	c.text("merchant_order_no", r.MerchantOrderNo, 32)
	c.text("product_code", r.ProductCode, 0)
}

// checkAmounts: if all three amounts are given, the total is the sum of its parts
// (alipay.trade.create, "total_amount"); a part is never more than the total [inferred].
func (r *TradeCreate) checkAmounts(c *checks) {
	c.yuan("total_amount", &r.TotalAmount, minFen)
	c.yuan("discountable_amount", r.DiscountableAmount, minFen)
	c.yuan("undiscountable_amount", r.UndiscountableAmount, minFen)
	if c.err != nil {
		return
	}
	var sum int64
	for _, part := range []*Money{r.DiscountableAmount, r.UndiscountableAmount} {
		if part == nil {
			continue
		}
		sum += part.Minor
	}
	switch {
	case r.DiscountableAmount != nil && r.UndiscountableAmount != nil && sum != r.TotalAmount.Minor:
		c.fail("total_amount", "sum", "is not the sum of discountable_amount and undiscountable_amount")
	case sum > r.TotalAmount.Minor:
		c.fail("total_amount", "sum", "is less than its part")
	}
}

// checkBuyer: one of the three buyer fields is required [inferred from "specially optional" and
// the fields of 2026]; buyer and seller differ (error codes, ACQ.BUYER_SELLER_EQUAL).
func (r *TradeCreate) checkBuyer(c *checks) {
	if r.BuyerID == "" && r.BuyerOpenID == "" && r.BuyerLogonID == "" {
		c.fail("buyer_id", "missing", "and buyer_open_id and buyer_logon_id are missing")
	}
	if r.BuyerID != "" && !isUserID(r.BuyerID) {
		c.fail("buyer_id", "form", "is not 16 digits beginning with 2088")
	}
	if r.BuyerID != "" && r.BuyerID == r.SellerID {
		c.fail("buyer_id", "conflict", "equals seller_id")
	}
	c.text("seller_id", r.SellerID, 28)
	c.text("buyer_open_id", r.BuyerOpenID, 128)
	c.text("buyer_logon_id", r.BuyerLogonID, 0)
	c.text("op_app_id", r.OpAppID, 32)
	c.text("op_buyer_open_id", r.OpBuyerOpenID, 128)
}

func (r *TradeCreate) checkShop(c *checks) {
	c.text("operator_id", r.OperatorID, 28)
	c.text("store_id", r.StoreID, 32)
	c.text("alipay_store_id", r.AlipayStoreID, 0)
	c.text("terminal_id", r.TerminalID, 32)
	c.word("logistics_detail.logistics_type", r.LogisticsType, "POST", "EXPRESS", "VIRTUAL", "EMS", "DIRECT")
	c.word("merchant_type", r.MerchantType, "alipay", "merchant")
	if s := r.SubMerchant; s != nil {
		c.need("sub_merchant.merchant_id", s.MerchantID, 0)
		c.word("sub_merchant.merchant_type", s.MerchantType, "alipay", "merchant")
	}
	c.json("business_params", r.BusinessParams, 512)
}

func (r *TradeCreate) checkLife(c *checks) {
	if v := r.TimeoutExpress; v != "" && v != "1c" && !isWholeUnits(v, 'm', 15*24*60) && !isWholeUnits(v, 'h', 15*24) && !isWholeUnits(v, 'd', 15) {
		c.fail("timeout_express", "form", "is neither 1c nor 1m to 15d in whole m, h or d")
	}
	c.text("passback_params", url.QueryEscape(r.PassbackParams), 512)
	c.text("passback_params", r.PassbackParams, 0)
	checkWords(c, "query_options", r.QueryOptions)
	checkWords(c, "enable_pay_channels", r.EnablePayChannels)
	checkWords(c, "disable_pay_channels", r.DisablePayChannels)
	if len(r.EnablePayChannels) > 0 && len(r.DisablePayChannels) > 0 {
		c.fail("enable_pay_channels", "conflict", "and disable_pay_channels exclude each other")
	}
}

// checkWords checks a list of words that becomes one parameter of up to 1024 characters
// (official model of 2026, "query_options"; for pay channels [inferred]).
func checkWords(c *checks, field string, words []string) {
	c.text(field, strings.Join(words, ","), 1024)
	for _, w := range words {
		if strings.TrimSpace(w) == "" || strings.Contains(w, ",") {
			c.fail(field, "form", "has an entry that is empty or has a comma")
		}
	}
}

func (g *GoodsDetail) check(c *checks) {
	c.need("goods_id", g.GoodsID, 32)
	c.need("goods_name", g.GoodsName, 256)
	if g.Quantity < 1 || g.Quantity > 9_999_999_999 {
		c.fail("quantity", "range", "is not 1 to ten digits")
	}
	if g.Price == nil {
		c.fail("price", "missing", "is missing")
	}
	c.yuan("price", g.Price, 0) // the page gives no least price, and gifts are free [inferred]
	c.text("goods_category", g.GoodsCategory, 24)
	c.text("categories_tree", g.CategoriesTree, 128)
	c.text("body", g.Body, 1000)
	c.text("show_url", g.ShowURL, 400)
	c.text("alipay_goods_id", g.AlipayGoodsID, 0)
	c.text("out_item_id", g.OutItemID, 0)
	c.text("out_sku_id", g.OutSKUID, 0)
	c.text("goods_ean_id", g.GoodsEANID, 0)
}

func (p *ExtendParams) check(c *checks) {
	c.text("sys_service_provider_id", p.SysServiceProviderID, 64)
	c.json("industry_reflux_info", p.IndustryRefluxInfo, 512)
	c.text("card_type", p.CardType, 32)
	c.text("hb_fq_num", p.HbFqNum, 0)
	c.text("hb_fq_seller_percent", p.HbFqSellerPercent, 0)
	c.text("royalty_freeze", p.RoyaltyFreeze, 0)
	c.text("specified_seller_name", p.SpecifiedSellerName, 0)
	c.json("credit_ext_info", p.CreditExtInfo, 0)
	c.text("tc_installment_order_id", p.TcInstallmentOrderID, 0)
	c.text("trade_component_order_id", p.TradeComponentOrderID, 0)
}

func (s *SettleInfo) check(c *checks, total Money) {
	if len(s.Details) != 1 {
		c.fail("settle_detail_infos", "length", "has %d entries, Alipay accepts exactly one", len(s.Details))
		return
	}
	c.within("settle_detail_infos", func() { s.Details[0].check(c, total) })
	if s.SettlePeriodTime != "" && !isWholeUnits(s.SettlePeriodTime, 'd', 365) {
		c.fail("settle_period_time", "form", "is not 1d to 365d")
	}
}

func (d *SettleDetail) check(c *checks, total Money) {
	c.need("trans_in_type", d.TransInType, 64)
	c.word("trans_in_type", d.TransInType, "cardSerialNo", "userId", "loginName", "cardAliasNo", "defaultSettle")
	switch d.TransInType {
	case "defaultSettle": // official model of 2026: no receiver is named
		if d.TransIn != "" {
			c.fail("trans_in", "conflict", "must be empty with defaultSettle")
		}
	case "userId":
		if !isUserID(d.TransIn) {
			c.fail("trans_in", "form", "is not 16 digits beginning with 2088")
		}
	default:
		c.need("trans_in", d.TransIn, 64)
	}
	card := d.TransInType == "cardSerialNo" || d.TransInType == "cardAliasNo"
	if d.SummaryDimension != "" && !card {
		c.fail("summary_dimension", "conflict", "is allowed only with a card")
	}
	c.text("summary_dimension", d.SummaryDimension, 64)
	c.text("settle_entity_id", d.SettleEntityID, 64)
	c.word("settle_entity_type", d.SettleEntityType, "SecondMerchant", "Store")
	c.yuan("actual_amount", d.ActualAmount, minFen)
	switch {
	case d.Amount == nil:
		c.fail("amount", "missing", "is missing")
	case *d.Amount != total:
		c.fail("amount", "sum", "is not the total_amount")
	}
}

func (a *ReceiverAddressInfo) check(c *checks) {
	c.text("name", a.Name, 512)
	c.text("address", a.Address, 512)
	c.text("mobile", a.Mobile, 60)
	c.text("zip", a.Zip, 40)
	c.text("division_code", a.DivisionCode, 16)
}

func (r *TradeQuery) check() error {
	var c checks
	if strings.TrimSpace(string(r.OutTradeNo)) == "" && strings.TrimSpace(string(r.TradeNo)) == "" {
		c.fail("out_trade_no", "missing", "and trade_no are missing")
	}
	c.text("out_trade_no", string(r.OutTradeNo), 64)
	c.text("trade_no", string(r.TradeNo), 64)
	c.text("org_pid", r.OrgPID, 16)
	checkWords(&c, "query_options", r.QueryOptions)
	return c.err
}

func (r *OrderInfoSync) check() error {
	var c checks
	c.need("trade_no", string(r.TradeNo), 64)
	c.need("out_request_no", string(r.OutRequestNo), 64)
	c.need("biz_type", r.BizType, 64)
	c.word("biz_type", r.BizType, "CREDIT_AUTH", "CREDIT_DEDUCT")
	info := c.json("order_biz_info", r.OrderBizInfo, 2018)
	if !r.AllowViolated && (info.Mentions("VIOLATED") || r.Extra.Mentions("VIOLATED")) {
		c.fail("order_biz_info", "forbidden", "has the status VIOLATED, which this account does not allow")
	}
	c.text("orig_request_no", string(r.OrigRequestNo), 64)
	return c.err
}

func (r *ItemOrderQuery) check() error {
	var c checks
	c.need("order_no", string(r.OrderNo), 64)
	return c.err
}

func (r *HKOrderSync) check() error {
	var c checks
	c.need("requestId", string(r.RequestID), 36)
	c.text("merchantId", r.MerchantID, 64)
	c.need("tradeNo", string(r.TradeNo), 64)
	c.need("merchantBizNo", string(r.MerchantBizNo), 64)
	c.need("merchantBizType", r.MerchantBizType, 64)
	c.need("orderStatus", r.OrderStatus, 64)
	checkMinor(&c, "amount", r.Amount)
	checkMinor(&c, "payAmount", r.PayAmount)
	checkMinor(&c, "discountAmount", r.DiscountAmount)
	if r.CreateTime.UnixMilli() <= 0 {
		c.fail("orderCreateTime", "missing", "is missing")
	}
	if r.ModifyTime.UnixMilli() <= 0 {
		c.fail("orderModifyTime", "missing", "is missing")
	}
	if strings.TrimSpace(r.UserID) == "" && strings.TrimSpace(r.OpenID) == "" {
		c.fail("userId", "missing", "and openId are missing")
	}
	c.text("userId", r.UserID, 64)
	c.text("openId", r.OpenID, 128)
	c.json("extInfo", r.ExtInfo, 0)
	return c.err
}

// checkMinor checks an optional amount in minor units. Zero is valid: a discount of
// zero is a fact.
func checkMinor(c *checks, field string, m *Money) {
	switch {
	case m == nil:
	case len(m.Currency) != 3 || strings.Trim(m.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		c.fail(field+".currency", "currency", "is not three capitals (ISO 4217)")
	case m.Minor < 0:
		c.fail(field+".value", "range", "is negative")
	}
}

// isUserID reports whether v is the number of a mainland Alipay user: 16 digits beginning with
// 2088 (alipay.trade.create, "buyer_id").
func isUserID(v string) bool {
	return len(v) == 16 && strings.HasPrefix(v, "2088") && allDigits(v)
}

// isWholeUnits reports whether v is a whole number from 1 to limit followed by unit, without a leading zero.
func isWholeUnits(v string, unit byte, limit int) bool {
	if len(v) < 2 || v[len(v)-1] != unit || v[0] == '0' || len(v) > 6 || !allDigits(v[:len(v)-1]) {
		return false
	}
	n := 0
	for _, c := range []byte(v[:len(v)-1]) {
		n = n*10 + int(c-'0')
	}
	return n >= 1 && n <= limit
}
