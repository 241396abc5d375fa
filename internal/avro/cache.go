package avro

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"alipay-kafka-bridge/internal/recent"
)

type codecKey struct {
	topic string
	id    SchemaID
}

// codecEntry is what is known about an id: its codec, or why there is none.
type codecEntry struct {
	codec *Codec
	err   error
	until time.Time // when an unknown id may be asked for again; zero: never changes
	used  uint64    // when it was asked for last, in the cache's own count
}

// codecCache keeps at most [maxCodecs] answers, made of at most [maxCodecText], and drops
// those that were unused longest.
type codecCache struct {
	mu      sync.Mutex
	entries map[codecKey]*codecEntry // guarded by mu
	text    int                      // bytes of all schemas in it; guarded by mu
	count   uint64                   // of all gets; guarded by mu
}

func (c *codecCache) get(key codecKey) *codecEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil || !e.until.IsZero() && time.Now().After(e.until) {
		return nil
	}
	c.count++
	e.used = c.count
	return e
}

// keep stores an answer. Nothing is kept when the registry could not be asked.
func (c *codecCache) keep(key codecKey, codec *Codec, err error) {
	e := &codecEntry{codec: codec, err: err}
	if err != nil {
		var final *UndecodableError
		if !errors.As(err, &final) {
			return
		}
		if final.Reason == ReasonUndecodable { // an id that may become known later
			e.until = time.Now().Add(negativeFor)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	for len(c.entries) > 0 && (len(c.entries) >= maxCodecs || c.text+e.size() > maxCodecText) {
		c.dropOldest()
	}
	c.count++
	e.used = c.count
	c.entries[key] = e
	c.text += e.size()
}

// size is the length of an entry's schema, which its memory grows with.
func (e *codecEntry) size() int {
	if e.codec == nil {
		return 0
	}
	return e.codec.size
}

func (c *codecCache) drop(key codecKey) {
	if e := c.entries[key]; e != nil {
		c.text -= e.size()
		delete(c.entries, key)
	}
}

// dropOldest looks at every entry: it runs at most [asksPerSecond] times a second and topic.
func (c *codecCache) dropOldest() {
	var oldest codecKey
	first := true
	for key, e := range c.entries {
		if first || e.used < c.entries[oldest].used {
			oldest, first = key, false
		}
	}
	c.drop(oldest)
}

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

// mayCome reports whether an id that is not known is worth waiting for.
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
