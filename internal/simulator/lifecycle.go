package simulator

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"

	"alipay-kafka-bridge/internal/simulator/wire"
)

// schedule holds the times at which trades must be checked, the next one first.
type schedule []scheduledCheck

type scheduledCheck struct {
	at    time.Time
	order int // the order of insertion, for equal times
	key   tradeKey
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
		heap.Push(&s.schedule, scheduledCheck{at: at, order: s.lastSeq, key: tradeKey{t.App, t.Merchant, t.OutTradeNo}})
	}
}

// runDue does everything that is due. The caller holds mu.
func (s *Simulator) runDue() {
	now := s.Now()
	for len(s.schedule) > 0 && !s.schedule[0].at.After(now) {
		a := heap.Pop(&s.schedule).(scheduledCheck)
		t := s.trades[a.key]
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
)

// Step is one act of a script.
type Step struct {
	After  time.Duration `yaml:"after" json:"after"` // since the previous step, or since the trade was created
	Do     Act           `yaml:"do" json:"do"`
	Amount wire.Fen      `yaml:"amount" json:"amount,omitempty"` // for a refund; zero: all that is left
}

// Buyer is a script for the trades that create calls make. If several match, the first one is used.
type Buyer struct {
	App   string `yaml:"app"`   // empty: any
	Order string `yaml:"order"` // beginning of out_trade_no; empty: any
	Steps []Step `yaml:"steps"`
}

func (b Buyer) check() error {
	for _, step := range b.Steps {
		if !slices.Contains([]Act{ActPay, ActClose, ActRefund, ActFinish, ActNothing}, step.Do) || step.After < 0 || step.Amount < 0 {
			return fmt.Errorf("buyer of orders %q: invalid step %+v", b.Order, step)
		}
	}
	return nil
}

// assignBuyer gives a new trade its buyer. The caller holds mu.
func (s *Simulator) assignBuyer(t *trade) {
	for _, b := range s.options.Buyers {
		if (b.App == "" || b.App == t.App) && strings.HasPrefix(t.OutTradeNo, b.Order) {
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
	var err error
	switch step.Do {
	case ActNothing:
		return nil
	case ActPay:
		err = t.pay(now)
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
	default:
		err = fmt.Errorf("unknown act %q", step.Do)
	}
	if err == nil {
		s.queueNotification(t, now)
	}
	return err
}

func (t *trade) pay(now time.Time) error {
	if t.Status != WaitBuyerPay {
		return errStatus
	}
	t.Status, t.PaidAt = TradeSuccess, now
	return nil
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
