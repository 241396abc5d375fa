package consume

import (
	"container/heap"
	"slices"
)

// turns are lanes that wait for a start. Input topics take turns, so that one topic's flood
// leaves the others their share of an app (security K10). Within a topic the lane whose head
// was admitted first is served first, so that the committed position follows the work. The
// zero value is empty.
//
// Handlings that wait (a back-off, an open breaker) stay started. So that one topic's do not
// keep the others from starting, a topic may start its share when the pool is full.
type turns struct {
	byTopic map[string]*oldest // none of them empty
	topics  []string           // the next one first
}

func (t *turns) push(topic string, ln *lane) {
	if t.byTopic == nil {
		t.byTopic = map[string]*oldest{}
	}
	if t.byTopic[topic] == nil {
		t.byTopic[topic] = &oldest{}
		t.topics = append(t.topics, topic)
	}
	heap.Push(t.byTopic[topic], waiting{ln.queue[0].number, ln})
}

// pop returns the next lane of a topic that may start one, nil when there is none.
func (t *turns) pop(may func(topic string) bool) *lane {
	i := slices.IndexFunc(t.topics, may)
	if i < 0 {
		return nil
	}
	topic := t.topics[i]
	t.topics = slices.Delete(t.topics, i, i+1)
	ln := heap.Pop(t.byTopic[topic]).(waiting).lane
	if t.byTopic[topic].Len() == 0 {
		delete(t.byTopic, topic)
	} else {
		t.topics = append(t.topics, topic)
	}
	return ln
}

// waiting is a lane with the number of the head that it had when it began to wait.
type waiting struct {
	number uint64
	lane   *lane
}

// oldest is a heap of waiting lanes.
type oldest []waiting

func (o oldest) Len() int           { return len(o) }
func (o oldest) Less(i, j int) bool { return o[i].number < o[j].number }
func (o oldest) Swap(i, j int)      { o[i], o[j] = o[j], o[i] }
func (o *oldest) Push(x any)        { *o = append(*o, x.(waiting)) }

func (o *oldest) Pop() any {
	last := len(*o) - 1
	w := (*o)[last]
	(*o)[last] = waiting{}
	*o = (*o)[:last]
	return w
}
