package handle

import (
	"sync"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/recent"
)

// newestLimit is how many orders newestEvents remembers at least; twice as many at most.
const newestLimit = 50_000

// newestEvents remembers, per HK order, the last event that AlipayHK accepted. The gateway processes
// only what is strictly newer by orderModifyTime and answers S to the rest (Synchronize
// Order, "orderModifyTime"): without this an event without effect would be reported as
// applied. It forgets orders that it has not seen for a long time; an event that is let through
// then is found by comparing consecutive results.
type newestEvents struct {
	mu     sync.Mutex
	byLane recent.Map[string, acceptedEvent] // guarded by mu
}

type acceptedEvent struct {
	id      order.EventID
	at      time.Time
	version int64 // 0: the producer gives none
	origin  order.Origin
}

// precedes reports whether an event may come after m in the log. One at the same place or before
// it is read again, after a lost membership or a rewind: it was judged when it came first.
func (m acceptedEvent) precedes(o order.Origin) bool {
	return m.origin.Topic != o.Topic || m.origin.Partition != o.Partition || m.origin.Offset < o.Offset
}

// superseded returns why the event must not be sent: it is not newer than one that was.
func (c *newestEvents) superseded(e *handling) string {
	if e.Request.Method() != alipay.MethodHKOrderSync {
		return ""
	}
	last, ok := c.get(laneOf(e))
	switch ev := e.Event; {
	case !ok || last.id == ev.ID || !last.precedes(e.Origin):
		return ""
	case ev.Version > 0 && last.version > 0 && ev.Version <= last.version:
		return "order_version"
	case !ev.OccurredAt.After(last.at):
		return "occurred_at"
	}
	return ""
}

// accepted remembers an event that AlipayHK accepted.
func (c *newestEvents) accepted(e *handling, class alipay.Class) {
	if e.Request.Method() != alipay.MethodHKOrderSync || class != alipay.Done && class != alipay.Accepted {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byLane.Set(laneOf(e), acceptedEvent{e.Event.ID, e.Event.OccurredAt, e.Event.Version, e.Origin})
}

func (c *newestEvents) get(lane string) (acceptedEvent, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byLane.Get(lane)
}

func laneOf(e *handling) string { return laneKey(e.Account, e.Event.OrderNo) }
