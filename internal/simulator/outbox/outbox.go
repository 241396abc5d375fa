// Package outbox delivers Alipay's notifications: by the schedule of their repeats, signed anew for each
// delivery, several at a time, and with faults on demand: doubled, reordered, lost, late, in another form.
package outbox

import (
	"cmp"
	"container/heap"
	"container/list"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// DefaultKeep is how many notifications without a further delivery are kept unless Options.Keep is set.
	DefaultKeep = 100_000
	// DefaultSenders is how many deliveries run at the same time unless Options.Senders is set.
	DefaultSenders = 16
)

// Options of an outbox. Now and Sign are required.
type Options struct {
	Now  func() time.Time
	Seed uint64 // of the faults
	// Sign signs a text with the key that an app has for this sign_type, and returns the signature in Base64.
	Sign func(app, signType string, text []byte) string
	// Client sends notifications; nil: a client that follows no redirect, uses no proxy and waits 10 s.
	Client  *http.Client
	Faults  []Fault
	Keep    int    // how many notifications without a further delivery are kept; the oldest are forgotten; zero: DefaultKeep
	Senders int    // how many deliveries run at the same time; zero: DefaultSenders
	Changed func() // is called, without a lock, when a delivery of Start has ended; may be nil
}

// Notification is one notification with all its deliveries.
type Notification struct {
	ID         string            `json:"id"` // notify_id: the same for all deliveries
	App        string            `json:"app"`
	OutTradeNo string            `json:"out_trade_no"`
	Status     string            `json:"status"` // of the trade
	URL        string            `json:"url"`
	Params     map[string]string `json:"params"` // without notify_time and sign, which differ for each delivery
	Deliveries []Delivery        `json:"deliveries"`
	Due        time.Time         `json:"due,omitzero"` // time of the next delivery; zero: none follows
	Done       bool              `json:"done"`         // acknowledged

	Faults    []string      `json:"faults,omitempty"`    // kinds of the faults that act on it
	Again     int           `json:"again,omitempty"`     // deliveries that follow although it is acknowledged
	Pause     time.Duration `json:"pause,omitempty"`     // before each of these
	Shift     time.Duration `json:"shift,omitempty"`     // added to notify_time
	Percent20 bool          `json:"percent20,omitempty"` // blanks are sent as %20, not as +
}

// Delivery is one attempt.
type Delivery struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"` // zero: no answer
	Body   string    `json:"body"`   // beginning of the answer
	Err    string    `json:"err,omitempty"`
}

// entry is a notification in the outbox. It is in exactly one of: waiting, parked, sending, finished.
type entry struct {
	Notification
	seq      int
	era      int           // of the outbox, see Reset
	index    int           // in waiting; -1: not there
	parked   bool          // it is due, but another one of its order is being delivered
	sending  bool          // it is being delivered
	finished *list.Element // in Outbox.finished; nil: not there
}

func (e *entry) order() orderKey { return orderKey{e.App, e.OutTradeNo} }

type orderKey struct{ app, outTradeNo string }

// Outbox holds notifications, sent or not. It is safe for concurrent use.
type Outbox struct {
	o       Options
	sending sync.WaitGroup // deliveries of Start

	mu       sync.Mutex // guards what follows; never held while sending
	era      int
	lastSeq  int
	byID     map[string]*entry
	waiting  queue                 // what has a next delivery
	busy     map[orderKey][]*entry // orders with a running delivery, and what is parked behind it
	back     map[orderKey][]*entry // what the fault Reordered holds back
	finished *list.List            // of *entry without a further delivery, the oldest first
	held     bool
	running  int // deliveries of Start
	faults   []activeFault
}

