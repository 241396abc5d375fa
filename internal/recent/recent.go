// Package recent has a map that keeps recent keys within a limit. It has two generations: when the
// newer one is full, it becomes the older one, and the previous older one is dropped.
package recent

// Map keeps values by key: at least those of the last limit keys that were set, and at most twice as
// many. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	limit        int
	newer, older map[K]V
}

// NewMap returns an empty map that keeps at least limit keys.
func NewMap[K comparable, V any](limit int) Map[K, V] { return Map[K, V]{limit: limit} }

// Get returns the value of a key that is still kept.
func (m *Map[K, V]) Get(key K) (V, bool) {
	if v, ok := m.newer[key]; ok {
		return v, true
	}
	v, ok := m.older[key]
	return v, ok
}

// Set stores a value, and makes its key the most recent one.
func (m *Map[K, V]) Set(key K, v V) {
	if _, ok := m.newer[key]; !ok && (m.newer == nil || len(m.newer) >= m.limit) {
		m.newer, m.older = make(map[K]V), m.newer
	}
	m.newer[key] = v
}

// Len returns how many keys are kept; keys in both generations are counted twice.
func (m *Map[K, V]) Len() int { return len(m.newer) + len(m.older) }
