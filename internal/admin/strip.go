package admin

import (
	"fmt"
	"time"
)

// Strip sums up what an instance does, for the top of the page.
type Strip struct {
	Rate     string // events finished a second
	Running  int
	Waiting  int    // events that wait for anything, those of the bridge itself left out
	Oldest   string // how long the first of them waits; empty: none does
	CaughtUp string // when the events that could be handled will be, at this rate; empty: none wait, or nothing is finished
	Doubts   int    // calls of which it is not known whether they took effect
}

func (s *Status) strip() Strip {
	out := Strip{Rate: fmt.Sprintf("%.1f", s.Instance.EventsPerSecond), Waiting: int(s.WaitingEvents())}
	for _, p := range s.Pipelines {
		if !p.Internal {
			out.Running += p.Running
		}
	}
	able := int64(0)
	for _, t := range s.Topics {
		if t.Internal {
			continue
		}
		able += t.Lag["ready"] + t.Lag["unread"]
	}
	oldest := s.AsOf
	for _, o := range s.Oldest {
		if !o.Internal && o.Cause != "calling" && o.Cause != "settling" && o.Since.Before(oldest) {
			oldest = o.Since
		}
	}
	if out.Waiting > 0 && oldest.Before(s.AsOf) {
		out.Oldest = Span(s.AsOf.Sub(oldest))
	}
	if rate := s.Instance.EventsPerSecond; able > 0 && rate > 0 {
		out.CaughtUp = Span(time.Duration(float64(able) / rate * float64(time.Second)))
	}
	for _, d := range s.Doubts {
		out.Doubts += d.Calls
	}
	return out
}
