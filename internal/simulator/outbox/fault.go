package outbox

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"alipay-kafka-bridge/internal/simulator/seeded"
)

// Kind is what a fault does to a notification.
type Kind string

// The kinds of faults. Several may act on one notification.
const (
	Lost      Kind = "lost"      // it is never sent
	Doubled   Kind = "doubled"   // it is sent again after Delay although it was acknowledged
	Reordered Kind = "reordered" // it is held back until a later one of its order was sent, at most for Delay (1 h)
	Late      Kind = "late"      // its notify_time is Delay (27 h) in the past; a negative Delay: in the future
	GBK       Kind = "gbk"       // it is in GBK, and says so
	RSA       Kind = "rsa"       // it is signed with sign_type RSA
	RSA2      Kind = "rsa2"      // it is signed with sign_type RSA2
	Percent20 Kind = "percent20" // its blanks are %20, not +
	CertSN    Kind = "cert_sn"   // it names a certificate that no one knows
)

var kinds = []Kind{Lost, Doubled, Reordered, Late, GBK, RSA, RSA2, Percent20, CertSN}

// maxHeldBack is how long Reordered holds a notification back unless the fault says so.
const maxHeldBack = time.Hour

// defaultLateness is beyond the time in which Alipay repeats a notification.
const defaultLateness = 27 * time.Hour

// Fault is one misbehaviour on demand. Empty App, Order and Status match all. It acts once, with
// Always or a Probability on every notification that matches, or as often as Times says.
type Fault struct {
	Kind        Kind          `yaml:"kind"`
	App         string        `yaml:"app"`
	Order       string        `yaml:"order"`  // out_trade_no
	Status      string        `yaml:"status"` // of the trade
	Skip        int           `yaml:"skip"`   // matching notifications that pass first
	Times       int           `yaml:"times"`
	Always      bool          `yaml:"always"`
	Probability float64       `yaml:"probability"` // the same seed, order and state of the trade give the same decision
	Delay       time.Duration `yaml:"delay"`
}

// Check reports what is wrong with a fault.
func (f Fault) Check() error {
	if !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("unknown kind of fault %q; use one of %q", f.Kind, kinds)
	}
	if f.Skip < 0 || f.Times < 0 || f.Probability < 0 || f.Probability > 1 || f.Delay < 0 && f.Kind != Late {
		return errors.New("skip, times and delay must not be negative, probability is from 0 to 1")
	}
	return nil
}

// activeFault is a fault with what is left of it.
type activeFault struct {
	Fault
	left int // negative: without end
}

// AddFault adds a fault, for notifications that are queued from now on.
func (b *Outbox) AddFault(f Fault) {
	left := f.Times
	switch {
	case f.Always || left == 0 && f.Probability > 0:
		left = -1
	case left == 0:
		left = 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, activeFault{f, left})
}

// ClearFaults removes all faults. What they did to queued notifications stays.
func (b *Outbox) ClearFaults() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

// applyFaults lets the faults act on a new notification. The caller holds mu.
func (b *Outbox) applyFaults(e *entry) {
	for i := range b.faults {
		if f := &b.faults[i]; f.matches(e) && f.acts(b.o.Seed, i, e) {
			e.Faults = append(e.Faults, string(f.Kind))
			b.apply(f.Fault, e)
		}
	}
	if slices.Contains(e.Faults, string(Lost)) {
		b.noLongerBack(e)
		e.Due = time.Time{}
	}
}

func (f *activeFault) matches(e *entry) bool {
	return f.left != 0 && (f.App == "" || f.App == e.App) && (f.Order == "" || f.Order == e.OutTradeNo) && (f.Status == "" || f.Status == e.Status)
}

// acts counts a matching notification and reports whether the fault acts on it. The decision depends on
// the trade's state, not on the order in which trades change.
func (f *activeFault) acts(seed uint64, index int, e *entry) bool {
	if f.Skip > 0 {
		f.Skip--
		return false
	}
	if f.Probability > 0 && seeded.Fraction(seed, "notification", strconv.Itoa(index), e.App, e.OutTradeNo, e.Params["trade_no"], e.Status, e.Params["refund_fee"]) >= f.Probability {
		return false
	}
	if f.left > 0 {
		f.left--
	}
	return true
}

// apply does to a new notification what a fault does. The caller holds mu.
func (b *Outbox) apply(f Fault, e *entry) {
	switch f.Kind {
	case Doubled:
		e.Again++
		e.Pause = f.Delay
	case Reordered:
		if f.Delay == 0 {
			f.Delay = maxHeldBack
		}
		e.Due = e.Due.Add(f.Delay)
		b.back[e.order()] = append(b.back[e.order()], e)
	case Late:
		if f.Delay == 0 {
			f.Delay = defaultLateness
		}
		e.Shift = -f.Delay
	case GBK:
		e.Params["charset"] = "GBK"
	case RSA, RSA2:
		e.Params["sign_type"] = map[Kind]string{RSA: "RSA", RSA2: "RSA2"}[f.Kind]
	case Percent20:
		e.Percent20 = true
	case CertSN:
		e.Params["alipay_cert_sn"] = "00000000000000000000000000000000"
	case Lost: // once all faults have acted, see applyFaults
	}
}
