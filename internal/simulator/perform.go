package simulator

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator/rules"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// perform does what a request asks for. The caller holds mu.
func (s *Simulator) perform(f *classicRequest, e *RequestEntry, c wire.Fields) wire.Reply {
	switch f.method {
	case TradeCreate:
		return s.create(f, e, c)
	case TradeQuery:
		return s.query(f, c)
	case OrderInfoSync:
		return s.sync(f, e, c)
	case CertDownload:
		return download(f, c)
	default:
		return s.itemOrder(f, c)
	}
}

// create makes a trade, or answers a repeat (docs/alipay.md, "create again with the same out_trade_no").
func (s *Simulator) create(f *classicRequest, e *RequestEntry, c wire.Fields) wire.Reply {
	now := s.Now()
	want := s.newTrade(f, c, now)
	old := s.trades[tradeKey{want.App, want.Merchant, want.OutTradeNo}]
	if old != nil {
		s.closeIfExpired(old, now)
		return repeatedCreate(old, want)
	}
	if !now.Before(want.ExpiresAt) {
		return wire.Failure("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "time_expire has passed")
	}
	if err := s.store(want); err != nil {
		return wire.Failure("ACQ.SYSTEM_ERROR", wire.BusyText) // two order numbers with the same trade_no: not expected
	}
	s.queueNotification(want, now)
	s.assignBuyer(want)
	s.journal.addExecution(e, now)
	return createdReply(want)
}

func createdReply(t *trade) wire.Reply {
	return wire.Success(wire.Members{}.Add("out_trade_no", t.OutTradeNo).Add("trade_no", t.TradeNo))
}

// repeatedCreate answers a create whose order number exists. When buyer and content both differ,
// the page does not say which error comes first; here it is the content's [inferred].
func repeatedCreate(old, want *trade) wire.Reply {
	same := old.content == want.content
	if old.content == [32]byte{} { // added by AddTrade: compare what is known
		same = old.Total == want.Total && (old.Subject == "" || old.Subject == want.Subject)
	}
	switch {
	case old.Status == TradeClosed:
		return wire.Failure("ACQ.TRADE_HAS_CLOSE", "the trade is closed")
	case old.Status != WaitBuyerPay:
		return wire.Failure("ACQ.TRADE_HAS_SUCCESS", "the trade is paid")
	case !same:
		return wire.Failure("ACQ.CONTEXT_INCONSISTENT", "the order number belongs to another order")
	case old.buyer() != want.buyer():
		return wire.Failure("ACQ.TRADE_BUYER_NOT_MATCH", "the trade has another buyer")
	}
	return createdReply(old) // with the same trade_no [inferred]
}

func (t *trade) buyer() string { return t.BuyerID + "\n" + t.BuyerOpenID + "\n" + t.BuyerLogonID }

// newTrade returns the trade that a checked request asks for.
func (s *Simulator) newTrade(f *classicRequest, c wire.Fields, now time.Time) *trade {
	total, _ := c.Yuan("total_amount")
	return &trade{content: rules.Fingerprint(c), Trade: Trade{
		App: f.app.ID, Merchant: f.merchant.Name,
		OutTradeNo: c.Text("out_trade_no"), Status: WaitBuyerPay, Total: total, Subject: c.Text("subject"),
		BuyerID: c.Text("buyer_id"), BuyerOpenID: c.Text("buyer_open_id"), BuyerLogonID: c.Text("buyer_logon_id"),
		SellerID: rules.Seller(c, f.merchant.SellerID), StoreID: c.Text("store_id"), TerminalID: c.Text("terminal_id"),
		Body: c.Text("body"), Passback: c.Text("passback_params"),
		NotifyURL: strings.Clone(f.params["notify_url"]), Charset: f.Charset.Name, SignType: strings.Clone(f.params["sign_type"]), // not the whole body
		CreatedAt: now, ExpiresAt: rules.Expiry(c, now, s.options.PayLimit),
	}}
}

// tradeNotFound is the answer for an unknown trade. Real answers have zero amounts with the error
// (docs/alipay.md, "Shapes"); clients must not read them.
func tradeNotFound(c wire.Fields) wire.Reply {
	a := wire.Failure("ACQ.TRADE_NOT_EXIST", "the trade does not exist")
	a.Members = wire.Members{}.Add("out_trade_no", c.Text("out_trade_no")).Add("buyer_pay_amount", "0.00").
		Add("invoice_amount", "0.00").Add("point_amount", "0.00").Add("receipt_amount", "0.00")
	return a
}

// query reports a trade's state. Payment fields are zero or absent before payment
// (docs/alipay.md, "alipay.trade.query").
func (s *Simulator) query(f *classicRequest, c wire.Fields) wire.Reply {
	t := s.requestedTrade(f, c)
	if t == nil {
		return tradeNotFound(c)
	}
	s.closeIfExpired(t, s.Now())
	logon := t.BuyerLogonID
	if logon == "" {
		logon = "159****5620" // the sample of the page; the gateway masks it
	}
	m := wire.Members{}.Add("trade_no", t.TradeNo).Add("out_trade_no", t.OutTradeNo).Add("trade_status", t.Status).Add("total_amount", t.Total).
		AddText("trans_currency", t.Currency).Add("buyer_logon_id", logon).AddText("buyer_user_id", t.BuyerID).AddText("buyer_open_id", t.BuyerOpenID).
		AddText("store_id", t.StoreID).AddText("terminal_id", t.TerminalID)
	var paid wire.Fen
	if !t.PaidAt.IsZero() {
		paid = t.Total
		m = m.Add("send_pay_date", t.PaidAt.In(wire.Beijing).Format(wire.TimeLayout)).
			Add("fund_bill_list", []any{map[string]any{"fund_channel": "ALIPAYACCOUNT", "amount": paid}})
	}
	m = m.Add("buyer_pay_amount", paid).Add("receipt_amount", paid).Add("invoice_amount", paid).Add("point_amount", wire.Fen(0))
	return wire.Success(m.Override(t.More))
}

// sync stores order information. The same request number again on the same trade changes nothing
// (docs/alipay.md, "orderinfo.sync again"); that the answer is 10000 is [inferred].
func (s *Simulator) sync(f *classicRequest, e *RequestEntry, c wire.Fields) wire.Reply {
	t := s.requestedTrade(f, c)
	if t == nil {
		return wire.Failure("ACQ.TRADE_NOT_EXIST", "the trade does not exist")
	}
	no := c.Text("out_request_no")
	if !slices.ContainsFunc(t.Syncs, func(x Sync) bool { return x.RequestNo == no }) {
		now := s.Now()
		t.Syncs = append(t.Syncs, Sync{RequestNo: no, BizType: c.Text("biz_type"), OrderBizInfo: c.Text("order_biz_info"), At: now})
		s.journal.addExecution(e, now)
	}
	return wire.Success(wire.Members{}.Add("trade_no", t.TradeNo).Add("out_trade_no", t.OutTradeNo).
		AddText("buyer_user_id", t.BuyerID).AddText("buyer_open_id", t.BuyerOpenID))
}

// download returns the certificate that the client asks for. In key mode there is none.
func download(f *classicRequest, c wire.Fields) wire.Reply {
	text, ok := f.app.certificates.Certificate(c.Text("alipay_cert_sn"))
	if !ok {
		return wire.Failure("isv.alipay-cert-not-exist", "no such certificate")
	}
	return wire.Success(wire.Members{}.Add("alipay_cert_content", base64.StdEncoding.EncodeToString([]byte(text))))
}

// orderNumberOf writes the order number of a request into its journal entry: the merchant's, if a
// trade has the given trade_no. It also writes the request number, and returns the number as given.
func (s *Simulator) orderNumberOf(e *RequestEntry, f *classicRequest, c wire.Fields) (given string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.method {
	case ItemOrderQuery:
		e.OrderNo = c.Text("order_no")
		return e.OrderNo
	case TradeCreate:
		e.OrderNo = c.Text("out_trade_no")
		return e.OrderNo
	case CertDownload:
		return ""
	}
	e.RequestNo = c.Text("out_request_no")
	e.OrderNo = c.Text("out_trade_no")
	if no := c.Text("trade_no"); no != "" {
		e.OrderNo = no
	}
	given = e.OrderNo
	if t := s.requestedTrade(f, c); t != nil {
		e.OrderNo = t.OutTradeNo
	}
	return given
}

// requestedTrade finds the trade of a request; trade_no takes precedence (alipay.trade.query, "out_trade_no").
// The caller holds mu.
func (s *Simulator) requestedTrade(f *classicRequest, c wire.Fields) *trade {
	if no := c.Text("trade_no"); no != "" {
		if t := s.byTradeNo[no]; t != nil && t.App == f.app.ID && t.Merchant == f.merchant.Name {
			return t
		}
		return nil
	}
	return s.trades[tradeKey{f.app.ID, f.merchant.Name, c.Text("out_trade_no")}]
}
