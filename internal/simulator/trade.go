package simulator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// TradeStatus is a trade's state (alipay.trade.query, "trade_status").
type TradeStatus string

// The states of a trade.
const (
	WaitBuyerPay  TradeStatus = "WAIT_BUYER_PAY"
	TradeSuccess  TradeStatus = "TRADE_SUCCESS"
	TradeFinished TradeStatus = "TRADE_FINISHED" // paid, no longer refundable
	TradeClosed   TradeStatus = "TRADE_CLOSED"   // never paid, or refunded in full
)

// Sync is the order information of one stored call (alipay.trade.orderinfo.sync).
type Sync struct {
	RequestNo    string    `json:"request_no"` // out_request_no
	BizType      string    `json:"biz_type"`
	OrderBizInfo string    `json:"order_biz_info"`
	At           time.Time `json:"at"`
}

// Trade is what Alipay knows about one order. AddTrade needs OutTradeNo and Total; an empty App
// means the only app.
type Trade struct {
	App      string `json:"app"`      // app_id
	Merchant string `json:"merchant"` // name; empty: the app's own

	OutTradeNo string      `json:"out_trade_no"`
	TradeNo    string      `json:"trade_no"` // empty in AddTrade: generated
	Status     TradeStatus `json:"status"`   // empty in AddTrade: WaitBuyerPay
	Total      wire.Fen    `json:"total"`
	Currency   string      `json:"currency,omitempty"` // trans_currency; empty: CNY
	Refunded   wire.Fen    `json:"refunded"`           // so far

	Subject      string `json:"subject"`
	Body         string `json:"body"`
	Passback     string `json:"passback_params"`
	BuyerID      string `json:"buyer_id"`
	BuyerOpenID  string `json:"buyer_open_id"`
	BuyerLogonID string `json:"buyer_logon_id"`
	SellerID     string `json:"seller_id"`
	StoreID      string `json:"store_id"`
	TerminalID   string `json:"terminal_id"`

	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"` // while unpaid; zero in AddTrade: after Options.PayLimit
	PaidAt     time.Time `json:"paid_at,omitzero"`
	RefundedAt time.Time `json:"refunded_at,omitzero"` // last
	ClosedAt   time.Time `json:"closed_at,omitzero"`

	NotifyURL string `json:"notify_url"` // empty: no notifications
	Charset   string `json:"charset"`    // of the notifications; empty: utf-8
	SignType  string `json:"sign_type"`  // of the notifications; empty: RSA2

	Script   []Step    `json:"script,omitempty"` // what the buyer will do
	NextStep time.Time `json:"next_step,omitzero"`

	Syncs []Sync         `json:"syncs,omitempty"`
	More  map[string]any `json:"more,omitempty"` // further members of the answer to alipay.trade.query; they replace ours
}

// tradeKey names a trade. An order number is unique per merchant; another app or token does
// not find it (docs/alipay.md, "alipay.trade.query").
type tradeKey struct{ app, merchant, outTradeNo string }

// trade is a Trade with what is needed to recognise a repeated create.
type trade struct {
	Trade
	seq     int
	content [32]byte // of the create, without the buyer; zero for a trade from AddTrade
}

var (
	errNoTrade = errors.New("no such trade")
	errStatus  = errors.New("its status does not allow this")
)

// AddTrade adds a trade as if it had been created earlier. It is not an execution.
func (s *Simulator) AddTrade(t Trade) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.appByID(t.App)
	if err != nil {
		return fmt.Errorf("trade %q: %w", t.OutTradeNo, err)
	}
	if t.OutTradeNo == "" || t.Total < wire.MinTotal || t.Total > wire.MaxTotal {
		return fmt.Errorf("trade %q: it needs an order number and a total of %s to %s", t.OutTradeNo, wire.MinTotal, wire.MaxTotal)
	}
	for _, step := range t.Script {
		if err := step.check(); err != nil {
			return fmt.Errorf("trade %q: %w", t.OutTradeNo, err)
		}
	}
	t.App = app.ID
	if t.Status == "" {
		t.Status = WaitBuyerPay
	}
	if !slices.Contains([]TradeStatus{WaitBuyerPay, TradeSuccess, TradeFinished, TradeClosed}, t.Status) {
		return fmt.Errorf("trade %q: unknown status %q", t.OutTradeNo, t.Status)
	}
	if t.CreatedAt.IsZero() {
		t.CreatedAt = s.Now()
	}
	if t.ExpiresAt.IsZero() {
		t.ExpiresAt = t.CreatedAt.Add(s.options.PayLimit)
	}
	if t.PaidAt.IsZero() && (t.Status == TradeSuccess || t.Status == TradeFinished) {
		t.PaidAt = t.CreatedAt
	}
	if t.ClosedAt.IsZero() && t.Status == TradeClosed {
		t.ClosedAt = t.CreatedAt
	}
	if len(t.Script) > 0 && t.NextStep.IsZero() {
		t.NextStep = t.CreatedAt.Add(t.Script[0].After)
	}
	made := &trade{Trade: t}
	if err := s.store(made); err != nil {
		return err
	}
	s.scheduleCheck(made)
	s.wakeRun()
	return nil
}

