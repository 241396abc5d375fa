package consume

// turns are lanes that wait for a start. Input topics take turns, so that one topic's flood
// leaves the others their share of an app (security K10); within a topic the first come is
// the first served. The zero value is empty.
type turns struct {
	byTopic map[string][]*lane // none of them empty
	topics  []string           // the next one first
}

func (t *turns) push(topic string, ln *lane) {
	if t.byTopic == nil {
		t.byTopic = map[string][]*lane{}
	}
	if len(t.byTopic[topic]) == 0 {
		t.topics = append(t.topics, topic)
	}
	t.byTopic[topic] = append(t.byTopic[topic], ln)
}

// pop returns nil when nothing waits.
func (t *turns) pop() *lane {
	if len(t.topics) == 0 {
		return nil
	}
	topic := t.topics[0]
	t.topics = t.topics[1:]
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
