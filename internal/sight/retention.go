package sight

import (
	"sync"
	"time"
)

// Place is a partition of an input topic.
type Place struct {
	Topic     string
	Partition int32
}

// Retention knows when the first record of partitions may be deleted, where it waits.
type Retention struct {
	mu   sync.Mutex
	ends map[Place]time.Time // guarded by mu
}

// Set replaces what is known.
func (r *Retention) Set(ends map[Place]time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = ends
}

// of returns when the first record of a partition may be deleted; false: not soon, or it is not known.
func (r *Retention) of(topic string, partition int32) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end, known := r.ends[Place{topic, partition}]
	return end, known
}