// store stores a trade under both its numbers. The caller holds mu.
func (s *Simulator) store(t *trade) error {
	k := tradeKey{t.App, t.Merchant, t.OutTradeNo}
	if s.trades[k] != nil || s.byTradeNo[t.TradeNo] != nil {
		return fmt.Errorf("trade %q: it exists already", t.OutTradeNo)
	}
	if t.TradeNo == "" {
		// 28 digits beginning with the Beijing date, as on the pages.
		t.TradeNo = t.CreatedAt.In(wire.Beijing).Format("20060102") + seeded.Digits(20, "trade", t.App, t.Merchant, t.OutTradeNo)
	}
	s.put(t)
	return nil
}

// put stores a trade under both its numbers, also where its order has another trade: queries by order
// number find the new one. The caller holds mu.
func (s *Simulator) put(t *trade) {
	s.lastSeq++
	t.seq = s.lastSeq
	s.trades[tradeKey{t.App, t.Merchant, t.OutTradeNo}] = t
	s.byTradeNo[t.TradeNo] = t
}

// appByID returns an app by its id, or the only app for an empty id. The caller holds mu, or the
// simulator is not in use yet.
func (s *Simulator) appByID(id string) (*App, error) {
	if a := s.apps[id]; a != nil {
		return a, nil
	}
	if id == "" && len(s.options.Apps) == 1 {
		return s.apps[s.options.Apps[0].ID], nil
	}
	return nil, fmt.Errorf("unknown app %q", id)
}

// Trades returns copies of all trades, oldest first.
func (s *Simulator) Trades() []Trade {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue()
	all := make([]*trade, 0, len(s.byTradeNo))
	for _, t := range s.byTradeNo {
		s.closeIfExpired(t, s.Now())
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *trade) int { return a.seq - b.seq })
	out := make([]Trade, len(all))
	for i, t := range all {
		out[i] = t.copy()
	}
	return out
}

// Trade returns a copy of one trade by the merchant's or Alipay's number.
func (s *Simulator) Trade(number string) (Trade, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue()
	t, err := s.findTrade(number)
	if err != nil {
		return Trade{}, false
	}
	return t.copy(), true
}

func (t *trade) copy() Trade {
	c := t.Trade
	c.Syncs, c.Script = slices.Clone(t.Syncs), slices.Clone(t.Script)
	return c
}

// findTrade finds a trade for the admin methods. The caller holds mu.
func (s *Simulator) findTrade(number string) (*trade, error) {
	found := s.byTradeNo[number]
	for _, a := range s.options.Apps {
		for _, m := range append([]Merchant{{}}, a.Merchants...) {
			if t := s.trades[tradeKey{a.ID, m.Name, number}]; t != nil && found != nil && t != found {
				return nil, fmt.Errorf("trade %q: several merchants have this number; use trade_no", number)
			} else if t != nil {
				found = t
			}
		}
	}
	if found == nil {
		return nil, fmt.Errorf("trade %q: %w", number, errNoTrade)
	}
	s.closeIfExpired(found, s.Now())
	return found, nil
}

// Do applies a step to the trade with this number, the merchant's or Alipay's. It does so now:
// Step.After is ignored.
func (s *Simulator) Do(number string, step Step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue()
	t, err := s.findTrade(number)
	if err != nil {
		return err
	}
	if err := s.apply(t, step, s.Now()); err != nil {
		return fmt.Errorf("trade %q is %s: %w", number, t.Status, err)
	}
	s.wakeRun()
	return nil
}

// Pay lets the buyer pay: WAIT_BUYER_PAY to TRADE_SUCCESS (docs/alipay.md, "Trade status").
func (s *Simulator) Pay(number string) error { return s.Do(number, Step{Do: ActPay}) }

// Finish ends the time for refunds: TRADE_SUCCESS to TRADE_FINISHED. An unpaid trade becomes paid
// and finished at once, as with products that have no refunds.
func (s *Simulator) Finish(number string) error { return s.Do(number, Step{Do: ActFinish}) }

// Close closes an unpaid trade, as the merchant's cancel does.
func (s *Simulator) Close(number string) error { return s.Do(number, Step{Do: ActClose}) }

// Refund refunds a part of the total; when nothing is left, the trade is closed.
func (s *Simulator) Refund(number string, amount wire.Fen) error {
	if amount < wire.MinTotal {
		return fmt.Errorf("cannot refund %s", amount)
	}
	return s.Do(number, Step{Do: ActRefund, Amount: amount})
}
