package simulator

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"alipay-kafka-bridge/internal/simulator/seeded"
	"alipay-kafka-bridge/internal/simulator/wire"
)

// call is one request to either gateway that passed every check.
type call struct {
	entry       *RequestEntry // in the journal already
	givenNumber string        // the number as the request names it, when the entry has the merchant's
	attempt     int           // earlier requests of the same order
	quirks      *wire.AnswerQuirks
	effect      func() pendingAnswer // does what the request asks for; called at most once, under Simulator.mu
	refuse      func(Fault) pendingAnswer
}

// pendingAnswer is an answer that is not sealed yet: a fault can still spoil its signature.
type pendingAnswer struct {
	verdict string
	success bool // it may be kept for Swapped and Replayed
	seal    func(Fault) wire.SealedAnswer
}

// serveCall runs a valid request: faults, latency and its effect.
func (s *Simulator) serveCall(w http.ResponseWriter, r *http.Request, c *call) {
	e := c.entry
	hit := s.faults.choose(e, c.givenNumber, c.attempt, e.At, func(k kind) bool { return s.earlier.has(k, e) })
	half := c.quirks.SpreadLatency(s.options.Latency.of(s.options.Seed, e, c.attempt)) / 2
	if !sleep(r.Context(), half+hit.waitBefore) {
		s.abandon(e, hit.Fault)
	}
	if hit.kind != kindNone && !hit.after {
		s.answerWithFault(w, r, c, hit.Fault)
		return
	}
	s.mu.Lock()
	s.runDue()
	a := c.effect()
	s.mu.Unlock()
	if !sleep(r.Context(), half+hit.waitAfter) {
		s.abandon(e, hit.Fault)
	}
	if hit.kind != kindNone && hit.kind < kindUnsigned {
		s.answerWithFault(w, r, c, hit.Fault)
		return
	}
	s.journal.complete(e, a.verdict, hit.String())
	s.send(w, r, e, a, hit.Fault)
}

// quirksOf chooses the quirks of one answer.
func (s *Simulator) quirksOf(e *RequestEntry, attempt int) *wire.AnswerQuirks {
	if len(s.quirks) == 0 {
		return nil
	}
	sum := seeded.Hash("quirks", strconv.FormatUint(s.options.Seed, 10), string(e.Method), e.App, e.OrderNo, strconv.Itoa(attempt))
	return wire.NewAnswerQuirks(s.quirks, sum)
}

// Latency is how long an answer takes. Half of it passes before the effect and half after it,
// so that a caller who gives up may do so in either half.
type Latency struct {
	Fixed  time.Duration `yaml:"fixed"`
	Jitter time.Duration `yaml:"jitter"` // spread evenly on top of Fixed, by the seed, order and attempt
}

// of returns the latency of one request.
func (l Latency) of(seed uint64, e *RequestEntry, attempt int) time.Duration {
	if l.Jitter <= 0 {
		return l.Fixed
	}
	share := seeded.Fraction(seed, "latency", string(e.Method), e.OrderNo, strconv.Itoa(attempt))
	return l.Fixed + time.Duration(share*float64(l.Jitter))
}

// sleep waits; it returns false if the caller disconnected first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// abandon ends a request whose caller disconnected.
func (s *Simulator) abandon(e *RequestEntry, f Fault) {
	s.journal.complete(e, verdictGone, f.String())
	panic(http.ErrAbortHandler)
}

// send writes the gateway's own answer, or what a fault turns it into.
func (s *Simulator) send(w http.ResponseWriter, r *http.Request, e *RequestEntry, a pendingAnswer, f Fault) {
	out := a.seal(f)
	switch f.kind {
	case kindSwapped, kindReplayed:
		out = s.earlier.replace(f.kind, e, out)
	case kindTruncated:
		out.Body = out.Body[:len(out.Body)/2]
	case kindSkewed:
		w.Header().Set("Date", s.Now().Add(f.delay).UTC().Format(http.TimeFormat))
	case kindSlowBody:
		sendSlowly(w, r, out, f.delay)
		return
	case kindNone:
		if a.success && !s.options.BenchMode {
			s.earlier.keep(e, out)
		}
	}
	out.Write(w)
}

// bodyParts is in how many parts SlowBody sends a body.
const bodyParts = 20

// sendSlowly sends the body in parts, spread over d.
func sendSlowly(w http.ResponseWriter, r *http.Request, out wire.SealedAnswer, d time.Duration) {
	out.WriteHeader(w)
	c := http.NewResponseController(w)
	for part := range slices.Chunk(out.Body, max(1, len(out.Body)/bodyParts)) {
		if !sleep(r.Context(), d/bodyParts) {
			return
		}
		_, _ = w.Write(part) // the next sleep notices a caller who disconnected
		_ = c.Flush()
	}
}

// maxHold is how long Timeout holds a caller who does not disconnect.
const maxHold = 10 * time.Minute

// answerWithFault answers in place of the gateway.
func (s *Simulator) answerWithFault(w http.ResponseWriter, r *http.Request, c *call, f Fault) {
	switch f.kind {
	case kindCut, kindReset:
		s.journal.complete(c.entry, verdictLost, f.String())
		if f.kind == kindReset {
			resetConnection(w)
		}
		panic(http.ErrAbortHandler)
	case kindTimeout:
		s.journal.complete(c.entry, verdictLost, f.String())
		sleep(r.Context(), maxHold)
		panic(http.ErrAbortHandler)
	case kindBadGateway:
		s.journal.complete(c.entry, "502", f.String())
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"))
	case kindTooMany:
		s.journal.complete(c.entry, "429", f.String())
		if f.delay > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.delay.Seconds())))
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte("<html><body>429 Too Many Requests</body></html>"))
	default:
		a := c.refuse(f)
		s.journal.complete(c.entry, a.verdict, f.String())
		a.seal(Fault{}).Write(w)
	}
}

// resetConnection ends a connection with a reset, if it is a TCP connection.
func resetConnection(w http.ResponseWriter) {
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
	return "sim" + strconv.FormatUint(s.lastTrace.Add(1), 10)
}
