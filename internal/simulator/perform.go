package simulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// buyerFields name the buyer: another one of them is another buyer, not another content.
var buyerFields = []string{"buyer_id", "buyer_open_id", "buyer_logon_id"}

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
	now := s.now()
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
	return success(member{"out_trade_no", t.OutTradeNo}, member{"trade_no", t.TradeNo})
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
		SellerID: sellerOf(f, c), StoreID: c.text("store_id"), TerminalID: c.text("terminal_id"),
		Body: c.text("body"), Passback: c.text("passback_params"),
		NotifyURL: strings.Clone(f.p["notify_url"]), Charset: f.charset.name, SignType: strings.Clone(f.p["sign_type"]), // not the whole body
		CreatedAt: now, ExpiresAt: s.expiry(c, now),
	}}
}

// expiry is the end of an unpaid trade: time_expire wins over timeout_express, 1c is the next
// Beijing midnight (alipay.trade.create, "timeout_express").
func (s *Simulator) expiry(c fields, now time.Time) time.Time {
	if t, err := time.ParseInLocation(timeLayout, c.text("time_expire"), beijing); err == nil {
		return t
	}
	switch t := c.text("timeout_express"); t {
	case "":
		return now.Add(s.o.PayLimit)
	case "1c":
		y, m, d := now.In(beijing).Date()
		return time.Date(y, m, d+1, 0, 0, 0, 0, beijing)
	default:
		return now.Add(life(t))
	}
}

// fingerprint hashes the content of a create without its buyer: order of members, white space and
// escapes do not count, 88.88 is "88.88".
func fingerprint(c fields) [32]byte {
	rest := maps.Clone(c)
	for _, name := range buyerFields {
		delete(rest, name)
	}
	for name := range rest {
		if a, ok := c.yuan(name); ok && slices.ContainsFunc(createRules, func(r rule) bool { return r.name == name && r.form == isYuan }) {
			rest[name] = a.String()
		}
	}
	text, err := json.Marshal(rest)
	if err != nil {
		panic("simulator: parsed JSON cannot be written: " + err.Error())
	}
	return hash(string(text))
}

// noTrade is the answer for an unknown trade. Real ones carry empty amounts beside the error
// (docs/alipay.md, "Shapes"): clients must not read them.
func noTrade(c fields) reply {
	a := failure("ACQ.TRADE_NOT_EXIST", "the trade does not exist")
	a.members = []member{
		{"out_trade_no", c.text("out_trade_no")}, {"buyer_pay_amount", "0.00"}, {"invoice_amount", "0.00"},
		{"point_amount", "0.00"}, {"receipt_amount", "0.00"},
	}
	return a
}

// query tells a trade's state. Payment fields are zero or absent before payment
// (docs/alipay.md, "alipay.trade.query").
func (s *Simulator) query(f *front, c fields) reply {
	t := s.lookup(f, c)
	if t == nil {
		return noTrade(c)
	}
	s.age(t, s.now())
	m := []member{
		{"trade_no", t.TradeNo}, {"out_trade_no", t.OutTradeNo}, {"trade_status", t.Status}, {"total_amount", t.Total},
	}
	m = append(m, buyerOf(t)...)
	m = appendText(m, "store_id", t.StoreID)
	m = appendText(m, "terminal_id", t.TerminalID)
	var paid Fen
	if !t.PaidAt.IsZero() {
		paid = t.Total
		m = append(m, member{"send_pay_date", t.PaidAt.In(beijing).Format(timeLayout)},
			member{"fund_bill_list", []any{map[string]any{"fund_channel": "ALIPAYACCOUNT", "amount": paid}}})
	}
	m = append(m, member{"buyer_pay_amount", paid}, member{"receipt_amount", paid},
		member{"invoice_amount", paid}, member{"point_amount", Fen(0)})
	return success(replaced(m, t.More)...)
}

// buyerOf names the buyer as far as he is known.
func buyerOf(t *trade) []member {
	logon := t.BuyerLogonID
	if logon == "" {
		logon = "159****5620" // the page's sample; the gateway masks it
	}
	m := []member{{"buyer_logon_id", logon}}
	m = appendText(m, "buyer_user_id", t.BuyerID)
	return appendText(m, "buyer_open_id", t.BuyerOpenID)
}

func appendText(m []member, name, value string) []member {
	if value == "" {
		return m
	}
	return append(m, member{name, value})
}

// replaced puts more members in, sorted by name, in place of those with the same name.
func replaced(m []member, more map[string]any) []member {
	m = slices.DeleteFunc(m, func(x member) bool { _, ok := more[x.name]; return ok })
	for _, name := range slices.Sorted(maps.Keys(more)) {
		m = append(m, member{name, more[name]})
	}
	return m
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
		now := s.now()
		t.Syncs = append(t.Syncs, Sync{RequestNo: no, BizType: c.text("biz_type"), OrderBizInfo: c.text("order_biz_info"), At: now})
		s.log.executed(e, now)
	}
	m := []member{{"trade_no", t.TradeNo}, {"out_trade_no", t.OutTradeNo}}
	m = appendText(m, "buyer_user_id", t.BuyerID)
	return success(appendText(m, "buyer_open_id", t.BuyerOpenID)...)
}
