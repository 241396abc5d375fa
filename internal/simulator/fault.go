package simulator

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/simulator/seeded"
)

// kind is what a fault does.
type kind uint8

const (
	kindNone kind = iota
	kindCut
	kindOutage
	kindBadGateway
	kindTooMany
	kindDelay
	kindUnavailable
	kindSystemError
	kindThrottled
	kindRefused
	kindReset
	kindTimeout
	kindAccepted
	kindUnsigned // this kind and all that follow change the gateway's own answer
	kindWrongKey
	kindSwapped
	kindRotated
	kindReplayed
	kindTruncated
	kindSlowBody
	kindNoOrderID
	kindSkewed
)

// String returns the name of a kind in the journal and the settings file.
func (k kind) String() string {
	return [...]string{
		"", "cut", "outage", "bad_gateway", "too_many_requests", "delay", "unavailable",
		"system_error", "throttled", "refuse", "reset", "timeout", "accepted",
		"unsigned", "wrong_key", "swapped", "rotated", "replayed", "truncated", "slow_body", "no_order_id", "skewed",
	}[k]
}

// Fault is one misbehaviour on demand. Make it with a constructor and narrow it with the
// methods; each returns a changed copy. Without Times, Always or Probability it acts once.
// An empty method means any call. A fault acts on requests that passed every check (HK order
// of checks: docs/alipay.md, HK "Simulator"); only Outage acts before anything is read.
type Fault struct {
	kind        kind
	method      Method
	order       string
	app         string
	skip        int     // matching requests that pass first
	times       int     // how often it still acts; negative: without end
	probability float64 // for each matching request; 0: certain
	after       bool    // it acts after the effect
	from, to    time.Time
	delay       time.Duration // for Delay, SlowBody and Skewed; Retry-After for TooManyRequests
	subCode     string        // for Refuse
	code        string        // for Refuse, in place of the usual one
}

func newFault(k kind, m Method) Fault { return Fault{kind: k, method: m, times: 1} }

// CutBefore cuts the connection before the effect: the request is lost.
func CutBefore(m Method) Fault { return newFault(kindCut, m) }

// CutAfter cuts the connection once the effect has taken place: the answer is lost.
func CutAfter(m Method) Fault { return newFault(kindCut, m).AfterEffect() }

// BadGateway answers with status 502 and HTML, as a proxy does.
func BadGateway(m Method) Fault { return newFault(kindBadGateway, m) }

// TooManyRequests answers with status 429 and, unless zero, retryAfter in whole seconds.
func TooManyRequests(m Method, retryAfter time.Duration) Fault {
	f := newFault(kindTooMany, m)
	f.delay = retryAfter
	return f
}

// Delay delays the request before its effect (with AfterEffect: before its answer).
// It adds to the latency and to other faults.
func Delay(m Method, d time.Duration) Fault {
	f := newFault(kindDelay, m)
	f.delay = d
	return f
}

// Unavailable answers 20000 isp.unknow-error, at HK UNKNOWN_EXCEPTION with status U.
func Unavailable(m Method) Fault { return newFault(kindUnavailable, m) }

// SystemError answers 40004 ACQ.SYSTEM_ERROR (Koubei: SYSTEM_ERROR), at HK UNKNOWN_EXCEPTION with status U.
func SystemError(m Method) Fault { return newFault(kindSystemError, m) }

// Throttled answers 40005 isv.app-call-limited, at HK REQUEST_TRAFFIC_EXCEED_LIMIT with status U.
func Throttled(m Method) Fault { return newFault(kindThrottled, m) }

// Refuse answers with a sub_code (at HK a resultCode).
func Refuse(m Method, subCode string) Fault {
	f := newFault(kindRefused, m)
	f.subCode = subCode
	return f
}

// Unsigned sends the usual answer without a signature.
func Unsigned(m Method) Fault { return newFault(kindUnsigned, m).AfterEffect() }

// WrongKey sends the usual answer, signed with a key that belongs to no one.
func WrongKey(m Method) Fault { return newFault(kindWrongKey, m).AfterEffect() }

// Swapped answers with an earlier, validly signed answer about another order of the same app and
// method. It does not act while there is none.
func Swapped(m Method) Fault { return newFault(kindSwapped, m).AfterEffect() }

// TCPReset breaks the connection with a TCP reset before the effect, as a proxy does that no
// longer knows the connection.
func TCPReset(m Method) Fault { return newFault(kindReset, m) }

// Timeout never answers: it holds the connection until the caller disconnects.
func Timeout(m Method) Fault { return newFault(kindTimeout, m) }

// Accepted answers 10003, at HK resultStatus A: accepted and still being processed.
func Accepted(m Method) Fault { return newFault(kindAccepted, m) }

// Replayed answers with the first good answer that this order got for this method, validly signed
// at that time. It does not act while there is none.
func Replayed(m Method) Fault { return newFault(kindReplayed, m).AfterEffect() }

// Truncated sends the first half of the answer as if it were the whole.
func Truncated(m Method) Fault { return newFault(kindTruncated, m).AfterEffect() }

// SlowBody sends the headers at once and the body in parts, spread over the duration d.
func SlowBody(m Method, d time.Duration) Fault {
	f := newFault(kindSlowBody, m).AfterEffect()
	f.delay = d
	return f
}

