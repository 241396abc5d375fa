// Package recent remembers what was met lately, within a bound: a map of two generations. When
// the newer one is full it becomes the older one, and what the older one held is forgotten.
package recent

// Map remembers values by key: at least the last Limit keys that were set, and at most twice as
// many. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	limit        int
	newer, older map[K]V
}

// NewMap returns an empty map.
func NewMap[K comparable, V any](limit int) Map[K, V] { return Map[K, V]{limit: limit} }

// Get returns the value of a key that is still remembered.
func (m *Map[K, V]) Get(key K) (V, bool) {
	if v, ok := m.newer[key]; ok {
		return v, true
	}
	v, ok := m.older[key]
	return v, ok
}

// Set remembers a value. The key counts as met now.
func (m *Map[K, V]) Set(key K, v V) {
	if _, ok := m.newer[key]; !ok && (m.newer == nil || len(m.newer) >= m.limit) {
		m.newer, m.older = make(map[K]V), m.newer
	}
	m.newer[key] = v
}

// Len is how many keys are remembered, those of both generations twice.
func (m *Map[K, V]) Len() int { return len(m.newer) + len(m.older) }
