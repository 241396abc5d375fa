package breaker

import (
	"slices"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// differentOrders is how many orders must have failed in a row before a breaker opens: one
// event that fails again and again says nothing about Alipay's health (security K11).
// After longStreak without any success the breaker opens anyway, so that a merchant with few
// orders does not spend their budgets.
const (
	differentOrders = 3
	longStreak      = time.Minute
)

// streak counts failures in a row, however far apart (gobreaker forgets those before its
// window), and remembers of which orders.
type streak struct {
	mu     sync.Mutex
	n      int
	orders []string  // different ones, at most differentOrders
	since  time.Time // of the first failure
}

// watch records the outcome of an attempt before the breaker does.
func (s *streak) watch(r alipay.Request, done func(error)) func(error) {
	return func(err error) {
		switch alipay.HealthOf(err) {
		case alipay.Healthy:
			s.end()
		case alipay.Failing:
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

// trips reports whether a breaker that tolerates fewer than n failures in a row must open.
func (s *streak) trips(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n >= n && (len(s.orders) >= min(differentOrders, n) || time.Since(s.since) >= longStreak)
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
