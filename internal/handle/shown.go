package handle

import (
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/order"
)

// shown is what others may see of an event while it waits or is handled.
type shown struct {
	account order.Account // these never change
	orderNo string
	method  alipay.Method

	mu    sync.Mutex // guards the rest
	call  caller     // nil: it was not begun
	kept  bool
	doubt time.Time // since when it has not been known whether its call took effect; zero: it is known
}

// facts are for the engine, which holds its lock.
func (s *shown) facts() look.Facts {
	s.mu.Lock()
	call, kept, doubt := s.call, s.kept, s.doubt
	s.mu.Unlock()
	f := look.Facts{}
	if call != nil {
		f = call.Look()
	}
	if f.Class == alipay.Misconfigured.String() && f.Cause != look.Breaker { // a probe changes nothing of that
		f.Cause = look.Person
	}
	if s.method != "" { // the call may be a query that asks what became of it
		f.Method = string(s.method)
	}
	f.Account, f.OrderNo, f.Kept, f.Doubt = string(s.account), s.orderNo, kept, doubt
	return f
}

func (s *shown) begun(c caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call = c
}

// keeps notes that the request is kept from now on.
func (s *shown) keeps(kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = kept
}

// doubts notes that it is not known whether the call took effect, or that it is known again (zero).
func (s *shown) doubts(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubt = since
}
