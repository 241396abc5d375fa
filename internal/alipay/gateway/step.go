package gateway

import (
	"errors"

	"alipay-kafka-bridge/internal/alipay"
)

// Step is the outcome of one check, for people who ask why something was believed or not.
// It never holds a value of a field.
type Step struct {
	Name   string `json:"name"` // cut, certificate, signature, decrypt, code, request ...
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// StepError says at which step something that Alipay sent stopped being believed, and why.
// Its text never holds a value of a field.
type StepError struct {
	Step string // as in [Step]
	Err  error
}

func (e *StepError) Error() string { return e.Err.Error() }

func (e *StepError) Unwrap() error { return e.Err }

// step is one check of a rule. A rule is a list of steps. What fails one of them is not believed.
// What passes all of them is read: in full if its signature was verified, otherwise only as far as
// [alipay.ClassifyUnsigned] and [alipay.ClassifyHK] allow.
type step[R any] struct {
	name  string
	check func(R) error
	facts func(R, error) string // what a person should know of its outcome; nil: nothing but the error
}

// recorder keeps the outcomes of steps for an [Explanation].
type recorder struct{ steps []Step }

// run applies a rule: it returns the error of the first check that fails, as a [*StepError].
// A check may apply a rule of its own, whose steps are recorded in its place. r is nil in calls.
func run[R any](r *recorder, subject R, rule []step[R]) error {
	for _, s := range rule {
		err := s.check(subject)
		if err == nil && r == nil {
			continue
		}
		if inner := (*StepError)(nil); errors.As(err, &inner) { // of its own rule
			return err
		}
		if r != nil {
			r.record(s.name, err, s.detail(subject, err))
		}
		if err != nil {
			return &StepError{Step: s.name, Err: err}
		}
	}
	return nil
}

func (s step[R]) detail(subject R, err error) string {
	switch {
	case s.facts != nil:
		return s.facts(subject, err)
	case err != nil:
		return cause(err).Error()
	}
	return ""
}

// record keeps a step, unless there is nothing to say about it.
func (r *recorder) record(name string, err error, detail string) {
	if err != nil || detail != "" {
		r.steps = append(r.steps, Step{Name: name, OK: err == nil, Detail: detail})
	}
}

// cause is why an answer has the class that it has, without method and class.
func cause(err error) error {
	var e *alipay.Error
	switch {
	case !errors.As(err, &e):
		return err
	case e.Err != nil:
		return e.Err
	}
	return errors.New(e.Message)
}

// disbelieved is the error of a call whose answer failed a step. What the step did not classify
// is Untrusted.
func disbelieved(r call, err error) error {
	var e *alipay.Error
	if errors.As(err, &e) {
		return e
	}
	return &alipay.Error{Method: r.Method(), Class: alipay.Untrusted, Err: err}
}
