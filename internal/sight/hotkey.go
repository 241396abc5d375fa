package sight

import (
	"sync"

	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/metrics"
)

// meanOver is how many of the last handlings a mean is about; older ones count less and less.
const meanOver = 32

// means are the recent mean durations of handlings in seconds, by input topic.
type means struct {
	mu sync.Mutex
	by map[string]float64 // guarded by mu
}

// note adds a handling with a call that led to an outcome.
func (m *means) note(topic string, seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mean, known := m.by[topic]
	if !known {
		mean = seconds
	}
	if m.by == nil {
		m.by = map[string]float64{}
	}
	m.by[topic] = mean + (seconds-mean)/meanOver
}

// of returns the mean of a topic; 0: nothing of it was handled yet.
func (m *means) of(topic string) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by[topic]
}

// observeHotKeys shows how long the order with the most waiting events of each topic will take, one event after the other. More
// instances do not help it. No more of its events are called within ten minutes than [handle.FloodLimit]: the others end at once.
func (p *Pipeline) observeHotKeys(o *metrics.Observer, e *look.Engine) {
	if p.Internal {
		return // no producer is behind it
	}
	for _, t := range e.Topics {
		o.Gauge(&metrics.HotKeyDrain, float64(min(t.Deepest, handle.FloodLimit))*p.means.of(t.Name), t.Name)
	}
}
