package sight

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
)

// How many instances the work of this one wants. Work that another instance cannot do, because it
// waits for Alipay, for a person or for an earlier event of its order, wants none.
const (
	sampleEvery  = 5 * time.Second
	sampleWindow = 12                 // samples of a minute
	drainWithin  = 60.0               // seconds in which ready records are to be handled
	targetUse    = 0.7                // share of an instance that is used when the number is right
	badShare     = 0.01               // of the exchanges: above it, the app is not healthy
	slowFactor   = 3                  // times the usual latency: above it, the app is not healthy
	usualFor     = 60 * 60 / (5 * 12) // minutes that the usual latency is made of
	minCapacity  = 1.0                // events a second that an instance is thought to handle at least
	lowestUse    = 0.05               // below it, use says nothing about the capacity
)

// sample is what an instance does at one moment, or did since the last one.
type sample struct {
	cpu      float64 // share of the processors that was used
	slots    float64 // share of the slots of healthy apps in use; the highest of all apps
	finished float64 // outcomes of all pipelines a second
	events   float64 // those of events of users
	ready    int64   // records that could be handled
	parts    int     // partitions with such records
	waiting  bool    // something waits for a breaker, a limit or a pause
}

// wanted is how many instances the samples of the last minute want.
func wanted(samples []sample) float64 {
	if len(samples) == 0 {
		return 1 // it is starting
	}
	last := samples[len(samples)-1]
	var use, finished float64
	for _, s := range samples {
		use += max(s.cpu, s.slots) / float64(len(samples))
		finished += s.finished / float64(len(samples))
	}
	capacity := max(minCapacity, finished/max(use, lowestUse))
	out := min(float64(last.parts), (use+float64(last.ready)/(capacity*drainWithin))/targetUse)
	if last.parts == 0 {
		out = min(1, use/targetUse) // what runs here cannot be given to others
	}
	if last.waiting {
		out = max(out, 1)
	}
	return out
}

// scale samples what an instance does.
type scale struct {
	mu       sync.Mutex
	samples  []sample               // the last ones; guarded by mu
	apps     map[string]*appSamples // guarded by mu
	cpu      float64                // seconds of the process at the last sample
	finished uint64                 // outcomes at the last sample
	events   uint64                 // of events of users, at the last sample
	at       time.Time              // of the last sample
	stopping bool
}

// appSamples is how an app's exchanges went.
type appSamples struct {
	total, bad int             // since the last minute
	took       time.Duration   // all of them
	usual      []time.Duration // means of past minutes, at most an hour
}

// exchanged notes an exchange of an app.
func (s *scale) exchanged(app string, class alipay.Class, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps == nil {
		s.apps = map[string]*appSamples{}
	}
	a := s.apps[app]
	if a == nil {
		a = &appSamples{}
		s.apps[app] = a
	}
	a.total++
	a.took += took
	switch class {
	case alipay.Transient, alipay.Throttled, alipay.Ambiguous, alipay.Untrusted:
		a.bad++
	}
}

// healthy reports whether an app answers as usual: a slow or failing Alipay must not call for more
// instances, which would press it harder.
func (a *appSamples) healthy() bool {
	if a == nil || a.total == 0 {
		return true
	}
	if float64(a.bad) > badShare*float64(a.total) {
		return false
	}
	if len(a.usual) == 0 {
		return true
	}
	sorted := slices.Sorted(slices.Values(a.usual))
	return a.took/time.Duration(a.total) <= slowFactor*sorted[len(sorted)/2]
}

// minute ends a minute of an app.
func (a *appSamples) minute() {
	if a.total > 0 {
		a.usual = append(a.usual, a.took/time.Duration(a.total))
		if len(a.usual) > usualFor {
			a.usual = a.usual[1:]
		}
	}
	a.total, a.bad, a.took = 0, 0, 0
}

// Run samples until ctx ends.
func (s *Sight) Run(ctx context.Context) {
	s.scale.cpu, s.scale.at = cpuSeconds(), time.Now()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			s.scale.mu.Lock()
			s.scale.stopping = true
			s.scale.mu.Unlock()
			return
		case <-tick.C:
			s.sample(n%sampleWindow == 0)
		}
	}
}

// sample takes a sample; minute says that a minute is over.
func (s *Sight) sample(minute bool) {
	var now sample
	var finished, events uint64
	engines := map[*Pipeline]look.Engine{}
	for _, p := range s.all() {
		engines[p] = p.Look(0)
		n := p.finished.Load()
		finished += n
		if !p.Internal {
			events += n
		}
	}
	s.scale.mu.Lock()
	defer s.scale.mu.Unlock()
	for p, e := range engines {
		for _, t := range e.Topics {
			now.ready += t.Lag[look.Ready] + t.Lag[look.Unread]
			now.waiting = now.waiting || t.Lag[look.Breaker]+t.Lag[look.RateLimit]+t.Lag[look.Retry] > 0
		}
		for i := range e.Partitions {
			if part := &e.Partitions[i]; part.State == "open" && (part.Waiting > 0 || part.Unread > 0) {
				now.parts++
			}
		}
		for app, g := range p.guards {
			if limit := p.limits[app]; limit > 0 && s.scale.apps[app].healthy() {
				now.slots = max(now.slots, float64(g.Stats().InFlight)/float64(limit))
			}
		}
	}
	if now.ready == 0 {
		now.parts = 0
	}
	cpu, at := cpuSeconds(), time.Now()
	if took := at.Sub(s.scale.at).Seconds(); took > 0 {
		now.cpu = min(1, max(0, cpu-s.scale.cpu)/took/float64(runtime.GOMAXPROCS(0)))
		now.finished, now.events = float64(finished-s.scale.finished)/took, float64(events-s.scale.events)/took
	}
	s.scale.cpu, s.scale.at, s.scale.finished, s.scale.events = cpu, at, finished, events
	s.scale.samples = append(s.scale.samples, now)
	if len(s.scale.samples) > sampleWindow {
		s.scale.samples = s.scale.samples[1:]
	}
	if minute {
		for _, a := range s.scale.apps {
			a.minute()
		}
	}
}

// eventsPerSecond is how many events of users were finished a second, over the last minute.
func (s *Sight) eventsPerSecond() float64 {
	s.scale.mu.Lock()
	defer s.scale.mu.Unlock()
	sum := 0.0
	for _, one := range s.scale.samples {
		sum += one.events
	}
	return math.Round(10*sum/float64(max(1, len(s.scale.samples)))) / 10
}

// ReplicasWanted is how many instances the work of this one wants. The sum over all instances is what
// the group wants.
func (s *Sight) ReplicasWanted() float64 {
	s.scale.mu.Lock()
	defer s.scale.mu.Unlock()
	if s.scale.stopping {
		return 0
	}
	return wanted(s.scale.samples)
}

// MetricsHandler serves /metrics, and /scale for an autoscaler: one number, without any name in it.
func (s *Sight) MetricsHandler(m *metrics.Set) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /scale", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, "{\"replicas_wanted\":%.2f}\n", s.ReplicasWanted())
	})
	return mux
}
