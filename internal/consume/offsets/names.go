package offsets

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Names are the topics that a process has seen, by name. A topic that is deleted and created again has another id;
// the id zero stands for any topic, of a broker without ids. The zero value has seen none. Many goroutines may use it.
type Names struct {
	mu     sync.Mutex
	byName map[string][]seen   // in the order of time; guarded by mu
	begun  map[string][16]byte // the topic that was created again for which a client began last; guarded by mu
}

type seen struct {
	id   [16]byte
	read bool // records of it were read
}

// maxIDs bounds how many topics of one name are remembered.
const maxIDs = 16

// See remembers the topics that have the names now. [Names.Doubt] must have found no doubt.
func (n *Names) See(f Facts) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byName == nil {
		n.byName = map[string][]seen{}
	}
	for name, id := range f.TopicIDs {
		all := n.byName[name]
		if id == [16]byte{} && len(all) > 0 {
			continue // it says nothing
		}
		now := seen{id: id}
		if i := slices.IndexFunc(all, func(s seen) bool { return s.id == id }); i >= 0 {
			now = all[i]
			all = slices.Delete(all, i, i+1)
		}
		all = append(all, now)
		n.byName[name] = all[max(0, len(all)-maxIDs):]
	}
}

// Last is the topic that had the name last.
func (n *Names) Last(name string) (id [16]byte, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last(name)
}

func (n *Names) last(name string) (id [16]byte, known bool) {
	all := n.byName[name]
	if len(all) == 0 {
		return id, false
	}
	return all[len(all)-1].id, true
}

// Read notes that records of a topic are read.
func (n *Names) Read(name string, id [16]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.byName[name] {
		n.byName[name][i].read = n.byName[name][i].read || n.byName[name][i].id == id
	}
}

// CreatedAgain reports whether another topic than this one had the name last.
func (n *Names) CreatedAgain(name string, id [16]byte) bool {
	last, known := n.Last(name)
	return known && differ(last, id)
}

// Begin notes that a new client begins, because this topic has the name now: the one before keeps the id that it had first.
func (n *Names) Begin(name string, id [16]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.begun == nil {
		n.begun = map[string][16]byte{}
	}
	n.begun[name] = id
}

// MustBegin returns a topic that was created again and for which no new client began yet.
func (n *Names) MustBegin(f Facts) (name string, must bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, id := range f.TopicIDs {
		if last, known := n.last(name); known && differ(last, id) && n.begun[name] != id {
			return name, true
		}
	}
	return "", false
}

// AskFacts is [AskFacts], and an error where there is a doubt.
func (n *Names) AskFacts(ctx context.Context, cl *kgo.Client, topics []string) (Facts, error) {
	f, err := AskFacts(ctx, cl, topics)
	if err == nil {
		err = n.Doubt(ctx, cl, f.TopicIDs)
	}
	return f, err
}

// doubtTimeout is how long one broker is asked.
const doubtTimeout = 3 * time.Second

// Doubt returns an error if a topic is not the one that had its name last, and a broker still names that one: one of the
// two brokers lags, perhaps for long, and nothing says which. A broker that does not answer says nothing.
func (n *Names) Doubt(ctx context.Context, cl *kgo.Client, now map[string][16]byte) error {
	for name, id := range now {
		last, known := n.Last(name)
		if !known || !differ(last, id) {
			continue
		}
		for _, broker := range cl.DiscoveredBrokers() {
			if idAt(ctx, broker, name) == last {
				return fmt.Errorf("brokers do not agree which topic has the name %s: one of them still has the topic that was read until now", name)
			}
		}
	}
	return context.Cause(ctx)
}

// idAt is which topic has a name at a broker, zero if that is not known.
func idAt(ctx context.Context, broker *kgo.Broker, name string) (id [16]byte) {
	ctx, cancel := context.WithTimeout(ctx, doubtTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(name)
	req.Topics = append(req.Topics, topic)
	answer, err := broker.RetriableRequest(ctx, req) // the first answer on an old connection may be its end
	if err != nil {
		return id
	}
	if topics := answer.(*kmsg.MetadataResponse).Topics; len(topics) == 1 {
		id = topics[0].TopicID
	}
	return id
}

// Question asks where partitions begin. What was found for topics that had a name before the one that has it now is taken
// out and becomes Stale: brokers take it for the new one's, because transactions commit offsets by the name of the topic.
func (n *Names) Question(group string, start Start, facts Facts, found map[TopicPartition]Committed) Question {
	n.mu.Lock()
	defer n.mu.Unlock()
	q := Question{Group: group, Start: start, Stale: n.discard(group, facts, found)}
	again := map[string]bool{}
	for topic, id := range facts.TopicIDs {
		last, known := n.last(topic)
		again[topic] = known && differ(last, id)
	}
	for tp := range q.Stale {
		again[tp.Topic] = true // although it may be known meanwhile
	}
	q.CreatedAgain = func(topic string) bool { return again[topic] }
	return q
}

func (n *Names) discard(group string, facts Facts, found map[TopicPartition]Committed) map[TopicPartition]Committed {
	stale := map[TopicPartition]Committed{}
	for tp, c := range found {
		place := facts.Place(group, tp)
		now := place.TopicID
		for _, earlier := range n.byName[tp.Topic] {
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
