package telemetry

import (
	"log/slog"
	"sync"
	"time"
)

// countEvery is the shortest time between two lines of the same kind.
const countEvery = time.Minute

// Counts logs how often something happened: the first time at once, then at most one line a minute for
// each set of attributes. The callers bound these sets. It may be used by many goroutines.
type Counts[K comparable] struct {
	log     *slog.Logger
	message string
	attrs   func(K) []any

	mu    sync.Mutex
	since map[K]int // not logged yet, of keys that were logged within the last minute; guarded by mu
}

// NewCounts returns counts with one message; attrs are the attributes of a key.
func NewCounts[K comparable](log *slog.Logger, message string, attrs func(K) []any) *Counts[K] {
	return &Counts[K]{log: log, message: message, attrs: attrs, since: map[K]int{}}
}

// Add counts n more.
func (c *Counts[K]) Add(key K, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiting, ok := c.since[key]; ok {
		c.since[key] = waiting + n
		return
	}
	c.begin(key, n)
}

// begin logs a key and counts what follows within a minute. Called under mu.
func (c *Counts[K]) begin(key K, n int) {
	c.since[key] = 0
	c.log.Warn(c.message, append([]any{"count", n}, c.attrs(key)...)...) //nolint:sloglint // a constant of the caller
	time.AfterFunc(countEvery, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if n := c.since[key]; n > 0 {
			c.begin(key, n)
			return
		}
		delete(c.since, key)
	})
}
