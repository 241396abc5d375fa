// Package fair is how many share what is scarce: a queue in which topics take turns, and shares of
// what they hold together.
package fair

import "slices"

// Queue holds what waits for a start. Input topics take turns, so that one topic's flood
// leaves the others their share of a pool (security K10); within a topic the first to come is
// the first to start. The zero value is empty.
//
// Handlings that wait (a back-off, an open breaker) stay started. So that those of one topic do
// not keep the others from starting, a topic may start its share when the pool is full.
type Queue[T any] struct {
	byTopic map[string][]T // none of them empty
	topics  []string       // the next one first
}

// Push appends a value to those of its topic.
func (t *Queue[T]) Push(topic string, v T) {
	if t.byTopic == nil {
		t.byTopic = map[string][]T{}
	}
	if len(t.byTopic[topic]) == 0 {
		t.topics = append(t.topics, topic)
	}
	t.byTopic[topic] = append(t.byTopic[topic], v)
}

// Pop returns the next of a topic that may start one, the zero value when there is none.
func (t *Queue[T]) Pop(may func(topic string) bool) (next T) {
	i := slices.IndexFunc(t.topics, may)
	if i < 0 {
		return next
	}
	topic := t.topics[i]
	t.topics = slices.Delete(t.topics, i, i+1)
	waiting := t.byTopic[topic]
	var zero T
	next, waiting[0] = waiting[0], zero
	if len(waiting) == 1 {
		delete(t.byTopic, topic)
		return next
	}
	t.byTopic[topic] = waiting[1:]
	t.topics = append(t.topics, topic)
	return next
}
