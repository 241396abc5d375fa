package consume

import (
	"fmt"
	"strings"
)

// StartOrder queues a lane for each key, of the topic before its dash, and returns the keys in
// the order in which a pool of one starts them.
func StartOrder(keys []string) []string {
	l := newLanes(func(string) int { return 1 }, 1<<20, 1<<20)
	byTopic := map[string]*partition{}
	for _, key := range keys {
		topic, _, _ := strings.Cut(key, "-")
		if byTopic[topic] == nil {
			byTopic[topic] = &partition{TopicPartition: TopicPartition{Topic: topic}}
		}
		l.push(&item{part: byTopic[topic], task: Task{Key: key}})
	}
	var out []string
	for started := l.start(); len(started) > 0; started = l.start() {
		out = append(out, started[0].task.Key)
		l.release(started[0], true)
	}
	return out
}

// StartedNextTo returns how many lanes of another topic start when one topic's handlings fill a
// pool of this size and do not end.
func StartedNextTo(size, waiting int) int {
	l := newLanes(func(string) int { return size }, 1<<20, 1<<20)
	flood, quiet := &partition{TopicPartition: TopicPartition{Topic: "flood"}}, &partition{TopicPartition: TopicPartition{Topic: "quiet"}}
	for i := range 2 * size {
		l.push(&item{part: flood, task: Task{Key: fmt.Sprint("flood", i)}})
	}
	l.start()
	for i := range waiting {
		l.push(&item{part: quiet, task: Task{Key: fmt.Sprint("quiet", i)}})
	}
	return len(l.start())
}

// StartedInAnotherPool reports whether a lane starts whose head was dropped for one of another pool.
func StartedInAnotherPool() bool {
	l := newLanes(func(string) int { return 10 }, 1<<20, 1<<20)
	gone, kept := &partition{TopicPartition: TopicPartition{Topic: "a"}}, &partition{TopicPartition: TopicPartition{Topic: "b"}}
	l.pool(&item{task: Task{Pool: Pool{App: "B"}}})
	l.push(&item{part: gone, task: Task{Key: "k", Pool: Pool{App: "A"}}})
	l.push(&item{part: kept, task: Task{Key: "k", Pool: Pool{App: "B"}}})
	l.drop(gone)
	return len(l.start()) == 1
}

// StartedWithNeeds returns how many of 100 lanes of two pools start at once when each handling needs
// that many bytes, and checks that the count is given back.
func StartedWithNeeds(maxBytes, needs int) (started, left int) {
	l := newLanes(func(string) int { return 100 }, maxBytes, 1<<20)
	p := &partition{TopicPartition: TopicPartition{Topic: "in"}}
	for i := range 100 {
		l.push(&item{part: p, size: 10, task: Task{Key: fmt.Sprint(i), Pool: Pool{App: fmt.Sprint(i % 2)}, Needs: needs}})
	}
	items := l.start()
	for _, it := range items {
		l.release(it, true)
	}
	return len(items), l.bytes
}
