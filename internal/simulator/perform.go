package simulator

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// perform does what a request asks for. The caller holds mu.
func (s *Simulator) perform(f *front, e *RequestEntry, c fields) reply {
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
func (s *Simulator) create(f *front, e *RequestEntry, c fields) reply {
	now := s.Now()
	want := s.newTrade(f, c, now)
	old := s.trades[tradeKey{want.App, want.Merchant, want.OutTradeNo}]
	if old != nil {
		s.age(old, now)
		return repeated(old, want)
	}
	if !now.Before(want.ExpiresAt) {
		return failure("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "time_expire has passed")
	}
	if err := s.store(want); err != nil {
		return failure("ACQ.SYSTEM_ERROR", busy) // two numbers with one hash: never seen
	}
	s.announce(want, now)
	s.engage(want)
	s.log.executed(e, now)
	return created(want)
}

func created(t *trade) reply {
	return success(members{}.add("out_trade_no", t.OutTradeNo).add("trade_no", t.TradeNo))
}

// repeated answers a create whose order number is taken. When buyer and content both differ the
// page does not say which error comes; content does [inferred].
func repeated(old, want *trade) reply {
	same := old.content == want.content
	if old.content == [32]byte{} { // from AddTrade: compare what is known
		same = old.Total == want.Total && (old.Subject == "" || old.Subject == want.Subject)
	}
	switch {
	case old.Status == TradeClosed:
		return failure("ACQ.TRADE_HAS_CLOSE", "the trade is closed")
	case old.Status != WaitBuyerPay:
		return failure("ACQ.TRADE_HAS_SUCCESS", "the trade is paid")
	case !same:
		return failure("ACQ.CONTEXT_INCONSISTENT", "the order number belongs to another order")
	case old.buyer() != want.buyer():
		return failure("ACQ.TRADE_BUYER_NOT_MATCH", "the trade has another buyer")
	}
	return created(old) // that the answer repeats the trade_no is [inferred]
}

// newTrade makes a trade from a checked request.
func (s *Simulator) newTrade(f *front, c fields, now time.Time) *trade {
	total, _ := c.yuan("total_amount")
	return &trade{content: fingerprint(c), Trade: Trade{
		App: f.app.ID, Merchant: f.merchant.Name,
		OutTradeNo: c.text("out_trade_no"), Status: WaitBuyerPay, Total: total, Subject: c.text("subject"),
		BuyerID: c.text("buyer_id"), BuyerOpenID: c.text("buyer_open_id"), BuyerLogonID: c.text("buyer_logon_id"),
		SellerID: sellerOf(c, f.merchant.SellerID), StoreID: c.text("store_id"), TerminalID: c.text("terminal_id"),
		Body: c.text("body"), Passback: c.text("passback_params"),
		NotifyURL: strings.Clone(f.p["notify_url"]), Charset: f.charset.name, SignType: strings.Clone(f.p["sign_type"]), // not the whole body
		CreatedAt: now, ExpiresAt: expiry(c, now, s.o.PayLimit),
	}}
}

// noTrade is the answer for an unknown trade. Real ones carry empty amounts with the error
// (docs/alipay.md, "Shapes"): clients must not read them.
func noTrade(c fields) reply {
	a := failure("ACQ.TRADE_NOT_EXIST", "the trade does not exist")
	a.members = members{}.add("out_trade_no", c.text("out_trade_no")).add("buyer_pay_amount", "0.00").
		add("invoice_amount", "0.00").add("point_amount", "0.00").add("receipt_amount", "0.00")
	return a
}

// query reports a trade's state. Payment fields are zero or absent before payment
// (docs/alipay.md, "alipay.trade.query").
func (s *Simulator) query(f *front, c fields) reply {
	t := s.lookup(f, c)
	if t == nil {
		return noTrade(c)
	}
	s.age(t, s.Now())
	logon := t.BuyerLogonID
	if logon == "" {
		logon = "159****5620" // the page's sample; the gateway masks it
	}
	m := members{}.add("trade_no", t.TradeNo).add("out_trade_no", t.OutTradeNo).add("trade_status", t.Status).add("total_amount", t.Total).
		add("buyer_logon_id", logon).addText("buyer_user_id", t.BuyerID).addText("buyer_open_id", t.BuyerOpenID).
		addText("store_id", t.StoreID).addText("terminal_id", t.TerminalID)
	var paid Fen
	if !t.PaidAt.IsZero() {
		paid = t.Total
		m = m.add("send_pay_date", t.PaidAt.In(beijing).Format(timeLayout)).
			add("fund_bill_list", []any{map[string]any{"fund_channel": "ALIPAYACCOUNT", "amount": paid}})
	}
	m = m.add("buyer_pay_amount", paid).add("receipt_amount", paid).add("invoice_amount", paid).add("point_amount", Fen(0))
	return success(m.override(t.More))
}

// sync stores order information. The same number again on the same trade updates nothing
// (docs/alipay.md, "orderinfo.sync again"); that it answers 10000 is [inferred].
func (s *Simulator) sync(f *front, e *RequestEntry, c fields) reply {
	t := s.lookup(f, c)
	if t == nil {
		return failure("ACQ.TRADE_NOT_EXIST", "the trade does not exist")
	}
	no := c.text("out_request_no")
	if !slices.ContainsFunc(t.Syncs, func(x Sync) bool { return x.RequestNo == no }) {
		now := s.Now()
		t.Syncs = append(t.Syncs, Sync{RequestNo: no, BizType: c.text("biz_type"), OrderBizInfo: c.text("order_biz_info"), At: now})
		s.log.executed(e, now)
	}
	return success(members{}.add("trade_no", t.TradeNo).add("out_trade_no", t.OutTradeNo).
		addText("buyer_user_id", t.BuyerID).addText("buyer_open_id", t.BuyerOpenID))
}

// download answers with the certificate that a client does not know. In key mode there is none.
func download(f *front, c fields) reply {
	text, ok := f.app.certified.certificate(c.text("alipay_cert_sn"))
	if !ok {
		return failure("isv.alipay-cert-not-exist", "no such certificate")
	}
	return success(members{}.add("alipay_cert_content", base64.StdEncoding.EncodeToString([]byte(text))))
}

// number finds the order number of a request for the journal: the merchant's, where a trade has
// the given trade_no. It also fills in the request number, and returns the number as it was given.
func (s *Simulator) number(e *RequestEntry, f *front, c fields) (given string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.method {
	case ItemOrderQuery:
		e.OrderNo = c.text("order_no")
		return e.OrderNo
	case TradeCreate:
		e.OrderNo = c.text("out_trade_no")
		return e.OrderNo
	case CertDownload:
		return ""
	}
	e.RequestNo = c.text("out_request_no")
	e.OrderNo = c.text("out_trade_no")
	if no := c.text("trade_no"); no != "" {
		e.OrderNo = no
	}
	given = e.OrderNo
	if t := s.lookup(f, c); t != nil {
		e.OrderNo = t.OutTradeNo
	}
	return given
}

// lookup finds the trade that a request means; trade_no wins (alipay.trade.query, "out_trade_no").
// The caller holds mu.
func (s *Simulator) lookup(f *front, c fields) *trade {
	if no := c.text("trade_no"); no != "" {
		if t := s.byTradeNo[no]; t != nil && t.App == f.app.ID && t.Merchant == f.merchant.Name {
			return t
		}
		return nil
	}
	return s.trades[tradeKey{f.app.ID, f.merchant.Name, c.text("out_trade_no")}]
}
