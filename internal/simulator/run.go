package simulator

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
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
	seal    func(Fault) sealed
}

// run carries a valid request through faults, latency and its effect.
func (s *Simulator) run(w http.ResponseWriter, r *http.Request, c *call) {
	e := c.entry
	hit := s.faults.strike(e, c.given, c.attempt, e.At, func(k kind) bool { return s.swaps.has(k, e) })
	half := c.whims.latency(s.o.Latency.of(s.o.Seed, e, c.attempt)) / 2
	if !sleep(r.Context(), half+hit.waitBefore) {
		s.gone(e, hit.Fault)
	}
	if hit.kind != kindNone && !hit.after {
		s.misbehave(w, r, c, hit.Fault)
		return
	}
	s.mu.Lock()
	s.catchUp()
	a := c.effect()
	s.mu.Unlock()
	if !sleep(r.Context(), half+hit.waitAfter) {
		s.gone(e, hit.Fault)
	}
	if hit.kind != kindNone && hit.kind < kindUnsigned {
		s.misbehave(w, r, c, hit.Fault)
		return
	}
	s.log.verdict(e, a.verdict, hit.String())
	s.send(w, r, e, a, hit.Fault)
}

// gone ends a request whose caller went away.
func (s *Simulator) gone(e *RequestEntry, f Fault) {
	s.log.verdict(e, verdictGone, f.String())
	panic(http.ErrAbortHandler)
}

// send writes the gateway's own answer, or what a fault makes of it.
func (s *Simulator) send(w http.ResponseWriter, r *http.Request, e *RequestEntry, a answer, f Fault) {
	out := a.seal(f)
	switch f.kind {
	case kindSwapped, kindReplayed:
		out = s.swaps.take(f.kind, e, out)
	case kindTruncated:
		out.body = out.body[:len(out.body)/2]
	case kindSkewed:
		w.Header().Set("Date", s.now().Add(f.delay).UTC().Format(http.TimeFormat))
	case kindSlowBody:
		out.drip(w, r, f.delay)
		return
	case kindNone:
		if a.good && !s.o.BenchMode {
			s.swaps.keep(e, out)
		}
	}
	out.write(w)
}

// drops is in how many parts SlowBody sends a body.
const drops = 20

// drip sends the body in drops over d.
func (s sealed) drip(w http.ResponseWriter, r *http.Request, d time.Duration) {
	s.writeHeader(w)
	c := http.NewResponseController(w)
	for part := range slices.Chunk(s.body, max(1, len(s.body)/drops)) {
		if !sleep(r.Context(), d/drops) {
			return
		}
		_, _ = w.Write(part) // the next sleep notices a caller who left
		_ = c.Flush()
	}
}

// longest is how long Timeout holds a caller who does not go away.
const longest = 10 * time.Minute

// misbehave answers in place of the gateway.
func (s *Simulator) misbehave(w http.ResponseWriter, r *http.Request, c *call, f Fault) {
	switch f.kind {
	case kindCut, kindReset:
		s.log.verdict(c.entry, verdictLost, f.String())
		if f.kind == kindReset {
			reset(w)
		}
		panic(http.ErrAbortHandler)
	case kindTimeout:
		s.log.verdict(c.entry, verdictLost, f.String())
		sleep(r.Context(), longest)
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
		a.seal(Fault{}).write(w)
	}
}

// reset ends a connection with a reset, where there is a TCP connection.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the caller sees a cut instead
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // Close sends RST then
	}
	_ = conn.Close()
}

// traceID returns a number for the answer's trace header.
func (s *Simulator) traceID() string {
	return "sim" + strconv.FormatUint(s.traces.Add(1), 10)
}
