package handle

import (
	"cmp"
	"slices"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// Account is one merchant, ready for calls.
type Account struct {
	Name           order.Account
	App            string // whose slots, rate and breakers it shares
	Environment    string // production, sandbox or simulator
	Planner        *order.Planner
	Call           func() caller
	Supports       func(alipay.Method) bool // what its gateway can be asked; nil: everything
	AttemptTimeout time.Duration            // the longest that one exchange may still be under way
	NotFoundPause  time.Duration            // between two answers "no such trade" [3 s]
}

// NewAccount is an Account whose calls are begun by begin.
func NewAccount[C caller](a Account, begin func() C) *Account {
	a.Call = func() caller { return begin() }
	a.NotFoundPause = cmp.Or(a.NotFoundPause, notFoundPause)
	return &a
}

// TopicAccounts lists the accounts that the events of a topic may name: the topic is the only
// identity that a record has (security.md K1).
type TopicAccounts struct {
	Accounts []order.Account
	Default  order.Account // of events that name none
	// QueriesOnly refuses every event but QUERY_REQUESTED: a topic of queries is read by a pipeline of its own, so a call
	// that changes an order would overtake the order's other events.
	QueriesOnly bool
}

// permissions are the accounts that may be called for, and the topics whose records may name them.
// They are replaced as a whole.
type permissions struct {
	inputs   map[string]TopicAccounts // by topic
	accounts map[order.Account]*Account
}

// SetPermissions replaces what events may name. An event that waits for its first attempt, or that
// Alipay refused, is handled by the new settings; one whose attempt may have taken effect goes
// on as it began. An account keeps its app.
func (h *Handler) SetPermissions(inputs map[string]TopicAccounts, accounts map[order.Account]*Account) {
	h.permissions.Store(&permissions{inputs, accounts})
}

// nameOf returns the account of an event: the one that it names, else its topic's.
func (t *permissions) nameOf(topic string, named order.Account) order.Account {
	return cmp.Or(named, t.inputs[topic].Default)
}

// takes reports whether a topic may have events of a type. One that is not known has a reason of its own.
func (t *permissions) takes(topic string, typ order.EventType) bool {
	return typ == order.TypeQueryRequested || typ == order.TypeUnknown || !t.inputs[topic].QueriesOnly
}

// account returns the account that an event of this topic may name, or why not.
func (t *permissions) account(topic string, name order.Account) (*Account, string) {
	a := t.accounts[name]
	switch {
	case a == nil:
		return nil, reasonUnknownAccount
	case !slices.Contains(t.inputs[topic].Accounts, name):
		return nil, reasonAccountNotAllowed
	}
	return a, ""
}
