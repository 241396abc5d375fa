// Package late says how long an unknown schema id is worth waiting for.
//
// A follower of the registry, or a cache before it, learns of a new schema some seconds after its
// producer did. So an unknown id is asked for again for a while before its records become dead
// letters. A producer that makes ids up must not stop its partition with each of them: of one topic
// only a few ids may be waited for in a row, and then one a minute.
package late

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"alipay-kafka-bridge/internal/recent"
)

const (
	// For is how long an id may stay unknown.
	For = 15 * time.Second

	atOnce = 3
	every  = time.Minute
	idsMax = 1000 // remembered at least; twice as many at most
)

type id struct {
	topic  string
	schema int32
}

// IDs remembers since when ids are unknown.
type IDs struct {
	mu     sync.Mutex
	first  recent.Map[id, time.Time] // guarded by mu
	allows map[string]*rate.Limiter  // by topic; guarded by mu
}

// New returns a memory of ids.
func New() IDs {
	return IDs{first: recent.NewMap[id, time.Time](idsMax), allows: map[string]*rate.Limiter{}}
}

// MayCome reports whether an id that is not known is worth waiting for.
func (l *IDs) MayCome(topic string, schema int32, now time.Time) bool {
	key := id{topic, schema}
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.first.Get(key); ok {
		return now.Sub(first) < For
	}
	if l.allows[topic] == nil {
		l.allows[topic] = rate.NewLimiter(rate.Every(every), atOnce)
	}
	wait := l.allows[topic].AllowN(now, 1)
	first := now
	if !wait {
		first = now.Add(-For) // final at once, and also when it is read again
	}
	l.first.Set(key, first)
	return wait
}