// New returns an empty outbox.
func New(o Options) *Outbox {
	o.Keep, o.Senders = cmp.Or(o.Keep, DefaultKeep), cmp.Or(o.Senders, DefaultSenders)
	if o.Client == nil {
		o.Client = newClient()
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	b := &Outbox{o: o}
	b.Reset()
	for _, f := range o.Faults {
		b.AddFault(f)
	}
	return b
}

// Reset deletes all notifications and ends a hold. Faults stay.
func (b *Outbox) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.era++ // a delivery that is still running belongs to nothing any more
	b.byID, b.waiting, b.finished, b.held = map[string]*entry{}, nil, list.New(), false
	b.busy, b.back = map[orderKey][]*entry{}, map[orderKey][]*entry{}
}

// Add queues a new notification, unless a fault loses it.
func (b *Outbox) Add(n Notification, due time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n.Due = due
	e := b.put(n)
	b.applyFaults(e)
	b.settle(e)
}

// Restore adds notifications as All returned them. No fault acts on them again.
func (b *Outbox) Restore(list []Notification) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range list {
		b.settle(b.put(n))
	}
}

// put stores a notification; settle must follow. The caller holds mu.
func (b *Outbox) put(n Notification) *entry {
	b.lastSeq++
	e := &entry{Notification: n, seq: b.lastSeq, era: b.era, index: -1}
	b.byID[n.ID] = e
	return e
}

// settle puts a notification where it belongs after its Due has changed. The caller holds mu.
func (b *Outbox) settle(e *entry) {
	if e.finished != nil {
		b.finished.Remove(e.finished)
		e.finished = nil
	}
	switch {
	case e.parked || e.sending:
	case !e.Due.IsZero() && e.index >= 0:
		heap.Fix(&b.waiting, e.index)
	case !e.Due.IsZero():
		heap.Push(&b.waiting, e)
	default:
		e.finished = b.finished.PushBack(e)
		b.forget()
	}
}

// forget deletes the oldest notifications without a further delivery beyond the limit. The caller holds mu.
func (b *Outbox) forget() {
	for b.finished.Len() > b.o.Keep {
		e := b.finished.Remove(b.finished.Front()).(*entry)
		delete(b.byID, e.ID)
	}
}

// All returns copies of the notifications that are kept, the oldest first.
func (b *Outbox) All() []Notification {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.SortedFunc(maps.Values(b.byID), func(x, y *entry) int { return x.seq - y.seq })
	out := make([]Notification, len(all))
	for i, e := range all {
		out[i] = e.Notification
		out[i].Params, out[i].Deliveries, out[i].Faults = maps.Clone(e.Params), slices.Clone(e.Deliveries), slices.Clone(e.Faults)
	}
	return out
}

// errNoNotification is returned for an unknown id.
var errNoNotification = errors.New("no such notification")

// SendAgain has a notification delivered once more now, acknowledged or not, and lost or not: receivers
// get duplicates, and old states after new ones.
func (b *Outbox) SendAgain(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.byID[id]
	if e == nil {
		return errNoNotification
	}
	e.Due = b.o.Now()
	b.settle(e)
	return nil
}

// Hold stops all deliveries until Release.
func (b *Outbox) Hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = true
}

// Release sends what was held, the newest first.
func (b *Outbox) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	now := b.o.Now()
	var late []*entry
	for _, e := range b.waiting {
		if !e.Due.After(now) {
			late = append(late, e)
		}
	}
	slices.SortFunc(late, func(x, y *entry) int { return x.seq - y.seq })
	for i, e := range late {
		e.Due = now.Add(-time.Duration(i)) // one nanosecond apart: only the order matters
	}
	heap.Init(&b.waiting)
}

// Next returns when Start has something to do next; zero: nothing is planned, or a running delivery
// must end first.
func (b *Outbox) Next() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held || len(b.waiting) == 0 || b.running >= b.o.Senders {
		return time.Time{}
	}
	return b.waiting[0].Due
}

// queue holds what waits for a delivery, the next one first.
type queue []*entry

var _ heap.Interface = (*queue)(nil)

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].Due.Equal(q[j].Due) {
		return q[i].seq < q[j].seq
	}
	return q[i].Due.Before(q[j].Due)
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements [heap.Interface].
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.index = -1
	return e
}
