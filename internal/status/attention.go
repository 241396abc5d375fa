package status

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status/state"
)

const (
	maxAttention = 1000 // orders of a partition that are known by name
	countedPage  = 5000 // orders that a second looks at, after a restore: a million in some minutes
)

// attention is which orders of a partition a person should look at: they are held, or unresolved.
type attention struct {
	behind  []byte // key that the count is behind; used by the sweep alone
	counted bool   // the count is over, until there has to be another; used by the sweep alone

	mu     sync.Mutex              // never held while something waits
	orders map[string]state.Status // ObservedAt: since when they wait, as far as this process knows
	all    bool                    // the store was looked through
	more   bool                    // there were more than orders takes
}

// concerns reports whether a person should look at an order.
func concerns(s state.Status) bool {
	return s.State == state.Held || s.State == state.Pending && slices.Contains(s.Anomalies, state.Unresolved)
}

// note takes over the newest state of an order; of a forgotten one it is nil.
func (a *attention) note(key string, s *state.Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, known := a.orders[key]
	switch {
	case s == nil || !concerns(*s):
		delete(a.orders, key)
	case known || len(a.orders) < maxAttention:
		if a.orders == nil {
			a.orders = map[string]state.Status{}
		}
		kept := *s
		if before.State == s.State && before.ObservedAt.Before(s.ObservedAt) {
			kept.ObservedAt = before.ObservedAt // what is heard of an order meanwhile does not make its wait shorter
		}
		a.orders[key] = kept
	default:
		a.more = true
	}
}

// again begins another count once half of the orders that were known by name are settled: there were more than these.
func (a *attention) again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counted && a.more && len(a.orders) <= maxAttention/2 {
		a.behind, a.counted, a.all, a.more = nil, false, false, false
	}
}

// count looks through a page of the first partition whose store has to be looked through.
func (p *Pipeline) count(ctx context.Context, parts []*partition) error {
	for _, part := range parts {
		part.attention.again()
	}
	i := slices.IndexFunc(parts, func(part *partition) bool { return !part.attention.counted })
	if i < 0 {
		return nil
	}
	part := parts[i]
	a := &part.attention
	var found []string
	last, err := p.store.Load().Page(part.number, a.behind, countedPage, func(key, value []byte) error {
		s, err := p.codec.Decode(ctx, p.o.Topics.Status, value)
		if _, final := order.IsUndecodable(err); final {
			return nil // the sweep logs it
		}
		if err != nil {
			return fmt.Errorf("decode trade status: %w", err)
		}
		if concerns(s) {
			found = append(found, string(key))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range found {
		if err := part.noteStored(ctx, key); err != nil {
			return err
		}
	}
	a.behind, a.counted = last, last == nil
	a.mu.Lock()
	a.all = a.counted
	a.mu.Unlock()
	return nil
}

// noteStored takes over the state of an order that the store has, unless a newer one is committed and waits for the disk.
func (part *partition) noteStored(ctx context.Context, key string) error {
	part.mu.Lock()
	defer part.mu.Unlock()
	if m := part.overlay[key]; part.gone || m != nil && m.committed {
		return nil
	}
	value, err := part.p.store.Load().Get(part.number, []byte(key))
	if err != nil || value == nil {
		return err
	}
	s, err := part.p.codec.Decode(ctx, part.p.o.Topics.Status, value)
	if err != nil {
		return fmt.Errorf("decode trade status: %w", err)
	}
	part.attention.note(key, &s)
	return nil
}

// Orders are those that a person should look at, of the partitions that are assigned.
type Orders struct {
	Partitions int
	Asked      int64 // how often the sweep asked for an order, since the start of the process
	Held       int
	Unresolved int
	Complete   bool               // false: there may be more
	Since      map[Wait]time.Time // for each account, since when the oldest waits
	Oldest     []state.Status     // those that wait longest, ObservedAt says since when
}

// Wait is which orders wait for a person: those of an account in one state.
type Wait struct {
	Account order.Account
	State   state.State // HELD, or PENDING: unresolved
}

// Orders returns the orders that a person should look at, and names at most limit of them.
func (p *Pipeline) Orders(limit int) Orders {
	out := Orders{Complete: true, Asked: p.asked.Load(), Since: map[Wait]time.Time{}}
	for _, part := range p.assigned() {
		out.Partitions++
		a := &part.attention
		a.mu.Lock()
		out.Complete = out.Complete && a.all && !a.more
		for _, s := range a.orders {
			if s.State == state.Held {
				out.Held++
			} else {
				out.Unresolved++
			}
			w := Wait{s.Account, s.State}
			if since, known := out.Since[w]; !known || s.ObservedAt.Before(since) {
				out.Since[w] = s.ObservedAt
			}
			out.Oldest = append(out.Oldest, s)
		}
		a.mu.Unlock()
	}
	slices.SortFunc(out.Oldest, func(a, b state.Status) int {
		return cmp.Or(a.ObservedAt.Compare(b.ObservedAt), strings.Compare(a.Key(), b.Key()))
	})
	out.Oldest = out.Oldest[:min(limit, len(out.Oldest))]
	return out
}
