package simulator

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Verdicts of requests that got no answer from a gateway. Others look like
// "10000", "40004 ACQ.TRADE_NOT_EXIST" or "S SUCCESS".
const (
	verdictLost = "LOST" // the connection was cut before the effect, or the answer after it
	verdictGone = "GONE" // the caller disconnected while the simulator waited
)

// Digest is the SHA-256 of a request's content: of the biz_content text, or of the HK body.
type Digest [32]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalJSON writes the digest in hexadecimal.
func (d Digest) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// RequestEntry is one request in the journal. A request that was refused early lacks what was not
// known yet.
type RequestEntry struct {
	Seq       uint64    `json:"seq"` // position among all entries of both kinds
	At        time.Time `json:"at"`
	Method    Method    `json:"method"`
	App       string    `json:"app"`      // app_id or Client-Id
	Merchant  string    `json:"merchant"` // name of the token's merchant; empty: the app's own
	OrderNo   string    `json:"order_no"` // the merchant's number, or the given trade_no when no trade has it
	RequestNo string    `json:"request_no"`
	Content   Digest    `json:"content"`
	Verdict   string    `json:"verdict"` // empty while the request is running
	Fault     string    `json:"fault"`   // name of the fault that acted
}

// ExecutionEntry is one effect that took place: a trade created, a sync stored, an HK update processed.
type ExecutionEntry struct {
	Seq       uint64    `json:"seq"`
	At        time.Time `json:"at"`
	Request   uint64    `json:"request"` // Seq of the request that caused it
	Method    Method    `json:"method"`
	App       string    `json:"app"`
	Merchant  string    `json:"merchant"`
	OrderNo   string    `json:"order_no"`
	RequestNo string    `json:"request_no"`
	Content   Digest    `json:"content"`
}

// Journal is a copy of what the journal holds, oldest first.
type Journal struct {
	Requests   []RequestEntry   `json:"requests"`
	Executions []ExecutionEntry `json:"executions"`
	Dropped    int              `json:"dropped"` // entries of either kind that were dropped because of the limit
}

// Tally counts what happened to one order.
type Tally struct {
	Requests   int `json:"requests"`   // calls that ask for an effect, with any outcome
	Executions int `json:"executions"` // effects that took place
	Queries    int `json:"queries"`    // calls that only ask
}

// journal keeps requests and executions. Entries are pointers, so that the verdict can be added
// later even if the ring has dropped the entry.
type journal struct {
	limit int

	mu         sync.Mutex // guards what follows and the entries
	seq        uint64
	requests   ring[*RequestEntry]
	executions ring[*ExecutionEntry]
	tallies    map[string]*Tally
	total      Tally
}

func newJournal(limit int) *journal {
	j := &journal{limit: limit}
	j.reset()
	return j
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq = 0
	j.requests = ring[*RequestEntry]{limit: j.limit}
	j.executions = ring[*ExecutionEntry]{limit: j.limit}
	j.tallies = map[string]*Tally{}
	j.total = Tally{}
}

// maxNameLength limits the numbers in an entry, in bytes: no page has a longer one.
const maxNameLength = 128

// truncate returns a short copy of a text, which does not keep the whole request in memory, so
// that the size of an entry does not depend on the request.
func truncate(text string) string {
	return strings.Clone(text[:min(len(text), maxNameLength)])
}

// begin records a request before anything else happens and returns the number of earlier
// requests for the same order: the attempt, from 0.
func (j *journal) begin(e *RequestEntry) (attempt int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	e.Seq = j.seq
	e.App, e.OrderNo, e.RequestNo = truncate(e.App), truncate(e.OrderNo), truncate(e.RequestNo)
	j.requests.Add(e)
	t := j.tally(e.OrderNo)
	attempt = t.Requests + t.Queries
	if e.Method == TradeQuery || e.Method == ItemOrderQuery || e.Method == CertDownload {
		t.Queries++
		j.total.Queries++
		return attempt
	}
	t.Requests++
	j.total.Requests++
	return attempt
}

// addUnread records a request of which nothing was read.
func (j *journal) addUnread(e RequestEntry) { j.begin(&e) }

// complete adds the verdict to an entry.
func (j *journal) complete(e *RequestEntry, verdict string, fault string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Verdict, e.Fault = verdict, fault
}

// addExecution records that the request took effect.
func (j *journal) addExecution(e *RequestEntry, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	j.executions.Add(&ExecutionEntry{
		Seq: j.seq, At: at, Request: e.Seq, Method: e.Method, App: e.App, Merchant: e.Merchant,
		OrderNo: e.OrderNo, RequestNo: e.RequestNo, Content: e.Content,
	})
	j.tally(e.OrderNo).Executions++
	j.total.Executions++
}

// tally returns the counts of one order. The caller holds mu. Requests without an order number
// share the empty one.
func (j *journal) tally(orderNo string) *Tally {
	t := j.tallies[orderNo]
	if t == nil {
		t = &Tally{}
		j.tallies[orderNo] = t
	}
	return t
}

// Journal returns a copy of all entries.
func (s *Simulator) Journal() Journal {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	out := Journal{
		Requests:   make([]RequestEntry, 0, len(j.requests.items)),
		Executions: make([]ExecutionEntry, 0, len(j.executions.items)),
		Dropped:    j.requests.dropped + j.executions.dropped,
	}
	for e := range j.requests.all {
		out.Requests = append(out.Requests, *e)
	}
	for e := range j.executions.all {
		out.Executions = append(out.Executions, *e)
	}
	return out
}

// Tally returns the counts of one order number over all apps. It stays complete when the journal
// drops entries.
func (s *Simulator) Tally(orderNo string) Tally {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	if t := s.journal.tallies[orderNo]; t != nil {
		return *t
	}
	return Tally{}
}

// Totals returns the counts over all orders.
func (s *Simulator) Totals() Tally {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.total
}

// ring keeps the last limit items.
type ring[T any] struct {
	limit   int
	items   []T
	next    int // the oldest item once the ring is full
	dropped int
}

func (r *ring[T]) Add(v T) {
	if len(r.items) < r.limit {
		r.items = append(r.items, v)
		return
	}
	r.items[r.next] = v
	r.next = (r.next + 1) % r.limit
	r.dropped++
}

// all yields the items, oldest first.
func (r *ring[T]) all(yield func(T) bool) {
	for i := range r.items {
		if !yield(r.items[(r.next+i)%len(r.items)]) {
			return
		}
	}
}
