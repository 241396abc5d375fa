package alipay

import (
	"errors"
	"time"
)

// TradeStatus is the state of a trade as Alipay says it (alipay.trade.query, "trade_status").
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

// ErrNoBody says that a reply has no verified answer node of the method that was asked for.
var ErrNoBody = errors.New("the reply has no verified answer of this method")

// Trade reads the answer of alipay.trade.query. A member that cannot be read exactly is
// absent and stands in Unparsed; only a reply without a verified body is an error.
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

// fields opens the verified node of a successful answer to method, without what every node has.
func (r Reply) fields(method Method) (*fields, error) {
	if r.Method != method || !r.Verified || r.Code != "10000" {
		return nil, ErrNoBody
	}
	list, err := ParseObject(r.Body)
	if err != nil {
		return nil, errors.Join(ErrNoBody, err)
	}
	f := newFields(list)
	for _, name := range []string{"code", "msg", "sub_code", "sub_msg"} {
		f.take(name)
	}
	return f, nil
}
