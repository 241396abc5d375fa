package alipay

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/alipay/jsonscan"
)

// fields reads the members of an answer by name. A member that cannot be read exactly is
// left out and kept in unparsed as its literal; the others are not affected. Members that were
// not asked for are kept in more.
type fields struct {
	byName   map[string][]byte
	texts    map[string]string // in place of byName: the values are plain texts, and none is taken out
	path     string            // path of the object: "fund_bill_list[0].", "" for the node
	more     map[string]string
	unparsed map[string]string
}

func newFields(list jsonscan.Object) *fields {
	f := &fields{byName: make(map[string][]byte, len(list))}
	for _, e := range list {
		f.byName[e.Name] = e.Raw
	}
	return f
}

// take removes a member and returns its value; nil when it is absent or null.
func (f *fields) take(name string) []byte {
	raw := f.byName[name]
	delete(f.byName, name)
	if f.texts != nil {
		raw = []byte(f.texts[name]) // of a list, which is a JSON text of its own
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

// Bounds of what is kept of an answer. No documented answer comes near them, and one of a megabyte must not become many.
const (
	maxElements = 1000     // of a list
	maxFurther  = 1000     // members of an object that no field reads
	maxUnread   = 64 << 10 // bytes of a member that cannot be read
)

func (f *fields) unread(name string, raw []byte) {
	if f.unparsed == nil {
		f.unparsed = map[string]string{}
	}
	if raw == nil {
		raw = jsonscan.Quote(f.texts[name])
	}
	if len(raw) > maxUnread {
		raw = fmt.Appendf(nil, `"left out: %d bytes"`, len(raw))
	}
	f.unparsed[f.path+name] = string(raw)
}

// literal returns a member that is a string or a number as its text; raw is nil for a plain text.
func (f *fields) literal(name string) (text string, raw []byte) {
	if f.texts != nil {
		return f.texts[name], nil
	}
	raw = f.take(name)
	if raw == nil {
		return "", nil
	}
	if text, ok := jsonscan.TextOf(raw); ok {
		return text, raw
	}
	f.unread(name, raw)
	return "", nil
}

// text reads a text. A number gives its literal.
func (f *fields) text(name string) string {
	s, _ := f.literal(name)
	return s
}

// money reads an amount in a currency; nil when it is absent or empty.
func (f *fields) money(name, currency string) *Money {
	s, raw := f.literal(name)
	if s == "" {
		return nil
	}
	m, err := ParseAmount(s, currency)
	if err != nil {
		f.unread(name, raw)
		return nil
	}
	return &m
}

// currency reads a currency code; a number in its place, as on the page of alipay.trade.query,
// is not a currency.
func (f *fields) currency(name string) string {
	s, raw := f.literal(name)
	if s == "" {
		return ""
	}
	if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		f.unread(name, raw)
		return ""
	}
	return s
}

// rate reads a decimal text. The bridge never calculates with rates.
func (f *fields) rate(name string) string {
	s, raw := f.literal(name)
	whole, frac, point := strings.Cut(s, ".")
	if s != "" && (!allDigits(whole) || point && !allDigits(frac)) {
		f.unread(name, raw)
		return ""
	}
	return s
}

// whole reads a whole number.
func (f *fields) whole(name string) int64 {
	s, raw := f.literal(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f.unread(name, raw)
		return 0
	}
	return n
}

// time reads a time without zone, which is Beijing time [inferred from "timestamp"]; some
// have milliseconds, which time.Parse accepts without a layout.
func (f *fields) time(name string) *time.Time {
	s, raw := f.literal(name)
	if s == "" {
		return nil
	}
	t, err := time.ParseInLocation(classicTime, s, beijing)
	if err != nil {
		f.unread(name, raw)
		return nil
	}
	t = t.UTC()
	return &t
}

// list reads an array of objects, plain or wrapped in an object whose only member is the
// array (the official Java SDK accepts both), or a single object in its place, as in the table on the page of
// koubei.trade.itemorder.query.
func (f *fields) list(name string, read func(in *fields)) {
	raw := f.take(name)
	if raw == nil || string(raw) == `""` {
		return
	}
	elements, ok := elementsOf(raw)
	if !ok || len(elements) > maxElements {
		f.unread(name, raw)
		return
	}
	for i, e := range elements {
		path := name + "[" + strconv.Itoa(i) + "]"
		list, err := jsonscan.ParseObject(e)
		if err != nil {
			f.unread(path, e)
			continue
		}
		in := newFields(list)
		in.path = f.path + path + "."
		read(in)
		in.rest()
		f.adopt(in)
	}
}

// rest moves every member that was not asked for to more.
func (f *fields) rest() {
	if len(f.byName) > maxFurther {
		f.unread("*", fmt.Appendf(nil, `"left out: %d further members"`, len(f.byName)))
		clear(f.byName)
	}
	for name, raw := range f.byName {
		if f.more == nil {
			f.more = make(map[string]string, len(f.byName))
		}
		f.more[f.path+name] = string(raw)
	}
	clear(f.byName)
}

func (f *fields) adopt(in *fields) {
	if len(f.more)+len(in.more) > maxFurther {
		f.unread("*", []byte(`"left out: the further members of some elements"`))
	} else if len(in.more) > 0 {
		if f.more == nil {
			f.more = map[string]string{}
		}
		maps.Copy(f.more, in.more)
	}
	if len(in.unparsed) > 0 {
		if f.unparsed == nil {
			f.unparsed = map[string]string{}
		}
		maps.Copy(f.unparsed, in.unparsed)
	}
}

// elementsOf returns the elements of a list in any of its three forms.
func elementsOf(raw []byte) ([][]byte, bool) {
	if raw[0] == '{' {
		list, err := jsonscan.ParseObject(raw)
		if err != nil {
			return nil, false
		}
		if len(list) != 1 || list[0].Raw[0] != '[' {
			return [][]byte{raw}, true
		}
		raw = list[0].Raw
	}
	if raw[0] != '[' {
		return nil, false
	}
	elements, err := jsonscan.Elements(raw)
	return elements, err == nil
}

// fields opens the verified node of a successful answer to method, without what every node has.
func (r Reply) fields(method Method) (*fields, error) {
	if r.Method != method || !r.Verified || r.Code != "10000" {
		return nil, ErrNoBody
	}
	list, err := jsonscan.ParseObject(r.Body)
	if err != nil {
		return nil, errors.Join(ErrNoBody, err)
	}
	f := newFields(list)
	for _, name := range []string{"code", "msg", "sub_code", "sub_msg"} {
		f.take(name)
	}
	return f, nil
}

// Trade reads the answer of alipay.trade.query. A member that cannot be read exactly is
// absent and kept in Unparsed; only a reply without a verified body is an error.
func (r Reply) Trade() (Trade, error) {
	f, err := r.fields(MethodTradeQuery)
	if err != nil {
		return Trade{}, err
	}
	t := Trade{
		TradeNo:          TradeNo(f.text("trade_no")),
		OutTradeNo:       OutTradeNo(f.text("out_trade_no")),
		Status:           TradeStatus(f.text("trade_status")),
		SendPayDate:      f.time("send_pay_date"),
		StoreID:          f.text("store_id"),
		StoreName:        f.text("store_name"),
		TerminalID:       f.text("terminal_id"),
		BuyerLogonID:     f.text("buyer_logon_id"),
		BuyerUserID:      f.text("buyer_user_id"),
		BuyerUserName:    f.text("buyer_user_name"),
		BuyerUserType:    f.text("buyer_user_type"),
		ChargeFlags:      f.text("charge_flags"),
		SettlementID:     f.text("settlement_id"),
		AuthTradePayMode: f.text("auth_trade_pay_mode"),
	}
	t.readAmounts(f)
	t.readNewer(f)
	f.list("fund_bill_list", func(in *fields) {
		t.FundBills = append(t.FundBills, FundBill{
			FundChannel: in.text("fund_channel"),
			Amount:      in.money("amount", CNY),
			RealAmount:  in.money("real_amount", CNY),
		})
	})
	f.rest()
	t.More, t.Unparsed = f.more, f.unparsed
	return t, nil
}

// readAmounts reads each amount in its currency. An amount whose currency is missing or not
// known cannot be read exactly.
func (t *Trade) readAmounts(f *fields) {
	t.TransCurrency = f.currency("trans_currency")
	t.SettleCurrency = f.currency("settle_currency")
	t.PayCurrency = f.currency("pay_currency")
	total := t.TransCurrency
	if _, unread := f.unparsed["trans_currency"]; total == "" && !unread {
		total = CNY
	}
	t.TotalAmount = f.money("total_amount", total)
	t.SettleAmount = f.money("settle_amount", t.SettleCurrency)
	t.PayAmount = f.money("pay_amount", t.PayCurrency)
	t.SettleTransRate = f.rate("settle_trans_rate")
	t.TransPayRate = f.rate("trans_pay_rate")
	t.BuyerPayAmount = f.money("buyer_pay_amount", CNY)
	t.PointAmount = f.money("point_amount", CNY)
	t.InvoiceAmount = f.money("invoice_amount", CNY)
	t.ReceiptAmount = f.money("receipt_amount", CNY)
	t.ChargeAmount = f.money("charge_amount", CNY)
	t.MDiscountAmount = f.money("mdiscount_amount", CNY)
	t.DiscountAmount = f.money("discount_amount", CNY)
	t.PreAuthPayAmount = f.money("pre_auth_pay_amount", CNY)
}

func (t *Trade) readNewer(f *fields) {
	t.BuyerOpenID = f.text("buyer_open_id")
	t.AlipayStoreID = f.text("alipay_store_id")
	t.CreditPayMode = f.text("credit_pay_mode")
	t.CreditBizOrderID = f.text("credit_biz_order_id")
	t.AdditionalStatus = f.text("additional_status")
	t.AsyncPayApplyStatus = f.text("async_pay_apply_status")
	t.BizSettleMode = f.text("biz_settle_mode")
	t.ReceiptCurrencyType = f.text("receipt_currency_type")
	t.PassbackParams = f.text("passback_params")
	t.Subject = f.text("subject")
	t.Body = f.text("body")
}

// ItemOrder reads the answer of koubei.trade.itemorder.query, by the rules of [Reply.Trade].
func (r Reply) ItemOrder() (ItemOrder, error) {
	f, err := r.fields(MethodItemOrderQuery)
	if err != nil {
		return ItemOrder{}, err
	}
	o := ItemOrder{
		OrderNo:                 KoubeiOrderNo(f.text("order_no")),
		OutOrderNo:              OutTradeNo(f.text("out_order_no")),
		TradeNo:                 TradeNo(f.text("trade_no")),
		Status:                  f.text("status"),
		PartnerID:               f.text("partner_id"),
		SellerID:                f.text("seller_id"),
		BuyerID:                 f.text("buyer_id"),
		BizProduct:              f.text("biz_product"),
		GmtCreate:               f.time("gmt_create"),
		GmtPayment:              f.time("gmt_payment"),
		GmtModified:             f.time("gmt_modified"),
		TotalAmount:             f.money("total_amount", CNY),
		RealPayAmount:           f.money("real_pay_amount", CNY),
		DiscountAmount:          f.money("discount_amount", CNY),
		DeliverSellerRealAmount: f.money("deliver_seller_real_amount", CNY),
	}
	// A wrapped list is called item_order_v_o (official Java SDK).
	for _, name := range []string{"item_order_vo", "item_order_v_o"} {
		f.list(name, func(in *fields) { o.Items = append(o.Items, readLine(in)) })
	}
	f.rest()
	o.More, o.Unparsed = f.more, f.unparsed
	return o, nil
}

func readLine(in *fields) ItemOrderLine {
	return ItemOrderLine{
		ItemOrderNo:  in.text("item_order_no"),
		SKUID:        in.text("sku_id"),
		Quantity:     in.whole("quantity"),
		Price:        in.money("price", CNY),
		ExtInfo:      in.text("ext_info"),
		Status:       in.text("status"),
		MerchantFund: in.money("merchant_fund", CNY),
		PlatformFund: in.money("platform_fund", CNY),
	}
}

// ErrNoBody says that a reply has no verified answer node of the method that was asked for.
var ErrNoBody = errors.New("the reply has no verified answer of this method")
