package alipay

import (
	"net/url"
	"time"
)

// Bodies that answer a notification (alipay.trade.create, "triggered
// notifications"): exactly seven letters, or Alipay repeats it for a day.
const (
	NotificationTaken   = "success"
	NotificationRefused = "fail"
)

// NotifyTypeTrade is the notify_type of a change of a trade's status (alipay.trade.create,
// "triggered notifications").
const NotifyTypeTrade = "trade_status_sync"

// Notification is a genuine notification of one of our merchants. It is not
// checked here whether order and amount are the merchant's. Texts and persons' names are Alipay's, in UTF-8, unescaped.
// Any field may be absent.
type Notification struct {
	ID         string // notify_id, the same over all repeats
	Type       string // notify_type
	Time       *time.Time
	Charset    Charset  // of its body
	SignType   SignType // the configured one, which verified
	Version    string
	AppID      string
	AuthAppID  string
	CertSN     string // alipay_cert_sn
	ActionType string // notify_action_type

	OutTradeNo   OutTradeNo
	TradeNo      TradeNo
	OutBizNo     string // number of the refund
	Status       TradeStatus
	BuyerID      string
	BuyerOpenID  string
	BuyerLogonID string // masked by Alipay
	SellerID     string
	SellerEmail  string

	TotalAmount     *Money // in TransCurrency if that is set, else CNY
	TransCurrency   string
	SettleCurrency  string
	SettleAmount    *Money // in SettleCurrency
	PayCurrency     string
	PayAmount       *Money // in PayCurrency
	SettleTransRate string // decimal text
	TransPayRate    string // decimal text
	ReceiptAmount   *Money // CNY, as all below
	InvoiceAmount   *Money
	BuyerPayAmount  *Money
	PointAmount     *Money
	RefundFee       *Money // the total refunded so far
	SendBackFee     *Money // what was really returned
	ChargeAmount    *Money
	MDiscountAmount *Money
	DiscountAmount  *Money
	AdvanceAmount   *Money
	UnfreezeAmount  *Money
	FundBills       []FundBill

	CreateTime  *time.Time // gmt_create; all times UTC
	PaymentTime *time.Time // gmt_payment
	RefundTime  *time.Time // gmt_refund, with milliseconds
	CloseTime   *time.Time // gmt_close

	Subject                 string
	Body                    string
	PassbackParams          string // decoded once more
	VoucherDetailList       string // JSON text, as the next three
	DiscountGoodsDetail     string
	RefundPresetPaytoolList string
	HBFQPayInfo             string
	ChargeFlags             string
	SettlementID            string
	AuthTradePayMode        string

	Params   map[string]string // every parameter but sign and sign_type, decoded once
	Unparsed map[string]string // parameters that could not be read exactly: name to literal
}

// IsTrade reports whether the notification is about a change of a trade's status. Others come to the
// same address: they are answered with success and routed elsewhere or dropped.
func (n Notification) IsTrade() bool { return n.Type == NotifyTypeTrade }

// ReadNotification types the parameters of a notification that has been verified, decoded once
// and in UTF-8. Charset and sign type are not among them. It keeps the map.
func ReadNotification(params map[string]string) Notification {
	delete(params, "sign")
	delete(params, "sign_type")
	n, f := Notification{Params: params}, &fields{texts: params}
	n.readNumbers(f)
	n.readMoney(f)
	n.readTexts(f)
	n.Unparsed = f.unparsed
	if n.Unparsed == nil {
		n.Unparsed = map[string]string{}
	}
	n.readPassback(f.text("passback_params"))
	return n
}

func (n *Notification) readNumbers(f *fields) {
	n.ID, n.Type, n.Time = f.text("notify_id"), f.text("notify_type"), f.time("notify_time")
	n.Version, n.AppID, n.AuthAppID = f.text("version"), f.text("app_id"), f.text("auth_app_id")
	n.CertSN, n.ActionType = f.text("alipay_cert_sn"), f.text("notify_action_type")
	n.OutTradeNo, n.TradeNo = OutTradeNo(f.text("out_trade_no")), TradeNo(f.text("trade_no"))
	n.OutBizNo, n.Status = f.text("out_biz_no"), TradeStatus(f.text("trade_status"))
	n.BuyerID, n.BuyerOpenID, n.BuyerLogonID = f.text("buyer_id"), f.text("buyer_open_id"), f.text("buyer_logon_id")
	n.SellerID, n.SellerEmail = f.text("seller_id"), f.text("seller_email")
	n.CreateTime, n.PaymentTime = f.time("gmt_create"), f.time("gmt_payment")
	n.RefundTime, n.CloseTime = f.time("gmt_refund"), f.time("gmt_close")
}

// readMoney reads each amount in its currency, as [Reply.Trade] does.
func (n *Notification) readMoney(f *fields) {
	n.TransCurrency = f.currency("trans_currency")
	n.SettleCurrency = f.currency("settle_currency")
	n.PayCurrency = f.currency("pay_currency")
	total := n.TransCurrency
	if _, unread := f.unparsed["trans_currency"]; total == "" && !unread {
		total = CNY
	}
	n.TotalAmount = f.money("total_amount", total)
	n.SettleAmount = f.money("settle_amount", n.SettleCurrency)
	n.PayAmount = f.money("pay_amount", n.PayCurrency)
	n.SettleTransRate, n.TransPayRate = f.rate("settle_trans_rate"), f.rate("trans_pay_rate")
	for _, field := range []struct {
		name string
		to   **Money
	}{
		{"receipt_amount", &n.ReceiptAmount}, {"invoice_amount", &n.InvoiceAmount}, {"buyer_pay_amount", &n.BuyerPayAmount},
		{"point_amount", &n.PointAmount}, {"refund_fee", &n.RefundFee}, {"send_back_fee", &n.SendBackFee},
		{"charge_amount", &n.ChargeAmount}, {"mdiscount_amount", &n.MDiscountAmount}, {"discount_amount", &n.DiscountAmount},
		{"advance_amount", &n.AdvanceAmount}, {"unfreeze_amount", &n.UnfreezeAmount},
	} {
		*field.to = f.money(field.name, CNY)
	}
	f.list("fund_bill_list", func(in *fields) { // camel case here, unlike the answer of a query
		n.FundBills = append(n.FundBills, FundBill{
			FundChannel: in.text("fundChannel"),
			Amount:      in.money("amount", CNY),
			RealAmount:  in.money("realAmount", CNY),
		})
	})
}

func (n *Notification) readTexts(f *fields) {
	n.Subject, n.Body = f.text("subject"), f.text("body")
	n.VoucherDetailList, n.DiscountGoodsDetail = f.text("voucher_detail_list"), f.text("discount_goods_detail")
	n.RefundPresetPaytoolList, n.HBFQPayInfo = f.text("refund_preset_paytool_list"), f.text("hb_fq_pay_info")
	n.ChargeFlags, n.SettlementID = f.text("charge_flags"), f.text("settlement_id")
	n.AuthTradePayMode = f.text("auth_trade_pay_mode")
}

// readPassback decodes passback_params once more: they are URL-coded inside the form.
func (n *Notification) readPassback(text string) {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		n.Unparsed["passback_params"] = text
		return
	}
	n.PassbackParams = plain
}
