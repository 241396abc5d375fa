package simulator

import (
	"net/http"
	"strconv"
	"sync"
)

// call is one request that passed every check, of either gateway.
type call struct {
	entry   *RequestEntry // in the journal already
	given   string        // the number as the request names it, when the entry has the merchant's
	attempt int           // earlier requests of the same order
	whims   *whims
	effect  func() answer // does it; called at most once, under Simulator.mu
	refuse  func(Fault) answer
}

// answer is an answer that can still be sealed well or badly.
type answer struct {
	verdict string
	good    bool // a success, fit for Swapped
	seal    func(kind) sealed
}

// run carries a valid request through faults, latency and its effect.
func (s *Simulator) run(w http.ResponseWriter, r *http.Request, c *call) {
	e := c.entry
	hit := s.faults.strike(e, c.given, c.attempt, e.At, s.swaps.has(e))
	half := c.whims.latency(s.o.Latency.of(s.o.Seed, e, c.attempt)) / 2
	if !sleep(r.Context(), half+hit.waitBefore) {
		s.log.verdict(e, verdictGone, hit.String())
		panic(http.ErrAbortHandler)
	}
	if hit.kind != kindNone && !hit.after {
		s.misbehave(w, c, hit.Fault)
		return
	}
	s.mu.Lock()
	a := c.effect()
	s.mu.Unlock()
	if !sleep(r.Context(), half+hit.waitAfter) {
		s.log.verdict(e, verdictGone, hit.String())
		panic(http.ErrAbortHandler)
	}
	if hit.kind != kindNone && hit.kind < kindUnsigned {
		s.misbehave(w, c, hit.Fault)
		return
	}
	s.log.verdict(e, a.verdict, hit.String())
	out := a.seal(hit.kind)
	if hit.kind == kindSwapped {
		out = s.swaps.take(e, out)
	} else if a.good && hit.kind == kindNone {
		s.swaps.keep(e, out)
	}
	out.write(w)
}

// misbehave answers in place of the gateway.
func (s *Simulator) misbehave(w http.ResponseWriter, c *call, f Fault) {
	switch f.kind {
	case kindCut:
		s.log.verdict(c.entry, verdictLost, f.String())
		panic(http.ErrAbortHandler)
	case kindBadGateway:
		s.log.verdict(c.entry, "502", f.String())
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"))
	case kindTooMany:
		s.log.verdict(c.entry, "429", f.String())
		if f.delay > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.delay.Seconds())))
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte("<html><body>429 Too Many Requests</body></html>"))
	default:
		a := c.refuse(f)
		s.log.verdict(c.entry, a.verdict, f.String())
		a.seal(kindNone).write(w)
	}
}

// swaps keeps, by app and method, the newest good answers of two orders, for the fault Swapped.
type swaps struct {
	mu   sync.Mutex
	last map[swapKey][2]kept // guarded by mu
}

type swapKey struct {
	app    string
	method Method
}

type kept struct {
	order string
	out   sealed
}

// has says whether an answer to another order is at hand.
func (x *swaps) has(e *RequestEntry) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.other(e)
	return ok
}

// take returns an answer to another order, or the given one when there is none any more.
func (x *swaps) take(e *RequestEntry, own sealed) sealed {
	x.mu.Lock()
	defer x.mu.Unlock()
	if k, ok := x.other(e); ok {
		return k.out
	}
	return own
}

// other looks for an answer to another order. The caller holds mu.
func (x *swaps) other(e *RequestEntry) (kept, bool) {
	for _, k := range x.last[swapKey{e.App, e.Method}] {
		if k.out.body != nil && k.order != e.OrderNo {
			return k, true
		}
	}
	return kept{}, false
}

// keep remembers an answer.
func (x *swaps) keep(e *RequestEntry, out sealed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last == nil {
		x.last = map[swapKey][2]kept{}
	}
	k := swapKey{e.App, e.Method}
	pair := x.last[k]
	if pair[0].order != e.OrderNo {
		pair[1] = pair[0]
	}
	pair[0] = kept{e.OrderNo, out}
	x.last[k] = pair
}

// traceID returns a number for the answer's trace header.
func (s *Simulator) traceID() string {
	return "sim" + strconv.FormatUint(s.traces.Add(1), 10)
}
