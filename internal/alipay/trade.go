package alipay

import (
	"net/url"
	"strings"
	"time"
)

// beijing is the zone of every time without one on the classic gateway. A fixed offset: a
// zone name fails in images without zone data.
var beijing = time.FixedZone("+08:00", 8*60*60)

// classicTime is the layout of times on the classic gateway (public parameter "timestamp").
const classicTime = "2006-01-02 15:04:05"

// TradeCreate is alipay.trade.create: it makes a trade that a buyer then pays. Fields marked
// 2026 are not on the API page but in the official models of May 2026. Empty is absent.
type TradeCreate struct {
	OutTradeNo           OutTradeNo // letters, digits, underscore, 1 to 64; the key of idempotency
	SellerID             string     // up to 28; empty: the contract account
	TotalAmount          Money      // CNY, 0.01 to 100000000 yuan
	DiscountableAmount   *Money     // CNY; takes part in discounts
	UndiscountableAmount *Money     // CNY, 2026; all three given: total is the sum of the parts
	Subject              string     // 1 to 256, without / = &
	Body                 string     // up to 128
	BuyerID              string     // 2088 and 12 digits; one of the three buyer fields is needed
	BuyerOpenID          string     // up to 128, 2026
	BuyerLogonID         string     // 2026; discouraged by Alipay
	OpAppID              string     // up to 32, 2026: the mini-program that sells
	OpBuyerOpenID        string     // up to 128, 2026
	GoodsDetail          []GoodsDetail
	OperatorID           string // up to 28
	StoreID              string // up to 32
	AlipayStoreID        string // 2026
	TerminalID           string // up to 32
	ExtendParams         *ExtendParams
	TimeoutExpress       string     // 1m to 15d in whole m, h or d, or 1c (to Beijing midnight)
	TimeExpire           *time.Time // 2026; wins over TimeoutExpress at Alipay
	SettleInfo           *SettleInfo
	MerchantType         string // alipay or merchant: the page's row that stands alone
	SubMerchant          *SubMerchant
	LogisticsType        string // POST, EXPRESS, VIRTUAL, EMS, DIRECT
	BusinessParams       string // JSON object text, up to 512
	BusinessParamsObject bool   // send BusinessParams as an object (2026) instead of as a text (page)
	ReceiverAddressInfo  *ReceiverAddressInfo
	ProductCode          string   // 2026
	MerchantOrderNo      string   // up to 32, 2026
	PassbackParams       string   // 2026; plain here, URL-coded once on the wire, there up to 512
	QueryOptions         []string // 2026; in all up to 1024
	EnablePayChannels    []string // 2026; a comma list on the wire, excludes the next
	DisablePayChannels   []string // 2026
	Extra                Members  // further members of biz_content
}

// GoodsDetail is one line of the order (alipay.trade.create, "goods_detail").
type GoodsDetail struct {
	GoodsID        string // 1 to 32
	GoodsName      string // 1 to 256
	Quantity       int64  // 1 to ten digits
	Price          *Money // of one piece, CNY; needed
	GoodsCategory  string // up to 24
	CategoriesTree string // ids from root to leaf joined by |, up to 128
	Body           string // up to 1000
	ShowURL        string // up to 400
	AlipayGoodsID  string // 2026, as the next three
	OutItemID      string
	OutSKUID       string
	GoodsEANID     string
	Extra          Members
}

// ExtendParams is alipay.trade.create, "extend_params".
type ExtendParams struct {
	SysServiceProviderID  string // up to 64
	IndustryRefluxInfo    string // JSON object text, up to 512
	CardType              string // up to 32
	HbFqNum               string // 2026, as all that follow
	HbFqSellerPercent     string
	RoyaltyFreeze         string
	SpecifiedSellerName   string
	CreditExtInfo         string // JSON object text
	TcInstallmentOrderID  string
	TradeComponentOrderID string
	Extra                 Members
}

// SettleInfo is alipay.trade.create, "settle_info".
type SettleInfo struct {
	Details          []SettleDetail // exactly one
	SettlePeriodTime string         // 1d to 365d, 2026
}

// SettleDetail is alipay.trade.create, "settle_detail_infos".
type SettleDetail struct {
	TransInType      string // cardSerialNo, userId, loginName; 2026: cardAliasNo, defaultSettle
	TransIn          string // who is paid, 1 to 64; empty with defaultSettle
	SummaryDimension string // up to 64, only with a card
	SettleEntityID   string // up to 64
	SettleEntityType string // SecondMerchant or Store
	Amount           *Money // CNY; must equal the total
	ActualAmount     *Money // CNY, 2026
	Extra            Members
}

// SubMerchant is the second merchant of an indirect acquirer (2026).
type SubMerchant struct {
	MerchantID   string
	MerchantType string // alipay; the page also knows merchant
}

// ReceiverAddressInfo is alipay.trade.create, "receiver_address_info". Personal data.
type ReceiverAddressInfo struct {
	Name         string // up to 512
	Address      string // up to 512
	Mobile       string // up to 60
	Zip          string // up to 40
	DivisionCode string // up to 16
}

// TradeQuery is alipay.trade.query: it asks for a trade by either number; Alipay takes the
// trade number when both are given.
type TradeQuery struct {
	OutTradeNo   OutTradeNo // up to 64; any characters, since numbers of other makers are read too
	TradeNo      TradeNo    // up to 64
	OrgPID       string     // up to 16, bank indirect mode only
	QueryOptions []string   // 2026; in all up to 1024
	Extra        Members
}

// Method returns [MethodTradeCreate].
func (*TradeCreate) Method() Method { return MethodTradeCreate }

// Repeatable is false: the same content is accepted again only while the trade is unpaid, so
// an unknown outcome is asked for first (alipay.trade.create, error codes, ACQ.SYSTEM_ERROR).
func (*TradeCreate) Repeatable() bool { return false }

// Method returns [MethodTradeQuery].
func (*TradeQuery) Method() Method { return MethodTradeQuery }

// Repeatable is true: asking changes nothing.
func (*TradeQuery) Repeatable() bool { return true }

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

// business writes business_params, which the page has as a JSON text and the models of 2026
// have as an object.
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

// classicTimeText writes an instant as the classic gateway reads it; nil is absent.
func classicTimeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return FormatTime(*t)
}

// FormatTime writes an instant as the classic gateway reads it: Beijing time without a zone.
func FormatTime(t time.Time) string { return t.In(beijing).Format(classicTime) }
