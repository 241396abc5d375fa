package look

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"time"
)

// waitLogEvery is how often the log says that records still wait.
const waitLogEvery = 10 * time.Minute

// Waits counts the records that wait without an outcome, for the log: a line when the first of an
// owner begins to wait or the reason changes, and one when the last goes on. It is not safe for
// concurrent use.
type Waits[K comparable] struct {
	log    *slog.Logger
	owners map[string]*wait[K] // only those with a waiting record
}

type wait[K comparable] struct {
	items   map[K]bool
	since   time.Time
	said    time.Time // when the log last had a line
	most    int       // waited at one time
	reasons string
}

// NewWaits returns waits without a record.
func NewWaits[K comparable](log *slog.Logger) Waits[K] {
	return Waits[K]{log: log, owners: map[string]*wait[K]{}}
}

// Any reports whether a record waits.
func (w Waits[K]) Any() bool { return len(w.owners) > 0 }

// Begin notes that a record of an owner waits, and why.
func (w Waits[K]) Begin(ctx context.Context, owner string, item K, r Record, err error) {
	g := w.owners[owner]
	if g == nil {
		g = &wait[K]{items: map[K]bool{}, since: time.Now()}
		w.owners[owner] = g
	}
	g.items[item] = true
	g.most = max(g.most, len(g.items))
	reason := cmp.Or(r.Class+r.Code, "error")
	if reason == g.reasons && time.Since(g.said) < waitLogEvery {
		w.log.DebugContext(ctx, "event waits without an outcome", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "next", r.Next, "error", err)
		return
	}
	g.reasons, g.said = reason, time.Now()
	w.log.WarnContext(ctx, "events wait without an outcome; they are tried again until it is fixed", "account", owner,
		"waiting", len(g.items), "for", time.Since(g.since).Round(time.Second), "class", r.Class, "code", r.Code,
		"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
}

// End notes that a record has an outcome.
func (w Waits[K]) End(owner string, item K) {
	g := w.owners[owner]
	if g == nil || !g.items[item] {
		return
	}
	delete(g.items, item)
	if len(g.items) == 0 {
		delete(w.owners, owner)
		w.log.Info("no event waits without an outcome any more", "account", owner, "waited_at_most", g.most, "for", time.Since(g.since).Round(time.Second))
	}
}

// Drop forgets the records that are gone.
func (w Waits[K]) Drop(gone func(K) bool) {
	for owner, g := range w.owners {
		maps.DeleteFunc(g.items, func(item K, _ bool) bool { return gone(item) })
		if len(g.items) == 0 {
			delete(w.owners, owner)
		}
	}
}
