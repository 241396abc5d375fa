package avro

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"alipay-kafka-bridge/internal/recent"
)

// A follower of the registry, or a cache before it, learns of a new schema some seconds after its
// producer did. So an unknown id is asked for again for a while before its records become dead
// letters. A producer that makes ids up must not stop its partition with each of them: of one topic
// only a few ids may be waited for in a row, and then one a minute.
const (
	lateFor    = 15 * time.Second
	lateAtOnce = 3
	lateEvery  = time.Minute
	lateIDsMax = 1000 // remembered at least; twice as many at most
)

// lateIDs remembers since when ids are unknown.
type lateIDs struct {
	mu     sync.Mutex
	first  recent.Map[codecKey, time.Time] // guarded by mu
	allows map[string]*rate.Limiter        // by topic; guarded by mu
}

func newLateIDs() lateIDs {
	return lateIDs{first: recent.NewMap[codecKey, time.Time](lateIDsMax), allows: map[string]*rate.Limiter{}}
}

// mayCome says whether an id that is not known is worth waiting for.
func (l *lateIDs) mayCome(key codecKey, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, ok := l.first.Get(key); ok {
		return now.Sub(first) < lateFor
	}
	if l.allows[key.topic] == nil {
		l.allows[key.topic] = rate.NewLimiter(rate.Every(lateEvery), lateAtOnce)
	}
	wait := l.allows[key.topic].AllowN(now, 1)
	first := now
	if !wait {
		first = now.Add(-lateFor) // final at once, and also when it is read again
	}
	l.first.Set(key, first)
	return wait
}
