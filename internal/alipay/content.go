package alipay

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// object writes one JSON object, member by member in the order of the API page, without
// white space, and without the escapes that encoding/json adds for HTML: the bytes that are
// written are signed and sent as they are. Absent values are left out, since Alipay is never
// sent an empty parameter.
type object struct {
	b     []byte
	typed []string // every name of a field, also of those left out
	path  string   // path of the object, for errors: "goods_detail.", "" at the top
	err   error    // the first error in a further member
}

// writeObject returns the JSON text that write makes.
func writeObject(write func(o *object)) ([]byte, error) {
	o := object{b: make([]byte, 1, 1536), typed: make([]string, 0, 32)}
	o.b[0] = '{'
	write(&o)
	if o.err != nil {
		return nil, o.err
	}
	return append(o.b, '}'), nil
}

// key begins the member and remembers its name as typed.
func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = appendString(o.b, name)
	o.b = append(o.b, ':')
}

// field notes a typed name and begins the member if it is present.
func (o *object) field(name string, present bool) bool {
	o.typed = append(o.typed, name)
	if present {
		o.key(name)
	}
	return present
}

// str writes a text; an empty one is absent.
func (o *object) str(name, v string) {
	if o.field(name, v != "") {
		o.b = appendString(o.b, v)
	}
}

// strs writes an array of texts; an empty one is absent.
func (o *object) strs(name string, list []string) {
	if !o.field(name, len(list) > 0) {
		return
	}
	for i, v := range list {
		o.b = append(o.b, "[,"[min(i, 1)])
		o.b = appendString(o.b, v)
	}
	o.b = append(o.b, ']')
}

// num writes a whole number.
func (o *object) num(name string, v int64) {
	o.field(name, true)
	o.b = strconv.AppendInt(o.b, v, 10)
}

// yuan writes an amount as a string with two decimals; nil is absent.
func (o *object) yuan(name string, m *Money) {
	if o.field(name, m != nil) {
		o.b = appendString(o.b, m.Yuan())
	}
}

// raw writes a JSON text as it is.
func (o *object) raw(name string, v []byte) {
	o.field(name, true)
	o.b = append(o.b, v...)
}

// sub writes an object within this one; an empty one is absent.
func (o *object) sub(name string, present bool, write func(o *object)) {
	start := len(o.b)
	if !o.field(name, present) {
		return
	}
	brace := len(o.b)
	if o.nest(name, write); len(o.b) == brace+len("{}") {
		o.b = o.b[:start]
	}
}

// list writes an array of n objects; an empty one is absent.
func (o *object) list(name string, n int, write func(o *object, i int)) {
	if !o.field(name, n > 0) {
		return
	}
	for i := range n {
		o.b = append(o.b, "[,"[min(i, 1)])
		o.nest(name, func(in *object) { write(in, i) })
	}
	o.b = append(o.b, ']')
}

func (o *object) nest(name string, write func(o *object)) {
	in := object{b: append(o.b, '{'), path: o.path + name + "."}
	write(&in)
	o.b = append(in.b, '}')
	if o.err == nil {
		o.err = in.err
	}
}

// more writes further members, last in the object. A name that has a typed field is refused at
// every depth and in every spelling: the receiver might read it as that field.
func (o *object) more(m Members) {
	if name := m.clash(o.typed); name != "" {
		o.err = &FieldError{Field: o.path + name, Reason: "typed", Text: "has a field of its own and must not be among the further members"}
		return
	}
	for _, e := range m.list {
		o.key(e.Name)
		o.b = append(o.b, e.Raw...)
	}
}

