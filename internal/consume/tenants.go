package consume

import (
	"slices"
	"time"

	"alipay-kafka-bridge/internal/order"
)

// Account is one merchant, ready to be called for.
type Account struct {
	Name           order.Account
	App            string // whose slots, rate and breakers it shares
	Environment    string // production, sandbox or simulator
	Planner        *order.Planner
	Call           func() caller
	AttemptTimeout time.Duration // the longest that one exchange may still be under way
	NotFoundPause  time.Duration // between two answers "no such trade" [3 s]
}

// NewAccount is an Account whose calls are begun by begin.
func NewAccount[C caller](a Account, begin func() C) *Account {
	a.Call = func() caller { return begin() }
	setDefault(&a.NotFoundPause, askAgain)
	return &a
}

// Input says which accounts the events of a topic may name: the topic is the only identity
// that a record has (security.md K1).
type Input struct {
	Accounts []order.Account
	Default  order.Account // of events that name none
}

// tenants say who may be called for, and by whose records. They are replaced as a whole.
type tenants struct {
	inputs   map[string]Input // by topic
	accounts map[order.Account]*Account
}

// SetTenants replaces what events may name. Events whose handling has begun keep their budget,
// and their app; what else their account says of them is new from the next attempt of their lane.
func (h *Handler) SetTenants(inputs map[string]Input, accounts map[order.Account]*Account) {
	h.tenants.Store(&tenants{inputs, accounts})
}

func (h *Handler) input(topic string) Input { return h.tenants.Load().inputs[topic] }

// account returns the account that an event of this topic may name, or why not.
func (h *Handler) account(topic string, name order.Account) (*Account, string) {
	a := h.tenants.Load().accounts[name]
	switch {
	case a == nil:
		return nil, reasonUnknownAccount
	case !slices.Contains(h.input(topic).Accounts, name):
		return nil, reasonAccountNotAllowed
	}
	return a, ""
}

// current returns an account as it is now. One that was moved to another app or taken away
// stays as it was for the events that were admitted for it.
func (h *Handler) current(topic string, a *Account) *Account {
	if now, why := h.account(topic, a.Name); why == "" && now.App == a.App {
		return now
	}
	return a
}
