package consume

import (
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// readBack opens a new producer and drops every outcome that the transaction in doubt turns
// out to have committed. Nothing is called again. It reports whether the doubt is over; partitions
// that cannot be read back are held back. The caller holds settling.
func (e *Engine) readBack(ctx context.Context) bool {
	if err := e.commit.Recover(ctx); err != nil {
		e.settleFailed(ctx, err)
		return false
	}
	if err := e.readBackOf(ctx, nil); err != nil {
		e.settleFailed(ctx, err)
		return false
	}
	e.settler.inDoubt = false
	return true
}

// readBackHeld reads back held partitions that are to be tried again. The caller holds settling.
func (e *Engine) readBackHeld(ctx context.Context) {
	due := e.settler.heldDue()
	if len(due) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout/4) // the rest is for the others
	defer cancel()
	err := e.readBackOf(ctx, due)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, tp := range due {
		b, p := e.settler.held.parts[tp], e.parts[tp]
		switch {
		case b == nil || !b.Due(): // refused again
		case err != nil:
			b.Again(time.Now())
		case p == nil || !p.state.Settles() || len(p.done) == 0 && !p.startDue:
			delete(e.settler.held.parts, tp) // nothing waits for it any more
		default:
			b.Read = true
		}
	}
}

var errMembershipLost = errors.New("the group membership is lost")

// readBackOf reads the committed positions of some partitions, of all for nil, and forgets the
// outcomes that they cover. It holds back partitions that the broker refuses.
func (e *Engine) readBackOf(ctx context.Context, only []TopicPartition) error {
	cl := e.currentSession().client
	found, refused, err := e.fetchStable(ctx, cl, only)
	if err != nil {
		return err
	}
	known, ok := e.forgetCovered(cl, found)
	e.reportSettled(known)
	for tp, err := range refused {
		e.holdPartition(ctx, tp, err)
	}
	if !ok {
		return errMembershipLost
	}
	return nil
}

// forgetCovered drops outcomes that the committed positions cover and returns them. It reports
// false when the membership they belong to is lost.
func (e *Engine) forgetCovered(cl *kgo.Client, found map[TopicPartition]offsets.Committed) (known []Settlement, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, _ := cl.GroupMetadata()
	if id == "" || e.membershipLost(id) {
		return nil, false
	}
	for tp, c := range found {
		p := e.parts[tp]
		if p == nil || !p.state.Settles() || c.Offset < 0 {
			continue
		}
		pos, err := p.place.Read(c.Offset, c.Text)
		if err != nil && c == p.committed {
			continue // nothing of ours was committed yet
		}
		if err != nil {
			e.stop(p, "its committed position was changed by someone else while we held it", "offset", c.Offset)
			continue
		}
		if c == p.claimed.at && c != p.committed {
			p.begun(p.claimed)
		}
		p.committed = c
		covered := p.finished(len(p.done), func(o outcome) bool { return pos.Covers(o.it.offset) })
		e.forget(p, offsetsOf(covered))
		if len(covered) > 0 {
			known = append(known, settlement(p, pos.Next, covered))
		}
	}
	return known, true
}

// unstableFor is how long a transaction may be pending on an offset before its partition is held
// back: our own ended when the producer was opened again.
const unstableFor = 2 * time.Second

// fetchStable reads the committed offsets of held partitions once no transaction on them is
// pending, and the errors of those that are refused. only names them; nil: all.
func (e *Engine) fetchStable(ctx context.Context, cl *kgo.Client, only []TopicPartition) (map[TopicPartition]offsets.Committed, map[TopicPartition]error, error) {
	facts, of := e.stable(only)
	start := time.Now()
	for {
		found, refused, busy, err := offsets.Fetch(ctx, cl, e.o.Group, facts, of)
		if err != nil {
			return nil, nil, fmt.Errorf("read committed offsets back: %w", err)
		}
		if !busy || time.Since(start) > unstableFor && len(refused) > 0 {
			return found, refused, nil
		}
		if !pause.Sleep(ctx, 20*time.Millisecond) {
			return nil, nil, context.Cause(ctx)
		}
	}
}

func (e *Engine) stable(only []TopicPartition) (facts offsets.Facts, of []TopicPartition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	facts.TopicIDs = map[string][16]byte{}
	for _, p := range e.sorted() {
		if only == nil && p.state.Settles() || slices.Contains(only, p.TopicPartition) {
			facts.TopicIDs[p.Topic] = p.place.TopicID
			of = append(of, p.TopicPartition)
		}
	}
	return facts, of
}
