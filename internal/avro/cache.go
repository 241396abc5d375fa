package avro

import (
	"errors"
	"sync"
	"time"
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
