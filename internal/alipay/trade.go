package alipay

import (
	"time"
)

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
	BuyerID              string     // 2088 and 12 digits; one of the three buyer fields is required
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
	MerchantType         string // alipay or merchant: a row of the page outside all tables
	SubMerchant          *SubMerchant
	LogisticsType        string // POST, EXPRESS, VIRTUAL, EMS, DIRECT
	BusinessParams       string // JSON object text, up to 512
	BusinessParamsObject bool   // send BusinessParams as an object (2026) instead of as a text (page)
	ReceiverAddressInfo  *ReceiverAddressInfo
	ProductCode          string   // 2026
	MerchantOrderNo      string   // up to 32, 2026
	PassbackParams       string   // 2026; plain here, URL-coded once on the wire, there up to 512
	QueryOptions         []string // 2026; up to 1024 together
	EnablePayChannels    []string // 2026; a comma list on the wire, excludes the next
	DisablePayChannels   []string // 2026
	Extra                Members  // further members of biz_content
}

// GoodsDetail is one line of the order (alipay.trade.create, "goods_detail").
type GoodsDetail struct {
	GoodsID        string // 1 to 32
	GoodsName      string // 1 to 256
	Quantity       int64  // 1 to ten digits
	Price          *Money // of one piece, CNY; required
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
	TransIn          string // who receives the money, 1 to 64; empty with defaultSettle
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

// TradeQuery is alipay.trade.query: it asks for a trade by either number; Alipay uses the
// trade number if both are given.
type TradeQuery struct {
	OutTradeNo   OutTradeNo // up to 64; any characters, since other systems' numbers are queried too
	TradeNo      TradeNo    // up to 64
	OrgPID       string     // up to 16, bank indirect mode only
	QueryOptions []string   // 2026; up to 1024 together
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

// Validate checks what can be known before sending: the page's lengths, ranges and
// rules between fields (alipay.trade.create, request parameters). It returns the first
// fault as a [*FieldError].
func (r *TradeCreate) Validate() error { return validate(r) }

// Validate checks lengths and that one of the two numbers is given
// (alipay.trade.query, "out_trade_no").
func (r *TradeQuery) Validate() error { return validate(r) }

// TradeStatus is the state of a trade as Alipay reports it (alipay.trade.query, "trade_status").
// Unknown words are kept.
type TradeStatus string

// The four states of a trade.
const (
	WaitBuyerPay  TradeStatus = "WAIT_BUYER_PAY"
	TradeSuccess  TradeStatus = "TRADE_SUCCESS"
	TradeFinished TradeStatus = "TRADE_FINISHED" // paid, no refund possible
	TradeClosed   TradeStatus = "TRADE_CLOSED"   // never paid, or refunded in full
)

// Trade is a trade as Alipay showed it (alipay.trade.query, response). Everything but the two
// numbers, the status and the total may be absent. Fields marked 2026 are not on the API page
// but in the official models of May 2026. Texts and persons' names are Alipay's, unescaped.
type Trade struct {
	TradeNo          TradeNo
	OutTradeNo       OutTradeNo
	Status           TradeStatus
	TotalAmount      *Money // in TransCurrency if that is set, else CNY
	TransCurrency    string
	SettleCurrency   string
	SettleAmount     *Money // in SettleCurrency
	PayCurrency      string
	PayAmount        *Money // in PayCurrency
	SettleTransRate  string // decimal text: 1 SettleCurrency in TransCurrency
	TransPayRate     string // decimal text: 1 TransCurrency in PayCurrency
	BuyerPayAmount   *Money // CNY, as the next three
	PointAmount      *Money
	InvoiceAmount    *Money
	ReceiptAmount    *Money
	ChargeAmount     *Money // CNY assumed, as the next two: the page gives no unit
	MDiscountAmount  *Money
	DiscountAmount   *Money
	SendPayDate      *time.Time // UTC
	FundBills        []FundBill
	StoreID          string
	StoreName        string
	TerminalID       string
	BuyerLogonID     string // masked by Alipay
	BuyerUserID      string
	BuyerUserName    string
	BuyerUserType    string // CORPORATE or PRIVATE
	ChargeFlags      string
	SettlementID     string
	AuthTradePayMode string

	// 2026
	BuyerOpenID         string
	AlipayStoreID       string
	PreAuthPayAmount    *Money // CNY assumed
	CreditPayMode       string // creditAdvanceV2: paid on credit, not yet charged
	CreditBizOrderID    string
	AdditionalStatus    string // SELLER_NOT_RECEIVED
	AsyncPayApplyStatus string
	BizSettleMode       string
	ReceiptCurrencyType string // DC: digital yuan
	PassbackParams      string
	Subject             string
	Body                string

	More     map[string]string // every further member: path to JSON text
	Unparsed map[string]string // members that could not be read exactly: path to JSON text
}

// FundBill is one channel the buyer paid with (alipay.trade.query, "fund_bill_list"). Its
// amounts have no unit on the page: CNY assumed.
type FundBill struct {
	FundChannel string // open text, e.g. ALIPAYACCOUNT
	Amount      *Money
	RealAmount  *Money
}