// NoOrderID leaves the numbers of the order out of the answer: orderId at HK, trade_no, out_trade_no
// and the like at the classic gateway.
func NoOrderID(m Method) Fault { return newFault(kindNoOrderID, m).AfterEffect() }

// Skewed answers with a clock that is wrong by d: Date and, at HK, the signed Response-Time.
func Skewed(m Method, d time.Duration) Fault {
	f := newFault(kindSkewed, m).AfterEffect()
	f.delay = d
	return f
}

// Rotated sends the usual answer, signed with Alipay's next certificate. An app without one gets
// its usual answer.
func Rotated(m Method) Fault { return newFault(kindRotated, m).AfterEffect() }

// Outage cuts every connection from one time to another, before anything is read.
func Outage(from, to time.Time) Fault { return newFault(kindOutage, "").Always().Between(from, to) }

// Order narrows the fault to one order number, the merchant's or Alipay's.
func (f Fault) Order(no string) Fault { f.order = no; return f }

// App narrows the fault to one app_id or Client-Id.
func (f Fault) App(id string) Fault { f.app = id; return f }

// Skip lets n matching requests pass first.
func (f Fault) Skip(n int) Fault { f.skip = n; return f }

// Times makes the fault act n times.
func (f Fault) Times(n int) Fault { f.times = n; return f }

// Always makes the fault act without end.
func (f Fault) Always() Fault { f.times = -1; return f }

// Probability makes the fault act on each matching request with probability p, without end unless
// Times follows. The same seed, order and attempt give the same decision.
func (f Fault) Probability(p float64) Fault { f.probability, f.times = p, -1; return f }

// Between narrows the fault to a time window, without its end.
func (f Fault) Between(from, to time.Time) Fault { f.from, f.to = from, to; return f }

// AfterEffect makes the fault act after the effect: the effect takes place, and the answer hides it.
func (f Fault) AfterEffect() Fault { f.after = true; return f }

// WithCode replaces the code that the documents give for the sub_code of Refuse; at HK it sets the
// resultStatus, which is F otherwise.
func (f Fault) WithCode(code string) Fault { f.code = code; return f }

// String returns the name of the fault in the journal.
func (f Fault) String() string {
	switch {
	case f.kind == kindNone:
		return ""
	case f.kind == kindRefused:
		return f.kind.String() + " " + f.subCode
	case f.after && f.kind < kindUnsigned:
		return f.kind.String() + " after"
	case f.kind < kindUnsigned && f.kind != kindOutage:
		return f.kind.String() + " before"
	}
	return f.kind.String()
}

// faultEffect is what faults do to one request: at most one acts, as well as all delays.
type faultEffect struct {
	Fault
	waitBefore, waitAfter time.Duration
}

// faultList holds the active faults.
type faultList struct {
	seed uint64
	mu   sync.Mutex
	list []Fault // guarded by mu
}

// AddFault adds a fault after those that are already active; if several match, the first acts.
func (s *Simulator) AddFault(f Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, f)
}

// ClearFaults removes all faults.
func (s *Simulator) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// outage reports whether an Outage is on.
func (fs *faultList) outage(now time.Time) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.ContainsFunc(fs.list, func(f Fault) bool { return f.kind == kindOutage && f.inWindow(now) })
}

// choose decides what happens to a request. hasAnswer reports whether there is an earlier answer to send.
func (fs *faultList) choose(e *RequestEntry, given string, attempt int, now time.Time, hasAnswer func(kind) bool) faultEffect {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var out faultEffect
	for i := range fs.list {
		f := &fs.list[i]
		if !f.matches(e, given, now) || !hasAnswer(f.kind) {
			continue
		}
		if f.kind != kindDelay && out.kind != kindNone {
			continue // an earlier fault acts; this one keeps its count
		}
		if !f.consume(fs.seed, i, e, attempt) {
			continue
		}
		switch {
		case f.kind != kindDelay:
			out.Fault = *f
		case f.after:
			out.waitAfter += f.delay
		default:
			out.waitBefore += f.delay
		}
	}
	return out
}

func (f *Fault) inWindow(now time.Time) bool {
	return (f.from.IsZero() || !now.Before(f.from)) && (f.to.IsZero() || now.Before(f.to))
}

// matches reports whether a fault applies to this request.
func (f *Fault) matches(e *RequestEntry, given string, now time.Time) bool {
	return f.kind != kindOutage && f.times != 0 &&
		(f.method == "" || f.method == e.Method) &&
		(f.app == "" || f.app == e.App) &&
		(f.order == "" || f.order == e.OrderNo || f.order == given) &&
		f.inWindow(now)
}

// consume counts a matching request and reports whether the fault acts on it.
func (f *Fault) consume(seed uint64, index int, e *RequestEntry, attempt int) bool {
	if f.skip > 0 {
		f.skip--
		return false
	}
	if f.probability > 0 && seeded.Fraction(seed, "fault", strconv.Itoa(index), string(e.Method), e.OrderNo, strconv.Itoa(attempt)) >= f.probability {
		return false
	}
	if f.times > 0 {
		f.times--
	}
	return true
}
