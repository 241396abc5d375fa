package breaker

import (
	"errors"
	"slices"
	"sync"

	"alipay-kafka-bridge/internal/alipay"
)

// differentOrders is how many orders must have failed in a row before a breaker opens: one
// event that is tried again and again says nothing of Alipay's health (security K11).
const differentOrders = 3

// streak remembers whose the last failures in a row were.
type streak struct {
	mu     sync.Mutex
	orders []string // different ones, at most differentOrders
}

// watch notes the outcome of an attempt before the breaker hears of it.
func (s *streak) watch(r alipay.Request, done func(error)) func(error) {
	return func(err error) {
		switch {
		case excluded(err):
		case healthy(alipay.ClassOf(err)):
			s.end()
		default:
			s.failed(orderOf(r))
		}
		done(err)
	}
}

func (s *streak) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = s.orders[:0]
}

func (s *streak) failed(order string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) < differentOrders && !slices.Contains(s.orders, order) {
		s.orders = append(s.orders, order)
	}
}

// wide says whether the failures in a row are enough orders' for a breaker that opens at n.
func (s *streak) wide(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.orders) >= min(differentOrders, n)
}

// excluded: says nothing of Alipay's health, or was never sent.
func excluded(err error) bool {
	return errors.Is(err, alipay.ErrLate) || neutral(alipay.ClassOf(err))
}

// orderOf is the number by which a request names its order.
func orderOf(r alipay.Request) string {
	switch r := r.(type) {
	case *alipay.TradeCreate:
		return string(r.OutTradeNo)
	case *alipay.TradeQuery:
		return string(r.OutTradeNo) + "/" + string(r.TradeNo)
	case *alipay.OrderInfoSync:
		return string(r.TradeNo)
	case *alipay.ItemOrderQuery:
		return string(r.OrderNo)
	case *alipay.HKOrderSync:
		return string(r.MerchantBizNo)
	}
	return ""
}
