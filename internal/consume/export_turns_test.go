package consume

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
)

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

// Judge makes the checks of an event that need neither its bytes nor its plan.
func (h *Handler) Judge(account order.Account, lane string, in *kgo.Record, at, now time.Time) bool {
	_, reason := h.account(in.Topic, account)
	return reason == "" && !h.floods.over(lane, in, now) && !at.After(now.Add(maxAhead))
}
