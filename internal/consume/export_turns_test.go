package consume

import "strings"

// StartOrder queues a lane for each key, of the topic before its dash, and returns the keys in
// the order in which a pool of one starts them.
func StartOrder(keys []string) []string {
	l := newLanes(func(string) int { return 1 })
	byTopic := map[string]*partition{}
	for _, key := range keys {
		topic, _, _ := strings.Cut(key, "-")
		if byTopic[topic] == nil {
			byTopic[topic] = &partition{topicPartition: topicPartition{topic: topic}}
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
