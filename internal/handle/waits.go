package handle

import (
	"cmp"
	"errors"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
)

// waitError is why an event waits without an outcome. The engine reports its facts to operators.
type waitError struct {
	error
	facts consume.WaitFacts
}

func (e *waitError) Unwrap() error                { return e.error }
func (e *waitError) WaitFacts() consume.WaitFacts { return e.facts }

// waits adds to an error of a call what an operator asks for.
func waits(err error, attempts int) error {
	facts := consume.WaitFacts{Attempts: attempts, Class: alipay.ClassOf(err).String()}
	if ae, ok := errors.AsType[*alipay.Error](err); ok {
		facts.Code = cmp.Or(ae.SubCode, ae.Code)
	}
	return &waitError{err, facts}
}
