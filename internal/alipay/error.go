package alipay

import (
	"errors"
	"fmt"
	"time"
)

// Class is the consequence of an answer. It alone decides about retry, breaker, output,
// log level and metric label.
type Class uint8

const (
	Done          Class = iota // Alipay did or answered it
	Accepted                   // taken, not final (10003, HK A)
	Rejected                   // refused for good: a healthy answer
	Misconfigured              // keys, app, permission: every event fails alike until a person acts
	Transient                  // certainly not executed, or harmless to repeat: again with back-off
	Throttled                  // too many requests: again with a longer back-off
	Ambiguous                  // it is not known whether the call took effect
	Untrusted                  // the answer is not provably Alipay's
)

// String returns the name of the class in capitals, as it stands in results.
func (c Class) String() string {
	names := [...]string{"DONE", "ACCEPTED", "REJECTED", "MISCONFIGURED", "TRANSIENT", "THROTTLED", "AMBIGUOUS", "UNTRUSTED"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("CLASS(%d)", uint8(c))
}

// Error is any outcome of a call but [Done]; [Accepted] is one too, so that nobody takes it for final.
type Error struct {
	Method     Method
	Class      Class
	Code       string
	SubCode    string
	Message    string // Alipay's words, or ours when there was no answer
	HTTPStatus int
	RetryAfter time.Duration // zero unless the answer asked for a pause
	Err        error         // what went wrong below, without URL or parameters
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

// ClassOf returns the class of an error from [Client.Do]: Done for nil,
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
