package consume

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/look"
)

// assigned stamps new partitions with the member id they belong to. kgo stores a new id at
// the JoinGroup answer and, after UNKNOWN_MEMBER_ID, joins again without calling lost: a
// partition with another stamp was lost meanwhile, even if no callback said so.
func (e *Engine) assigned(_ context.Context, cl *kgo.Client, m map[string][]int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id, _ := cl.GroupMetadata()
	if e.membershipLost(id) {
		return
	}
	for topic, parts := range m {
		for _, n := range parts {
			tp := TopicPartition{Topic: topic, Partition: n}
			e.parts[tp] = e.newPartition(tp, id)
		}
	}
	if len(m) > 0 {
		e.o.Log.Info("partitions assigned", "group", e.o.Group, "partitions", len(e.parts))
	}
}

// membershipLost ends the session when a held partition belongs to another member id. Called under mu.
func (e *Engine) membershipLost(id string) bool {
	for _, p := range e.parts {
		if p.memberID != id {
			e.session.cancel(errRejoin)
			return true
		}
	}
	return false
}

// revoked gives partitions up in order: nothing new starts, running handlings end, their
// outcomes are settled, the rest is dropped. One bound covers all of it, well below the
// rebalance timeout.
func (e *Engine) revoked(ctx context.Context, _ *kgo.Client, m map[string][]int32) {
	if len(m) == 0 {
		return // cooperative rebalances call it with nothing
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.o.RevokeBound)
	defer cancel()
	e.mu.Lock()
	parts := e.drain(e.partitionsOf(m))
	e.mu.Unlock()
	e.giveUp(ctx, parts, e.o.RevokeBound*3/4)
	if len(parts) == 0 {
		return
	}
	e.o.Log.Info("partitions given up", "group", e.o.Group, "partitions", len(parts))
}

// lost drops partitions that already belong to another member. No commit.
func (e *Engine) lost(ctx context.Context, _ *kgo.Client, m map[string][]int32) {
	if len(m) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.o.RevokeBound)
	defer cancel()
	e.mu.Lock()
	parts := e.drain(e.partitionsOf(m))
	e.mu.Unlock()
	e.lockOrCancel(ctx)
	defer e.unlock()
	e.drop(parts)
}

// giveUp waits for running handlings, settles and drops, within ctx. The wait leaves time
// for the rest.
func (e *Engine) giveUp(ctx context.Context, parts []*partition, wait time.Duration) {
	waitCtx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for _, p := range parts {
		select {
		case <-p.idle:
		case <-waitCtx.Done():
		}
	}
	e.lockOrCancel(ctx)
	defer e.unlock()
	e.settleAll(ctx, parts)
	e.drop(parts)
}

func (e *Engine) partitionsOf(m map[string][]int32) map[TopicPartition]*partition {
	out := map[TopicPartition]*partition{}
	for topic, parts := range m {
		for _, n := range parts {
			if p := e.parts[TopicPartition{Topic: topic, Partition: n}]; p != nil {
				out[p.TopicPartition] = p
			}
		}
	}
	return out
}

// drain stops starting: waiting handlings end at once, attempts that have begun run to their
// end. Called under mu.
func (e *Engine) drain(parts map[TopicPartition]*partition) []*partition {
	for _, p := range parts {
		switch p.state {
		case look.StateAssigned:
			p.become(look.StateGone)
		case look.StateRestoring, look.StateOpen:
			p.become(look.StateDraining)
		}
	}
	return slices.Collect(maps.Values(parts))
}

// drop forgets partitions with everything that is not settled. The caller holds settling.
func (e *Engine) drop(parts []*partition) {
	e.mu.Lock()
	for _, p := range parts {
		if p.state != look.StateGone {
			p.become(look.StateGone)
		}
		if e.parts[p.TopicPartition] == p {
			delete(e.parts, p.TopicPartition)
		}
		e.freeBytes(p)
		p.parked = nil
		e.lanes.drop(p)
		e.waits.Drop(p.has)
		e.settler.forgetPartition(p)
	}
	e.start() // lanes that waited behind a dropped head
	e.mu.Unlock()
	for _, p := range parts {
		e.reportDropped(p)
	}
}

// dropAll ends a session: outcomes that are not settled are lost with it.
func (e *Engine) dropAll() {
	e.mu.Lock()
	parts := e.drain(e.parts)
	e.mu.Unlock()
	e.settling <- struct{}{}
	defer e.unlock()
	e.drop(parts)
}

func (e *Engine) unlock() { <-e.settling }

// lockOrCancel locks settling. When ctx ends first, it cancels the settle under way, whose
// transaction is then in doubt, and locks after it.
func (e *Engine) lockOrCancel(ctx context.Context) {
	select {
	case e.settling <- struct{}{}:
		return
	case <-ctx.Done():
	}
	e.mu.Lock()
	if e.cancelSettle != nil {
		e.cancelSettle()
	}
	e.mu.Unlock()
	e.settling <- struct{}{}
}
