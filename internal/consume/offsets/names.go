package offsets

import (
	"slices"

	"alipay-kafka-bridge/internal/consume/window"
)

// Names are the topics that a process has seen, by name. A topic that is deleted and created again has another id;
// zero stands for any topic, of a broker without ids.
type Names map[string][][16]byte // in the order of time

// maxIDs bounds how many topics of one name are remembered.
const maxIDs = 16

// See remembers the topics that have the names now.
func (n Names) See(f Facts) {
	for name, id := range f.TopicIDs {
		if last, known := n.Last(name); known && last == id {
			continue
		}
		n[name] = append(n[name], id)
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
	return ids[len(ids)-1], true
}

// CreatedAgain reports whether another topic than this one has had the name.
func (n Names) CreatedAgain(name string, id [16]byte) bool {
	return slices.ContainsFunc(n[name], func(earlier [16]byte) bool { return differ(earlier, id) })
}

// Stale reports whether a committed position is of an earlier topic of the same name. Brokers take it for the new one,
// because transactions commit offsets by the name of the topic.
func (n Names) Stale(place window.Place, topic string, c Committed) bool {
	now := place.TopicID
	return slices.ContainsFunc(n[topic], func(earlier [16]byte) bool {
		place.TopicID = earlier
		_, err := place.Read(c.Offset, c.Text)
		return differ(earlier, now) && err == nil
	})
}

func differ(a, b [16]byte) bool { return a != b && a != [16]byte{} && b != [16]byte{} }
