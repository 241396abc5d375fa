package simulator

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// schedule holds the times at which trades must be checked, the next one first.
type schedule []scheduledCheck

type scheduledCheck struct {
	at    time.Time
	order int    // the order of insertion, for equal times
	trade string // trade_no
}

var _ heap.Interface = (*schedule)(nil)

func (a schedule) Len() int      { return len(a) }
func (a schedule) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

func (a schedule) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].order < a[j].order
	}
	return a[i].at.Before(a[j].at)
}

// Push implements [heap.Interface].
func (a *schedule) Push(x any) { *a = append(*a, x.(scheduledCheck)) }

// Pop implements [heap.Interface].
func (a *schedule) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}

// scheduleCheck adds the time at which a trade must be checked next, if any. The caller holds mu.
func (s *Simulator) scheduleCheck(t *trade) {
	var at time.Time
	if len(t.Script) > 0 {
		at = t.NextStep
	}
	closes := t.Status == WaitBuyerPay && t.NotifyURL != ""
	if closes && (at.IsZero() || t.ExpiresAt.Before(at)) {
		at = t.ExpiresAt
	}
	if !at.IsZero() {
		s.lastSeq++
		heap.Push(&s.schedule, scheduledCheck{at: at, order: s.lastSeq, trade: t.TradeNo})
		s.wakeRun() // what Run waits for may be later
	}
}

// runDue does everything that is due. The caller holds mu.
func (s *Simulator) runDue() {
	now := s.Now()
	for len(s.schedule) > 0 && !s.schedule[0].at.After(now) {
		a := heap.Pop(&s.schedule).(scheduledCheck)
		t := s.byTradeNo[a.trade]
		if t == nil {
			continue // deleted by Reset
		}
		s.closeIfExpired(t, a.at)
		s.runNextStep(t, a.at)
	}
}

// nextDue returns when runDue has something to do next; zero: nothing is planned. The caller holds mu.
func (s *Simulator) nextDue() time.Time {
	if len(s.schedule) == 0 {
		return time.Time{}
	}
	return s.schedule[0].at
}

// closeIfExpired closes a trade whose time limit has passed. The caller holds mu.
func (s *Simulator) closeIfExpired(t *trade, now time.Time) {
	if t.Status == WaitBuyerPay && !now.Before(t.ExpiresAt) {
		t.Status, t.ClosedAt = TradeClosed, t.ExpiresAt
		s.queueNotification(t, t.ExpiresAt)
	}
}

// Act is what a buyer or a merchant does with a trade.
type Act string

// The acts of a script.
const (
	ActPay     Act = "pay"
	ActClose   Act = "close"
	ActRefund  Act = "refund"
	ActFinish  Act = "finish"
	ActNothing Act = "nothing" // a pause; alone: a buyer who never pays

	// What must not happen, and does. A receiver must not believe that the order is paid.
	ActPaySecond Act = "pay_second" // the order is paid under a second trade number
	ActForeign   Act = "foreign"    // an order that no call created is paid, for the same merchant and notify_url
)

// Step is one act of a script.
type Step struct {
	After  time.Duration `yaml:"after" json:"after"` // since the previous step, or since the trade was created
	Do     Act           `yaml:"do" json:"do"`
	Amount wire.Fen      `yaml:"amount" json:"amount,omitempty"` // for a refund; zero: all that is left; for a payment: another total than the order's

	Seller   string `yaml:"seller" json:"seller,omitempty"`     // for a payment: another seller_id than the order's
	Currency string `yaml:"currency" json:"currency,omitempty"` // for a payment: another currency than the order's
}

// check reports whether a step can be applied to some trade.
func (s Step) check() error {
	pays := slices.Contains([]Act{ActPay, ActPaySecond, ActForeign}, s.Do)
	if !pays && !slices.Contains([]Act{ActClose, ActRefund, ActFinish, ActNothing}, s.Do) {
		return fmt.Errorf("unknown act %q", s.Do)
	}
	if s.After < 0 || s.Amount < 0 || s.Amount > wire.MaxTotal || !pays && s.Seller+s.Currency != "" {
		return fmt.Errorf("invalid step %+v", s)
	}
	return nil
}

// Buyer is a script for the trades that create calls make. If several match, the first one is used.
type Buyer struct {
	App   string `yaml:"app"`   // empty: any
	Order string `yaml:"order"` // beginning of out_trade_no; empty: any
	// Share of these orders, from 0 to 1, chosen by seed and order number; zero: all. The next scripts
	// share what is left.
	Share float64 `yaml:"share"`
	Steps []Step  `yaml:"steps"`
}

