package alipay

import (
	"errors"
	"fmt"
	"time"
)

// Class is the consequence of an answer. It alone decides about retry, output, log level and
// metric label.
type Class uint8

const (
	Done          Class = iota // Alipay did or answered it
	Accepted                   // accepted, not final (10003, HK A)
	Rejected                   // refused for good: a healthy answer
	Misconfigured              // keys, app, permission: every event fails alike until a person acts
	Transient                  // certainly not executed, or harmless to repeat: again with back-off
	Throttled                  // too many requests: again with a longer back-off
	Ambiguous                  // it is not known whether the call took effect
	Untrusted                  // the answer is not provably Alipay's
)

// String returns the name of the class in capitals, as results have it.
func (c Class) String() string {
	names := [...]string{"DONE", "ACCEPTED", "REJECTED", "MISCONFIGURED", "TRANSIENT", "THROTTLED", "AMBIGUOUS", "UNTRUSTED"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("CLASS(%d)", uint8(c))
}

// Scope is how far a [Misconfigured] answer reaches: what stops until a person acts.
type Scope uint8

const (
	ScopeNone    Scope = iota // this event only
	ScopeMethod               // the account and the method: a product that was not signed for
	ScopeAccount              // the account: a merchant's token or contract
	ScopeApp                  // the app: keys, app id, settings
)

// String returns the scope in small letters, as a metric label.
func (s Scope) String() string {
	names := [...]string{"none", "method", "account", "app"}
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("scope(%d)", uint8(s))
}

// Proof is what it takes before an answer may stop its scope. One event must never stop an
// app or an account: buyers type text into orders, and some answers are caused by such text.
type Proof uint8

const (
	ProofNone   Proof = iota // the answer alone suffices
	ProofOrders              // three different orders got it, with no success between
	ProofCanary              // the same, and a query of a number that was never used fails too (HK: the orders alone)
)

// Error is any outcome of a call except [Done]. [Accepted] is one too, so that no one mistakes it for final.
type Error struct {
	Method     Method
	Class      Class
	Code       string
	SubCode    string
	Message    string // Alipay's words, or ours when there was no answer
	HTTPStatus int
	RetryAfter time.Duration // zero unless the answer asked for a pause
	Scope      Scope         // what the answer would stop, with Misconfigured
	Proof      Proof         // what it takes to stop it
	Healthy    bool          // the answer is signed and shows that Alipay works, whatever became of the call
	Alert      bool          // a person should look, though nothing stops: an unknown code, or the change to the next key
	Unsent     bool          // nothing was sent: the request could not be signed
	Err        error         // the cause, without URL or parameters
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s", e.Method, e.Class)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.SubCode != "" {
		s += "/" + e.SubCode
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of an error from a call: Done for nil,
// Ambiguous for what it does not know, since a payment is never assumed undone.
func ClassOf(err error) Class {
	if err == nil {
		return Done
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Ambiguous
}

// Health is what the outcome of a call says of Alipay: the question of a breaker.
type Health uint8

const (
	Neutral Health = iota // nothing, or nothing was sent
	Healthy
	Failing
)

// HealthOf returns what the outcome of a call says of Alipay. A refusal is a healthy answer; wrong keys and answers that
// are not Alipay's say nothing.
func HealthOf(err error) Health {
	var e *Error
	switch {
	case errors.Is(err, ErrLate), IsInvalid(err):
		return Neutral
	case !errors.As(err, &e):
		if err == nil {
			return Healthy
		}
		return Failing
	case e.Healthy:
		return Healthy
	}
	switch e.Class {
	case Done, Accepted, Rejected:
		return Healthy
	case Misconfigured, Untrusted:
		return Neutral
	}
	return Failing
}

// IsInvalid reports whether a call was not made because its request is wrong.
func IsInvalid(err error) bool {
	var field *FieldError
	return errors.As(err, &field)
}

// ErrLate says that a request was not sent, because its event's life ended while it waited.
var ErrLate = errors.New("not sent: the event has expired")

// IsTradeNotFound reports whether a query was answered that no such trade exists under this
// account (alipay.trade.query, error codes). The class alone does not say that.
func IsTradeNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == Rejected && baseOf(e.SubCode) == "TRADE_NOT_EXIST"
}

// IsUnknownRefusal reports whether Alipay refused a create, signed, with a code that no table has. There may be a trade
// all the same.
func IsUnknownRefusal(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Class == Ambiguous && e.Code == "40004" && e.Healthy && e.Alert
}

// IsOtherContent reports whether Alipay refused a create, signed, because its number was used with other
// content (alipay.trade.create, "Business error codes", ACQ.CONTEXT_INCONSISTENT).
func IsOtherContent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Healthy && baseOf(e.SubCode) == "CONTEXT_INCONSISTENT"
}

// FieldError says why a request cannot be sent. It names the field as Alipay does and never
// holds its value, which may be personal.
type FieldError struct {
	Field  string // "goods_detail.price"; of one-of rules the first name
	Reason string // a word for machines: missing, length, form, range, word, currency, sum, conflict, json, typed, forbidden
	Text   string // for people
}

// Error returns the field and what is wrong with it.
func (e *FieldError) Error() string { return e.Field + " " + e.Text }
