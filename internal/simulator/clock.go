package simulator

import (
	"container/heap"
	"time"
)

// now is the simulated time: that of Options.Now, moved by Advance.
func (s *Simulator) now() time.Time { return s.o.Now().Add(time.Duration(s.ahead.Load())) }

// Now returns the simulated time.
func (s *Simulator) Now() time.Time { return s.now() }

// Advance moves the clock forward. What falls due on the way happens in its order and at its own
// time; notifications leave when Run or Deliver gets to them.
func (s *Simulator) Advance(d time.Duration) {
	if d > 0 {
		s.ahead.Add(int64(d))
	}
	s.mu.Lock()
	s.catchUp()
	s.mu.Unlock()
	s.nudge()
}

// nudge wakes Run.
func (s *Simulator) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

// agenda holds the times at which a trade is to be looked at, the next one first.
type agenda []appointment

type appointment struct {
	at    time.Time
	order int // of entry, for equal times
	key   tradeKey
}

var _ heap.Interface = (*agenda)(nil)

func (a agenda) Len() int      { return len(a) }
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

func (a agenda) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].order < a[j].order
	}
	return a[i].at.Before(a[j].at)
}

// Push implements [heap.Interface].
func (a *agenda) Push(x any) { *a = append(*a, x.(appointment)) }

// Pop implements [heap.Interface].
func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}

// appoint notes when to look at a trade next. The caller holds mu.
func (s *Simulator) appoint(t *trade) {
	var at time.Time
	if len(t.Script) > 0 {
		at = t.NextStep
	}
	closes := t.Status == WaitBuyerPay && t.NotifyURL != ""
	if closes && (at.IsZero() || t.ExpiresAt.Before(at)) {
		at = t.ExpiresAt
	}
	if !at.IsZero() {
		s.seq++
		heap.Push(&s.agenda, appointment{at: at, order: s.seq, key: tradeKey{t.App, t.Merchant, t.OutTradeNo}})
	}
}

// catchUp does what has fallen due. The caller holds mu.
func (s *Simulator) catchUp() {
	now := s.now()
	for len(s.agenda) > 0 && !s.agenda[0].at.After(now) {
		a := heap.Pop(&s.agenda).(appointment)
		t := s.trades[a.key]
		if t == nil {
			continue // forgotten by Reset
		}
		s.age(t, a.at)
		s.step(t, a.at)
	}
}

// due is when catchUp has something to do again. The caller holds mu.
func (s *Simulator) due() time.Time {
	if len(s.agenda) == 0 {
		return time.Time{}
	}
	return s.agenda[0].at
}

// age closes a trade whose time limit has passed. The caller holds mu.
func (s *Simulator) age(t *trade, now time.Time) {
	if t.Status == WaitBuyerPay && !now.Before(t.ExpiresAt) {
		t.Status, t.ClosedAt = TradeClosed, t.ExpiresAt
		s.announce(t, t.ExpiresAt)
	}
}