// free checks a JSON text that is sent as a value of its own. A name in it that has a typed field
// is refused like one among the further members: some receivers spread such texts.
func (o *object) free(name, text string, except ...string) {
	m, err := ParseMembers(text)
	if err != nil {
		return // the check of the field says so
	}
	typed := slices.DeleteFunc(slices.Clone(o.typed), func(t string) bool { return slices.Contains(except, t) })
	if clash := m.clash(typed); clash != "" && o.err == nil {
		o.err = &FieldError{Field: o.path + name, Reason: "typed", Text: "holds " + clash + ", which has a field of its own"}
	}
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. It escapes only what RFC 8259, section 7, requires.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// characters is the length of a text as Alipay's limits mean it. The pages do not say whether
// they mean characters or bytes; characters [inferred].
func characters(s string) int { return utf8.RuneCountInString(s) }

func (r *TradeCreate) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("out_trade_no", string(r.OutTradeNo))
		o.str("seller_id", r.SellerID)
		o.yuan("total_amount", &r.TotalAmount)
		o.yuan("discountable_amount", r.DiscountableAmount)
		o.yuan("undiscountable_amount", r.UndiscountableAmount)
		o.str("subject", r.Subject)
		o.str("body", r.Body)
		r.buyer(o)
		o.list("goods_detail", len(r.GoodsDetail), func(o *object, i int) { r.GoodsDetail[i].write(o) })
		o.str("operator_id", r.OperatorID)
		o.str("store_id", r.StoreID)
		o.str("alipay_store_id", r.AlipayStoreID)
		o.str("terminal_id", r.TerminalID)
		o.sub("extend_params", r.ExtendParams != nil, func(o *object) { r.ExtendParams.write(o) })
		o.str("timeout_express", r.TimeoutExpress)
		o.str("time_expire", classicTimeText(r.TimeExpire))
		o.sub("settle_info", r.SettleInfo != nil, func(o *object) { r.SettleInfo.write(o) })
		o.str("merchant_type", r.MerchantType)
		o.sub("sub_merchant", r.SubMerchant != nil, func(o *object) {
			o.str("merchant_id", r.SubMerchant.MerchantID)
			o.str("merchant_type", r.SubMerchant.MerchantType)
		})
		o.sub("logistics_detail", r.LogisticsType != "", func(o *object) { o.str("logistics_type", r.LogisticsType) })
		r.business(o)
		o.sub("receiver_address_info", r.ReceiverAddressInfo != nil, func(o *object) { r.ReceiverAddressInfo.write(o) })
		o.str("product_code", r.ProductCode)
		o.str("merchant_order_no", r.MerchantOrderNo)
		o.str("passback_params", url.QueryEscape(r.PassbackParams))
		o.strs("query_options", r.QueryOptions)
		o.str("enable_pay_channels", strings.Join(r.EnablePayChannels, ","))
		o.str("disable_pay_channels", strings.Join(r.DisablePayChannels, ","))
		o.free("business_params", r.BusinessParams)
		o.more(r.Extra)
	})
}

func (r *TradeCreate) buyer(o *object) {
	o.str("buyer_id", r.BuyerID)
	o.str("buyer_open_id", r.BuyerOpenID)
	o.str("buyer_logon_id", r.BuyerLogonID)
	o.str("op_app_id", r.OpAppID)
	o.str("op_buyer_open_id", r.OpBuyerOpenID)
}

// business writes business_params, which is a JSON text on the page and an object in the
// models of 2026.
func (r *TradeCreate) business(o *object) {
	if !r.BusinessParamsObject || r.BusinessParams == "" {
		o.str("business_params", r.BusinessParams)
		return
	}
	m, err := ParseMembers(r.BusinessParams)
	if err != nil {
		o.err = err
		return
	}
	o.raw("business_params", m.text())
}

func (g *GoodsDetail) write(o *object) {
	o.str("goods_id", g.GoodsID)
	o.str("goods_name", g.GoodsName)
	o.num("quantity", g.Quantity)
	o.yuan("price", g.Price)
	o.str("goods_category", g.GoodsCategory)
	o.str("categories_tree", g.CategoriesTree)
	o.str("body", g.Body)
	o.str("show_url", g.ShowURL)
	o.str("alipay_goods_id", g.AlipayGoodsID)
	o.str("out_item_id", g.OutItemID)
	o.str("out_sku_id", g.OutSKUID)
	o.str("goods_ean_id", g.GoodsEANID)
	o.more(g.Extra)
}

func (p *ExtendParams) write(o *object) {
	o.str("sys_service_provider_id", p.SysServiceProviderID)
	o.str("industry_reflux_info", p.IndustryRefluxInfo)
	o.str("card_type", p.CardType)
	o.str("hb_fq_num", p.HbFqNum)
	o.str("hb_fq_seller_percent", p.HbFqSellerPercent)
	o.str("royalty_freeze", p.RoyaltyFreeze)
	o.str("specified_seller_name", p.SpecifiedSellerName)
	o.str("credit_ext_info", p.CreditExtInfo)
	o.str("tc_installment_order_id", p.TcInstallmentOrderID)
	o.str("trade_component_order_id", p.TradeComponentOrderID)
	o.free("industry_reflux_info", p.IndustryRefluxInfo)
	o.free("credit_ext_info", p.CreditExtInfo)
	o.more(p.Extra)
}

