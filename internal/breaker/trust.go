package breaker

import (
	"errors"
	"slices"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// trust finds out that no answer of an app is provably Alipay's: its key was rotated without notice, the root
// certificates changed, or a proxy interferes. A few orders show it; then the app waits, as it does for wrong keys of
// ours, and one attempt at a time probes. Nothing of that spends a budget: no order is at fault.
type trust struct {
	pause   time.Duration                 // between two probes
	changed func(trusted bool, why error) // Options.OnTrust

	mu      sync.Mutex // guards the rest
	orders  []string   // different ones with an answer that was not believed, since one that was; at most differentOrders
	others  int        // answers of another kind in a row
	lost    bool
	probing bool
	next    time.Time // of the next probe
}

// holds reports whether the app's answers can be believed, as far as is known.
func (t *trust) holds() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.lost
}

// due reports whether admit would let an attempt begin.
func (t *trust) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mayBegin(time.Now())
}

func (t *trust) mayBegin(now time.Time) bool { return !t.lost || !t.probing && !now.Before(t.next) }

// admit lets an attempt begin: any one while the answers can be believed, one at a time and now and then otherwise.
func (t *trust) admit() (probe, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.mayBegin(time.Now()) {
		return false, false
	}
	t.probing = t.lost
	return t.lost, true
}

// release ends a probe.
func (t *trust) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.probing, t.next = false, time.Now().Add(t.pause)
}

// saw takes the outcome of an attempt into account. A lost answer shows nothing. An answer of another kind, such as an
// error page, shows that not all answers fail in this way; three in a row are a trouble for the breaker and the budgets.
func (t *trust) saw(r alipay.Request, rep alipay.Reply, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case alipay.ClassOf(err) == alipay.Untrusted:
		t.others = 0
		order := orderOf(r)
		if !slices.Contains(t.orders, order) && len(t.orders) < differentOrders {
			t.orders = append(t.orders, order)
		}
		if !t.lost && len(t.orders) == differentOrders {
			t.lost, t.next = true, time.Now().Add(t.pause)
			t.changed(false, err)
		}
	case rep.Verified || alipay.HealthOf(err) == alipay.Healthy:
		t.orders = t.orders[:0]
		if t.lost {
			t.lost = false
			t.changed(true, nil)
		}
	case answered(err):
		t.orders = t.orders[:0]
		if t.others++; t.lost && t.others >= differentOrders {
			t.lost = false
			t.changed(true, err)
		}
	}
}

// answered reports whether an answer came that is not Alipay's business answer.
func answered(err error) bool {
	e, ok := errors.AsType[*alipay.Error](err)
	return ok && e.HTTPStatus != 0
}
