package handle

import (
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/recent"
)

// An order that sends more events than any order has would block what comes after it in its
// partition: each waits for the previous one, and the window ends 24,000 offsets after the
// first (security K10).
// FloodLimit is how many events of one order are handled within ten minutes.
const FloodLimit = 200

const (
	floodTime   = 10 * time.Minute
	floodOrders = 20_000 // that are remembered, up to twice
)

const reasonKeyFlood = "key_flood"

var errFlood = errors.New("more than 200 events of one order in 10 minutes")

// floods counts the events of each order in each input partition, as they are read. It
// forgets orders that it has not seen for a long time.
type floods struct {
	mu     sync.Mutex
	orders recent.Map[floodKey, *floodCount] // guarded by mu
}

type floodKey struct {
	topic     string
	partition int32
	lane      string
}

type floodCount struct {
	since time.Time
	n     int   // events since then
	last  int64 // offset of the newest one
	over  int64 // offset of the first one that was too many; negative: none was

	earlierOver, earlierLast int64 // of the flood before this one; earlierLast negative: none was
}

// over counts an event and reports whether it is one too many. A record that is read again,
// after a rebalance, is judged as it was before and not counted a second time.
func (f *floods) over(lane string, in *kgo.Record, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.count(floodKey{in.Topic, in.Partition, lane}, in.Offset)
	if in.Offset > c.last {
		if now.Sub(c.since) > floodTime {
			if c.over >= 0 {
				c.earlierOver, c.earlierLast = c.over, c.last
			}
			c.since, c.n, c.over = now, 0, -1
		}
		c.n++
		c.last = in.Offset
		if c.n > FloodLimit && c.over < 0 {
			c.over = in.Offset
		}
	}
	return c.over >= 0 && in.Offset >= c.over || c.earlierOver <= in.Offset && in.Offset <= c.earlierLast
}

// count returns an order's figures, or new ones that begin before this offset.
func (f *floods) count(k floodKey, offset int64) *floodCount {
	c, ok := f.orders.Get(k)
	if !ok {
		c = &floodCount{last: offset - 1, over: -1, earlierLast: -1}
	}
	f.orders.Set(k, c)
	return c
}
