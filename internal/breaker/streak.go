package breaker

import (
	"errors"
	"slices"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// differentOrders is how many orders must have failed in a row before a breaker opens: one
// event that is tried again and again says nothing of Alipay's health (security K11).
// After longStreak without any success there is no one to protect, and a merchant of few
// orders is spared to spend their budgets.
const (
	differentOrders = 3
	longStreak      = time.Minute
)

// streak counts failures in a row, however far apart (gobreaker forgets those before its
// window), and remembers whose they were.
type streak struct {
	mu     sync.Mutex
	n      int
	orders []string  // different ones, at most differentOrders
	since  time.Time // of the first failure
}

// watch notes the outcome of an attempt before the breaker.
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
	s.n, s.orders = 0, s.orders[:0]
}

func (s *streak) failed(order string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		s.since = time.Now()
	}
	s.n++
	if len(s.orders) < differentOrders && !slices.Contains(s.orders, order) {
		s.orders = append(s.orders, order)
	}
}

// trips says whether a breaker that takes n failures in a row is to open.
func (s *streak) trips(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n >= n && (len(s.orders) >= min(differentOrders, n) || time.Since(s.since) >= longStreak)
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
