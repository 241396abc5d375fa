package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Act is what a buyer, or the merchant in his stead, does with a trade.
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
	After  time.Duration `yaml:"after" json:"after"` // since the step before, or since the trade's creation
	Do     Act           `yaml:"do" json:"do"`
	Amount Fen           `yaml:"amount" json:"amount,omitempty"` // of a refund; zero: all that is left
}

// Buyer is a script for the trades that create calls make. Of several that fit, the first acts.
type Buyer struct {
	App   string `yaml:"app"`   // empty: any
	Order string `yaml:"order"` // beginning of out_trade_no; empty: any
	Steps []Step `yaml:"steps"`
}

func (b Buyer) check() error {
	for _, step := range b.Steps {
		if !slices.Contains([]Act{ActPay, ActClose, ActRefund, ActFinish, ActNothing}, step.Do) || step.After < 0 || step.Amount < 0 {
			return fmt.Errorf("buyer of %q: no step %+v", b.Order, step)
		}
	}
	return nil
}

// engage gives a new trade its buyer. The caller holds mu.
func (s *Simulator) engage(t *trade) {
	for _, b := range s.o.Buyers {
		if (b.App == "" || b.App == t.App) && strings.HasPrefix(t.OutTradeNo, b.Order) {
			t.Script = slices.Clone(b.Steps)
			if len(t.Script) > 0 {
				t.NextStep = t.CreatedAt.Add(t.Script[0].After)
			}
			break
		}
	}
	s.appoint(t)
}

// step does the next step of a trade's script if it is due. A step that the trade's status does
// not allow ends the script. The caller holds mu.
func (s *Simulator) step(t *trade, now time.Time) {
	if len(t.Script) == 0 || t.NextStep.After(now) {
		s.appoint(t)
		return
	}
	next := t.Script[0]
	t.Script = t.Script[1:]
	if err := s.act(t, next, t.NextStep); err != nil {
		t.Script = nil
	}
	if len(t.Script) > 0 {
		t.NextStep = t.NextStep.Add(t.Script[0].After)
	}
	s.appoint(t)
}

// act does one act at a time. The caller holds mu.
func (s *Simulator) act(t *trade, step Step, now time.Time) error {
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
		err = fmt.Errorf("no act %q", step.Do)
	}
	if err == nil {
		s.announce(t, now)
	}
	return err
}
