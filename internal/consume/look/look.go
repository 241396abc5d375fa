// Package look is what an engine shows of itself: the states of its partitions, what its records wait
// for, which wait longest, and what is in trouble. Metrics, status page, log and commands are made of it.
package look

import (
	"cmp"
	"slices"
	"time"
)

// Cause is what a record without a committed outcome waits for.
type Cause string

// The causes. Together they are all records that have been read and have no committed outcome, and those
// that are known to be unread.
const (
	Ready      Cause = "ready"       // its handling would start if there were room: the only lag that another instance would reduce
	OwnOrder   Cause = "own_order"   // an earlier event of the same order
	Calling    Cause = "calling"     // its call is made now
	Breaker    Cause = "breaker"     // a circuit breaker that is not closed
	RateLimit  Cause = "rate_limit"  // the rate limit of its app
	Retry      Cause = "retry"       // the pause before another attempt
	Person     Cause = "person"      // someone who corrects keys, tokens or permissions
	Stopped    Cause = "stopped"     // an operator's decision about its partition
	WindowFull Cause = "window_full" // the first record of its partition, too far behind
	Settling   Cause = "settling"    // the transaction of its outcome
	Unread     Cause = "unread"      // its turn to be read
)

// Causes are all causes, in the order in which a chart stacks them.
func Causes() []Cause {
	return []Cause{Ready, OwnOrder, Calling, Breaker, RateLimit, Retry, Person, Stopped, WindowFull, Settling, Unread}
}

// Facts are what the handler of a record knows about it. The engine asks for them while it holds its
// lock: they are read from memory.
type Facts struct {
	Account  string
	OrderNo  string
	Method   string
	Cause    Cause     // of a handling that runs; "": the engine knows
	Attempts int       // made so far
	Doubt    time.Time // since when it has not been known whether a call took effect; zero: it is known
	Class    string    // of the last attempt's answer
	Code     string    // of the last attempt's answer
	Next     time.Time // of the next attempt; zero: not known
	Kept     bool      // an attempt may have taken effect: the handling keeps its request
}

// Record is a record without an outcome: the first of its lane, or one that is being read.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Since     time.Time // when the engine began to read it
	Behind    int       // records of the same lane that wait for this one
	Facts
}

// Partition is one partition that the engine owns.
type Partition struct {
	Topic     string
	Partition int32
	State     string    // assigned, restoring, open, draining or stopped
	Reason    string    // why it is stopped
	Head      int64     // the first offset without an outcome
	HeadSince time.Time // when the engine began to read it; zero: nothing waits
	Window    float64   // share of the window that is used
	Waiting   int       // records that were read and have no outcome
	Finished  int       // outcomes that are not committed
	Unread    int64     // records that the broker has and that were not read; by the last fetch
}

// Saw counts a record that was read and has no outcome.
func (p *Partition) Saw(offset int64, since time.Time) {
	p.Waiting++
	if offset == p.Head {
		p.HeadSince = since
	}
}

// Topic is the lag of one input topic, by cause.
type Topic struct {
	Name    string
	Lag     map[Cause]int64
	Deepest int // most records that wait behind the first one of an order
}

// Oldest is the oldest record of an account that waits for one thing.
type Oldest struct {
	Account string
	Cause   Cause
	Since   time.Time
}

// Doubt is the oldest call of an account and method of which it is not known whether it took effect.
type Doubt struct {
	Account string
	Method  string
	OrderNo string // of the oldest
	Since   time.Time
	Calls   int // how many there are
}

// Engine is an engine at one moment.
type Engine struct {
	At         time.Time
	Partitions []Partition // by topic and number
	Topics     []Topic     // by name
	Oldest     []Oldest    // at most one for each account and cause
	Doubts     []Doubt     // at most one for each account and method
	Records    []Record    // those that wait longest, at most as many as were asked for
	Running    int         // handlings that were started
	Unsettled  int         // outcomes that are not committed
	Bytes      int         // of records and outcomes in memory
	MaxBytes   int
}

// Builder adds up what is found in one pass over an engine.
type Builder struct {
	limit  int
	lag    map[string]map[Cause]int64
	deep   map[string]int // by topic
	oldest map[oldestKey]time.Time
	doubts map[doubtKey]Doubt
	found  []Record
}

type oldestKey struct {
	account string
	cause   Cause
}

type doubtKey struct{ account, method string }

// NewBuilder returns a builder that keeps the limit records that wait longest.
func NewBuilder(limit int) *Builder {
	return &Builder{limit: limit, lag: map[string]map[Cause]int64{}, deep: map[string]int{}, oldest: map[oldestKey]time.Time{}, doubts: map[doubtKey]Doubt{}}
}

// Count adds records of a topic to a cause.
func (b *Builder) Count(topic string, c Cause, n int64) {
	if b.lag[topic] == nil {
		b.lag[topic] = map[Cause]int64{}
	}
	b.lag[topic][c] += n
}

// Add adds a record that waits for its Cause, and those behind it.
func (b *Builder) Add(r Record) {
	b.Count(r.Topic, r.Cause, 1)
	if r.Behind > 0 {
		b.Count(r.Topic, OwnOrder, int64(r.Behind))
		b.deep[r.Topic] = max(b.deep[r.Topic], r.Behind)
	}
	key := oldestKey{r.Account, r.Cause}
	if since, known := b.oldest[key]; !known || r.Since.Before(since) {
		b.oldest[key] = r.Since
	}
	if !r.Doubt.IsZero() {
		key := doubtKey{r.Account, r.Method}
		d, known := b.doubts[key]
		if !known || r.Doubt.Before(d.Since) {
			d.Account, d.Method, d.OrderNo, d.Since = r.Account, r.Method, r.OrderNo, r.Doubt
		}
		d.Calls++
		b.doubts[key] = d
	}
	if b.limit > 0 {
		b.found = append(b.found, r)
		if len(b.found) >= 2*b.limit { // there may be many thousands of lanes
			b.cut()
		}
	}
}

func (b *Builder) cut() {
	slices.SortFunc(b.found, func(x, y Record) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
	})
	b.found = b.found[:min(len(b.found), b.limit)]
}

// Into puts what was added up into e.
func (b *Builder) Into(e *Engine) {
	for name, lag := range b.lag {
		e.Topics = append(e.Topics, Topic{name, lag, b.deep[name]})
	}
	slices.SortFunc(e.Topics, func(x, y Topic) int { return cmp.Compare(x.Name, y.Name) })
	for key, since := range b.oldest {
		e.Oldest = append(e.Oldest, Oldest{key.account, key.cause, since})
	}
	slices.SortFunc(e.Oldest, func(x, y Oldest) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Account, y.Account), cmp.Compare(x.Cause, y.Cause))
	})
	for _, d := range b.doubts {
		e.Doubts = append(e.Doubts, d)
	}
	slices.SortFunc(e.Doubts, func(x, y Doubt) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Account, y.Account), cmp.Compare(x.Method, y.Method))
	})
	b.cut()
	e.Records = b.found
}

// HoldsUp is what a pool without room waits for: what most of its started handlings do.
func HoldsUp(running map[Cause]int) Cause {
	most, out := 0, Ready
	for _, c := range []Cause{Breaker, RateLimit, Retry, Person, Calling, Ready} {
		if running[c] > most {
			most, out = running[c], c
		}
	}
	if out == Calling {
		return Ready // it is busy: another instance would help
	}
	return out
}
