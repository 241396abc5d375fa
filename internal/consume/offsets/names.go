package offsets

import (
	"fmt"
	"slices"
)

// Names are the topics that a process has seen, by name. A topic that is deleted and created again has another id;
// zero stands for any topic, of a broker without ids.
type Names map[string][]seen // in the order of time

type seen struct {
	id   [16]byte
	read bool // records of it were read: it was there, and no broker that lags made us believe so
}

// maxIDs bounds how many topics of one name are remembered.
const maxIDs = 16

// See remembers the topics that have the names now.
func (n Names) See(f Facts) {
	for name, id := range f.TopicIDs {
		if last, known := n.Last(name); known && last == id {
			continue
		}
		n[name] = append(n[name], seen{id: id})
		if len(n[name]) > maxIDs {
			n[name] = slices.Clone(n[name][1:])
		}
	}
}

// Last is the topic that had the name last.
func (n Names) Last(name string) (id [16]byte, known bool) {
	ids := n[name]
	if len(ids) == 0 {
		return id, false
	}
	return ids[len(ids)-1].id, true
}

// Read notes that records of a topic are read.
func (n Names) Read(name string, id [16]byte) {
	for i := range n[name] {
		n[name][i].read = n[name][i].read || n[name][i].id == id
	}
}

// CreatedAgain reports whether another topic than this one had the name last.
func (n Names) CreatedAgain(name string, id [16]byte) bool {
	last, known := n.Last(name)
	return known && differ(last, id)
}

// Lags reports whether another topic has had the name since: only a broker that lags still says that this one has it.
func (n Names) Lags(name string, id [16]byte) bool {
	return n.CreatedAgain(name, id) && slices.ContainsFunc(n[name], func(s seen) bool { return s.id == id })
}

// Question asks where partitions begin. What was found for topics that had a name before the one that has it now is taken
// out and becomes Stale: brokers take it for the new one's, because transactions commit offsets by the name of the topic.
func (n Names) Question(group string, start Start, facts Facts, found map[TopicPartition]Committed) Question {
	q := Question{Group: group, Start: start, Stale: n.discard(group, facts, found)}
	again := map[string]bool{}
	for topic, id := range facts.TopicIDs {
		again[topic] = n.CreatedAgain(topic, id)
		if n.Lags(topic, id) {
			q.Lag = fmt.Errorf("a broker takes topic %s for one that was deleted", topic)
		}
	}
	for tp := range q.Stale {
		again[tp.Topic] = true // although it may be known meanwhile
	}
	q.CreatedAgain = func(topic string) bool { return again[topic] }
	return q
}

func (n Names) discard(group string, facts Facts, found map[TopicPartition]Committed) map[TopicPartition]Committed {
	stale := map[TopicPartition]Committed{}
	for tp, c := range found {
		place := facts.Place(group, tp)
		now := place.TopicID
		for _, earlier := range n[tp.Topic] {
			if earlier.id == now {
				break // what follows came later
			}
			place.TopicID = earlier.id
			if _, err := place.Read(c.Offset, c.Text); err == nil && earlier.read && differ(earlier.id, now) {
				stale[tp], found[tp] = c, Committed{Offset: -1}
			}
		}
	}
	return stale
}

func differ(a, b [16]byte) bool { return a != b && a != [16]byte{} && b != [16]byte{} }
