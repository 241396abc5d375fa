package consume

import "slices"

// fairQueue are lanes that wait for a start. Input topics take turns, so that one topic's flood
// leaves the others their share of an app (security K10); within a topic the first come is
// the first served. The zero value is empty.
//
// Handlings that wait (a back-off, an open breaker) stay started. So that one topic's do not
// keep the others from starting, a topic may start its share when the pool is full.
type fairQueue struct {
	byTopic map[string][]*lane // none of them empty
	topics  []string           // the next one first
}

func (t *fairQueue) push(topic string, ln *lane) {
	if t.byTopic == nil {
		t.byTopic = map[string][]*lane{}
	}
	if len(t.byTopic[topic]) == 0 {
		t.topics = append(t.topics, topic)
	}
	t.byTopic[topic] = append(t.byTopic[topic], ln)
}

// pop returns the next lane of a topic that may start one, nil when there is none.
func (t *fairQueue) pop(may func(topic string) bool) *lane {
	i := slices.IndexFunc(t.topics, may)
	if i < 0 {
		return nil
	}
	topic := t.topics[i]
	t.topics = slices.Delete(t.topics, i, i+1)
	waiting := t.byTopic[topic]
	ln := waiting[0]
	waiting[0] = nil
	if len(waiting) == 1 {
		delete(t.byTopic, topic)
		return ln
	}
	t.byTopic[topic] = waiting[1:]
	t.topics = append(t.topics, topic)
	return ln
}
