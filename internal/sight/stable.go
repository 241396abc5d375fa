package sight

import (
	"sync"
	"time"
)

// stableAge is how long an answer of the brokers says something about now.
const stableAge = time.Minute

// Stable knows for how long the last stable offset of partitions has stood still below records that were
// written later: a transaction of a producer is open, and no reader of committed records passes it.
type Stable struct {
	mu    sync.Mutex
	stuck map[topicPartition]stuck // guarded by mu
}

type topicPartition struct {
	topic     string
	partition int32
}

type stuck struct {
	seen   time.Time // when it was asked for last
	high   int64
	offset int64
	since  time.Time // when it was seen there first; zero: nothing is behind it
}

// Note notes the last stable offset of a partition, and its high watermark.
func (s *Stable) Note(topic string, partition int32, stable, high int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck == nil {
		s.stuck = map[topicPartition]stuck{}
	}
	key, now := topicPartition{topic, partition}, time.Now()
	switch before := s.stuck[key]; {
	case stable >= high:
		s.stuck[key] = stuck{seen: now, high: high, offset: stable}
	case before.offset != stable || before.since.IsZero():
		s.stuck[key] = stuck{now, high, stable, now}
	default:
		before.seen, before.high = now, high
		s.stuck[key] = before
	}
}

// unread returns how many offsets of a partition lie at or above one, as far as it is known.
func (s *Stable) unread(topic string, partition int32, from int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.stuck[topicPartition{topic, partition}].high-from)
}

// of returns for how long a partition has been stuck, and false if nothing is known of it.
func (s *Stable) of(topic string, partition int32, now time.Time) (d time.Duration, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, known := s.stuck[topicPartition{topic, partition}]
	switch {
	case !known || now.Sub(st.seen) > stableAge:
		return 0, false
	case st.since.IsZero():
		return 0, true
	}
	return st.seen.Sub(st.since), true
}