func (b Buyer) check() error {
	if b.Share < 0 || b.Share > 1 {
		return fmt.Errorf("buyer of orders %q: share is from 0 to 1", b.Order)
	}
	for _, step := range b.Steps {
		if err := step.check(); err != nil {
			return fmt.Errorf("buyer of orders %q: %w", b.Order, err)
		}
	}
	return nil
}

// assignBuyer gives a new trade its buyer. The caller holds mu.
func (s *Simulator) assignBuyer(t *trade) {
	for i, b := range s.options.Buyers {
		if (b.App == "" || b.App == t.App) && strings.HasPrefix(t.OutTradeNo, b.Order) &&
			(b.Share == 0 || seeded.Fraction(s.options.Seed, "buyer", strconv.Itoa(i), t.App, t.Merchant, t.OutTradeNo) < b.Share) {
			t.Script = slices.Clone(b.Steps)
			if len(t.Script) > 0 {
				t.NextStep = t.CreatedAt.Add(t.Script[0].After)
			}
			break
		}
	}
	s.scheduleCheck(t)
}

// runNextStep runs the next step of a trade's script if it is due. A step that the status of the
// trade does not allow ends the script. The caller holds mu.
func (s *Simulator) runNextStep(t *trade, now time.Time) {
	if len(t.Script) == 0 || t.NextStep.After(now) {
		s.scheduleCheck(t)
		return
	}
	next := t.Script[0]
	t.Script = t.Script[1:]
	if err := s.apply(t, next, t.NextStep); err != nil {
		t.Script = nil
	}
	if len(t.Script) > 0 {
		t.NextStep = t.NextStep.Add(t.Script[0].After)
	}
	s.scheduleCheck(t)
}

// apply applies one step to a trade. The caller holds mu.
func (s *Simulator) apply(t *trade, step Step, now time.Time) error {
	err := step.check()
	if err != nil {
		return err
	}
	switch step.Do {
	case ActNothing:
		return nil
	case ActPay:
		err = t.pay(step, now)
	case ActPaySecond, ActForeign:
		t, err = s.payAnother(t, step, now)
	case ActClose:
		err = t.close(now)
	case ActFinish:
		err = t.finish(now)
	case ActRefund:
		amount := step.Amount
		if amount == 0 {
			amount = t.Total - t.Refunded
		}
		err = t.refund(amount, now)
	}
	if err == nil {
		s.queueNotification(t, now)
	}
	return err
}

// pay lets the buyer pay, at another price, seller or currency if the step names one.
func (t *trade) pay(step Step, now time.Time) error {
	if t.Status != WaitBuyerPay {
		return errStatus
	}
	t.Total, t.SellerID, t.Currency = cmp.Or(step.Amount, t.Total), cmp.Or(step.Seller, t.SellerID), cmp.Or(step.Currency, t.Currency)
	t.Status, t.PaidAt = TradeSuccess, now
	return nil
}

// payAnother pays a trade that no call created: a second one of the same order, or one of an order of its
// own. It returns this trade. The caller holds mu.
func (s *Simulator) payAnother(t *trade, step Step, now time.Time) (*trade, error) {
	n := &trade{Trade: t.copy()}
	n.Status, n.Script, n.Syncs, n.Refunded = WaitBuyerPay, nil, nil, 0
	n.CreatedAt, n.PaidAt, n.RefundedAt, n.ClosedAt = now, time.Time{}, time.Time{}, time.Time{}
	if step.Do == ActForeign {
		n.OutTradeNo = "foreign-" + seeded.Digits(20, "foreign", t.TradeNo)
	}
	n.TradeNo = now.In(wire.Beijing).Format("20060102") + seeded.Digits(20, string(step.Do), t.TradeNo)
	if s.byTradeNo[n.TradeNo] != nil {
		return nil, errStatus
	}
	s.put(n)
	return n, n.pay(step, now)
}

func (t *trade) finish(now time.Time) error {
	if t.Status != TradeSuccess && t.Status != WaitBuyerPay {
		return errStatus
	}
	if t.PaidAt.IsZero() {
		t.PaidAt = now
	}
	t.Status = TradeFinished
	return nil
}

func (t *trade) close(now time.Time) error {
	if t.Status != WaitBuyerPay {
		return errStatus
	}
	t.Status, t.ClosedAt = TradeClosed, now
	return nil
}

func (t *trade) refund(amount wire.Fen, now time.Time) error {
	if t.Status != TradeSuccess {
		return errStatus
	}
	if amount < wire.MinTotal || t.Refunded+amount > t.Total {
		return fmt.Errorf("cannot refund %s: only %s is left", amount, t.Total-t.Refunded)
	}
	t.Refunded += amount
	t.RefundedAt = now
	if t.Refunded == t.Total {
		t.Status, t.ClosedAt = TradeClosed, now
	}
	return nil
}
