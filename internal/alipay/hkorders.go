package alipay

import "sync"

// seenLimit bounds the orders that seenOrders remembers to twice this number.
const seenLimit = 20_000

// seenOrders remembers to which order of ours each orderId of AlipayHK belongs. An answer says
// nothing else of its request, so one that was kept and is played again for another order would
// pass as that order's (security G3). It forgets orders it has not met for long.
type seenOrders struct {
	mu       sync.Mutex
	new, old map[string]OutTradeNo // by orderId
}

// belongs says whether an orderId may be this order's: it is, or it is met for the first time.
func (s *seenOrders) belongs(orderID string, no OutTradeNo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.new[orderID]; ok {
		return have == no
	}
	if have, ok := s.old[orderID]; ok && have != no {
		return false
	}
	if s.new == nil || len(s.new) >= seenLimit {
		s.new, s.old = make(map[string]OutTradeNo, seenLimit/16), s.new
	}
	s.new[orderID] = no
	return true
}
