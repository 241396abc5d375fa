package breaker

import (
	"context"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

const defaultHalfOpen = 3

// Options configure a [Guard]; the zero value of each means the default in brackets.
type Options struct {
	InFlight int     // exchanges at a time [256]
	Rate     float64 // attempts per second; 0: no limit
	Burst    int     // attempts that may begin at once under Rate [1]

	Consecutive int           // failures in a row that open a breaker [10]
	Ratio       float64       // share of failures that opens it [0.5] ...
	MinRequests int           // ... of at least so many [20] ...
	Window      time.Duration // ... within this time [10 s]
	Open        time.Duration // how long it stays open before it probes [10 s]
	HalfOpen    int           // probes, all of which must succeed [3]
	Ramp        time.Duration // from first success to full concurrency [10 s]

	BackOff, BackOffMax            time.Duration // [200 ms, 30 s]
	ThrottledBackOff, ThrottledMax time.Duration // [1 s, 60 s]
	MinAttempts                    int           // [5]
	MaxTrying                      time.Duration // [15 min]
	AttemptTimeout                 time.Duration // of one exchange [15 s]

	// OnState is called on every change of a breaker. It must not block or call the guard:
	// the breaker's lock is held.
	OnState func(method alipay.Method, from, to string)

	// OnTrust is called when the answers of the app can no longer be believed, with the last reason; and when one can be
	// again, or with a reason when they fail in other ways. It must not block or call the guard.
	OnTrust func(trusted bool, why error)

	// OnStep is called when a call leaves a step, with the context of the call and the time that it took. It must not block.
	OnStep func(ctx context.Context, method alipay.Method, step Step, took time.Duration)
}

func (o *Options) defaults() {
	setDefault(&o.InFlight, 256)
	setDefault(&o.Consecutive, 10)
	setDefault(&o.Ratio, 0.5)
	setDefault(&o.MinRequests, 20)
	setDefault(&o.Window, 10*time.Second)
	setDefault(&o.Open, 10*time.Second)
	setDefault(&o.HalfOpen, defaultHalfOpen)
	setDefault(&o.Ramp, 10*time.Second)
	setDefault(&o.BackOff, 200*time.Millisecond)
	setDefault(&o.BackOffMax, 30*time.Second)
	setDefault(&o.ThrottledBackOff, time.Second)
	setDefault(&o.ThrottledMax, time.Minute)
	setDefault(&o.MinAttempts, 5)
	setDefault(&o.MaxTrying, 15*time.Minute)
	setDefault(&o.AttemptTimeout, 15*time.Second)
	if o.OnState == nil {
		o.OnState = func(alipay.Method, string, string) {}
	}
	if o.OnTrust == nil {
		o.OnTrust = func(bool, error) {}
	}
	if o.OnStep == nil {
		o.OnStep = func(context.Context, alipay.Method, Step, time.Duration) {}
	}
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Guard protects one app: its accounts share slots, rate and breakers.
type Guard struct {
	o      Options
	limits *limits
	trust  *trust

	mu    sync.Mutex // guards gates
	gates map[alipay.Method]*gate
}

// New returns a guard; it starts nothing.
func New(o Options) *Guard {
	o.defaults()
	return &Guard{o: o, limits: newLimits(o), trust: &trust{pause: o.Open, changed: o.OnTrust}, gates: map[alipay.Method]*gate{}}
}

// Call begins the calls of one event, with one account's client.
func (g *Guard) Call(client client) *Call { return &Call{guard: g, client: client} }

// AttemptTimeout is the longest time that one exchange may take.
func (g *Guard) AttemptTimeout() time.Duration { return g.o.AttemptTimeout }

func (g *Guard) gate(m alipay.Method) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gates[m] == nil {
		g.gates[m] = newGate(g.o, g.limits, g.trust, m)
	}
	return g.gates[m]
}

// Stats are figures for people, read at one moment.
type Stats struct {
	InFlight  int64
	Breakers  map[alipay.Method]string // closed, half-open or open
	Untrusted bool                     // the app waits: no answer is provably Alipay's
}

// Stats may be called at any time.
func (g *Guard) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Stats{Breakers: map[alipay.Method]string{}, Untrusted: !g.trust.holds()}
	for m, gate := range g.gates {
		s.InFlight += gate.inFlight.Load()
		s.Breakers[m] = gate.breaker.State().String()
	}
	return s
}
