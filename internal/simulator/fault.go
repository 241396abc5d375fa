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
	kindUnsigned // this and what follows act on the gateway's own answer
	kindWrongKey
	kindSwapped
	kindRotated
	kindReplayed
	kindTruncated
	kindSlowBody
	kindNoOrderID
	kindSkewed
)

// String names a kind as the journal and the settings file do.
func (k kind) String() string {
	return [...]string{
		"", "cut", "outage", "bad_gateway", "too_many_requests", "delay", "unavailable",
		"system_error", "throttled", "refuse", "reset", "timeout", "accepted",
		"unsigned", "wrong_key", "swapped", "rotated", "replayed", "truncated", "slow_body", "no_order_id", "skewed",
	}[k]
}

// Fault is one misbehaviour on order. Make it with a constructor and narrow it with the
// methods; each returns a changed copy. Without Times, Always or Probability it acts once.
// An empty method means any call. A fault acts on requests that passed every check (HK order
// of checks: docs/alipay.md, HK "Simulator"); only Outage acts before anything is read.
type Fault struct {
	kind        kind
	method      Method
	order       string
	app         string
	skip        int     // matching requests that pass first
	times       int     // times left to act; negative: no end
	probability float64 // of each time; 0: certain
	after       bool    // once the effect has taken place
	from, to    time.Time
	delay       time.Duration // of Delay, SlowBody, Skewed; of Retry-After for TooManyRequests
	subCode     string        // of Refuse
	code        string        // of Refuse, overriding the usual one
}

func newFault(k kind, m Method) Fault { return Fault{kind: k, method: m, times: 1} }

// CutBefore cuts the connection before the effect: the request is lost.
func CutBefore(m Method) Fault { return newFault(kindCut, m) }

// CutAfter cuts the connection once the effect has taken place: the answer is lost.
func CutAfter(m Method) Fault { return newFault(kindCut, m).AfterEffect() }

// BadGateway answers status 502 with HTML, as a proxy does.
func BadGateway(m Method) Fault { return newFault(kindBadGateway, m) }

// TooManyRequests answers status 429; retryAfter, in whole seconds, is sent unless zero.
func TooManyRequests(m Method, retryAfter time.Duration) Fault {
	f := newFault(kindTooMany, m)
	f.delay = retryAfter
	return f
}

// Delay lets the request wait before its effect (or with AfterEffect: before its answer).
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

// Refuse answers the sub_code (at HK the resultCode) by its name.
func Refuse(m Method, subCode string) Fault {
	f := newFault(kindRefused, m)
	f.subCode = subCode
	return f
}

// Unsigned answers as always, but without a signature.
func Unsigned(m Method) Fault { return newFault(kindUnsigned, m).AfterEffect() }

// WrongKey answers as always, but signs with a key that belongs to no one.
func WrongKey(m Method) Fault { return newFault(kindWrongKey, m).AfterEffect() }

// Swapped answers with an earlier, genuinely signed answer to another order of the same app and
// method. It does not act while there is none.
func Swapped(m Method) Fault { return newFault(kindSwapped, m).AfterEffect() }

// TCPReset breaks the connection with a TCP reset before the effect, as a proxy does that forgot it.
func TCPReset(m Method) Fault { return newFault(kindReset, m) }

// Timeout never answers: it holds the connection until the caller goes away.
func Timeout(m Method) Fault { return newFault(kindTimeout, m) }

// Accepted answers 10003, at HK resultStatus A: accepted, under way.
func Accepted(m Method) Fault { return newFault(kindAccepted, m) }

// Replayed answers with the first good answer that this order got to this method, genuinely signed
// then. It does not act while there is none.
func Replayed(m Method) Fault { return newFault(kindReplayed, m).AfterEffect() }

// Truncated sends the first half of the answer as if it were all.
func Truncated(m Method) Fault { return newFault(kindTruncated, m).AfterEffect() }

// SlowBody sends the headers at once and the body in parts, spread over d.
func SlowBody(m Method, d time.Duration) Fault {
	f := newFault(kindSlowBody, m).AfterEffect()
	f.delay = d
	return f
}

// NoOrderID leaves the order's numbers out of a success: orderId at HK, trade_no and out_trade_no at
// the classic gateway.
func NoOrderID(m Method) Fault { return newFault(kindNoOrderID, m).AfterEffect() }

// Skewed answers with a clock that is off by d: Date and, at HK, the signed Response-Time.
func Skewed(m Method, d time.Duration) Fault {
	f := newFault(kindSkewed, m).AfterEffect()
	f.delay = d
	return f
}

// Rotated answers as always, but signs with Alipay's next certificate. An app without one gets its
// usual answer.
func Rotated(m Method) Fault { return newFault(kindRotated, m).AfterEffect() }

// Outage cuts every connection from one time to another, before anything is read.
func Outage(from, to time.Time) Fault { return newFault(kindOutage, "").Always().Between(from, to) }

// Order narrows the fault to one order number (merchant's or Alipay's).
func (f Fault) Order(no string) Fault { f.order = no; return f }

// App narrows the fault to one app_id or Client-Id.
func (f Fault) App(id string) Fault { f.app = id; return f }

// Skip lets n matching requests pass first.
func (f Fault) Skip(n int) Fault { f.skip = n; return f }

// Times lets the fault act n times.
func (f Fault) Times(n int) Fault { f.times = n; return f }

// Always lets the fault act without end.
func (f Fault) Always() Fault { f.times = -1; return f }

// Probability lets the fault act on each matching request with probability p, without end unless
// Times follows. The same seed, order and attempt give the same decision.
func (f Fault) Probability(p float64) Fault { f.probability, f.times = p, -1; return f }

// Between narrows the fault to a time window; its end does not belong to it.
func (f Fault) Between(from, to time.Time) Fault { f.from, f.to = from, to; return f }

// AfterEffect moves the fault behind the effect: the effect takes place, the answer hides it.
func (f Fault) AfterEffect() Fault { f.after = true; return f }

// WithCode replaces the code of Refuse that belongs to its sub_code by the documents, at HK the
// resultStatus (F unless this says otherwise).
func (f Fault) WithCode(code string) Fault { f.code = code; return f }

// String names the fault as the journal does.
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

// faultEffect is what faults do to one request: at most one of them acts, delays add up.
type faultEffect struct {
	Fault
	waitBefore, waitAfter time.Duration
}

// faultList is the list in force.
type faultList struct {
	seed uint64
	mu   sync.Mutex
	list []Fault // guarded by mu
}

// AddFault puts a fault behind those already in force; of several that fit, the first acts.
func (s *Simulator) AddFault(f Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, f)
}

// ClearFaults takes all faults away.
func (s *Simulator) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// outage says whether an Outage is on.
func (fs *faultList) outage(now time.Time) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.ContainsFunc(fs.list, func(f Fault) bool { return f.kind == kindOutage && f.inWindow(now) })
}

// choose chooses what happens to a request. hasAnswer says whether an earlier answer is there to send.
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
			continue // the first one acts; this one keeps its count
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

// matches says whether a fault is meant for this request.
func (f *Fault) matches(e *RequestEntry, given string, now time.Time) bool {
	return f.kind != kindOutage && f.times != 0 &&
		(f.method == "" || f.method == e.Method) &&
		(f.app == "" || f.app == e.App) &&
		(f.order == "" || f.order == e.OrderNo || f.order == given) &&
		f.inWindow(now)
}

// consume counts a fitting request and says whether the fault acts on it.
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