func (s *SettleInfo) write(o *object) {
	o.list("settle_detail_infos", len(s.Details), func(o *object, i int) {
		d := &s.Details[i]
		o.str("trans_in_type", d.TransInType)
		o.str("trans_in", d.TransIn)
		o.str("summary_dimension", d.SummaryDimension)
		o.str("settle_entity_id", d.SettleEntityID)
		o.str("settle_entity_type", d.SettleEntityType)
		o.yuan("amount", d.Amount)
		o.yuan("actual_amount", d.ActualAmount)
		o.more(d.Extra)
	})
	o.str("settle_period_time", s.SettlePeriodTime)
}

func (a *ReceiverAddressInfo) write(o *object) {
	o.str("name", a.Name)
	o.str("address", a.Address)
	o.str("mobile", a.Mobile)
	o.str("zip", a.Zip)
	o.str("division_code", a.DivisionCode)
}

func (r *TradeQuery) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("out_trade_no", string(r.OutTradeNo))
		o.str("trade_no", string(r.TradeNo))
		o.str("org_pid", r.OrgPID)
		o.strs("query_options", r.QueryOptions)
		o.more(r.Extra)
	})
}

func (r *OrderInfoSync) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("trade_no", string(r.TradeNo))
		o.str("out_request_no", string(r.OutRequestNo))
		o.str("biz_type", r.BizType)
		o.str("order_biz_info", r.OrderBizInfo)
		o.str("orig_request_no", string(r.OrigRequestNo))
		o.free("order_biz_info", r.OrderBizInfo, "order_biz_info") // the page's sample wraps it in itself
		o.more(r.Extra)
	})
}

func (r *ItemOrderQuery) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("order_no", string(r.OrderNo))
		o.more(r.Extra)
	})
}

func (r *HKOrderSync) content() ([]byte, error) {
	return writeObject(func(o *object) {
		o.str("requestId", string(r.RequestID))
		o.str("merchantId", r.MerchantID)
		o.str("tradeNo", string(r.TradeNo))
		o.str("merchantBizNo", string(r.MerchantBizNo))
		o.str("merchantBizType", r.MerchantBizType)
		writeMinor(o, "amount", r.Amount)
		writeMinor(o, "payAmount", r.PayAmount)
		writeMinor(o, "discountAmount", r.DiscountAmount)
		o.str("orderStatus", r.OrderStatus)
		o.num("orderCreateTime", r.instant(r.CreateTime))
		o.num("orderModifyTime", r.instant(r.ModifyTime))
		o.str("userId", r.UserID)
		o.str("openId", r.OpenID)
		o.field("newFieldjrPOUb", false) // a placeholder that was left on the page: never sent
		r.writeExtInfo(o)
		o.more(r.Extra)
	})
}

// instant is a time as a number. The sibling pages' samples are milliseconds [inferred].
func (r *HKOrderSync) instant(at time.Time) int64 {
	if r.Seconds {
		return at.Unix()
	}
	return at.UnixMilli()
}

// writeExtInfo writes extInfo, which the page requires although it lists no members of it.
func (r *HKOrderSync) writeExtInfo(o *object) {
	m, err := ParseMembers(r.ExtInfo)
	if err != nil {
		o.err = err
		return
	}
	o.raw("extInfo", m.text())
}

func writeMinor(o *object, name string, m *Money) {
	o.sub(name, m != nil, func(o *object) {
		o.str("value", m.MinorText())
		o.str("currency", m.Currency)
	})
}

// classicTimeText writes an instant as the classic gateway reads it; nil is absent.
func classicTimeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return FormatTime(*t)
}

// FormatTime writes an instant as the classic gateway reads it: Beijing time without a zone.
func FormatTime(t time.Time) string { return t.In(beijing).Format(classicTime) }

// beijing is the zone of every time without one on the classic gateway. A fixed offset: a
// zone name fails in images without zone data.
var beijing = time.FixedZone("+08:00", 8*60*60)

// classicTime is the layout of times on the classic gateway (public parameter "timestamp").
const classicTime = "2006-01-02 15:04:05"
