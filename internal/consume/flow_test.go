package consume_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/produce"
)

// TestSkipsDoNotWaitForMoreThanABatch: a topic of nothing but skips is read as quickly as any
// other, not one batch a second.
func TestSkipsDoNotWaitForMoreThanABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(400, 20)
		o := earliest
		o.SettleCount = 10
		start := time.Now()
		r.start(setup{options: o, handle: func(consume.Input) (consume.Outcome, error) { return consume.Outcome{Skip: "not_wanted"}, nil }})
		r.eventually("all are committed", func() bool {
			sum := int64(0)
			for _, c := range r.committed() {
				sum += c.At
			}
			return sum == 400
		})
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("400 skips in batches of 10 took %v", took)
		}
	})
}

// blocked is a committer that can commit nothing for a while.
type blocked struct {
	committer
	down *atomic.Bool
}

func (b blocked) Commit(ctx context.Context, batch produce.Batch) error {
	if b.down.Load() {
		return errors.New("no coordinator")
	}
	return b.committer.Commit(ctx, batch)
}

// TestK6_OutcomesThatWaitAreBounded: while nothing can be settled, events are not handled on
// and on; afterwards all of them are.
func TestK6_OutcomesThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(400, 20)
		var down atomic.Bool
		down.Store(true)
		o := earliest
		o.SettleCount = 10
		e := r.start(setup{options: o, wrap: func(tx *produce.Transactor) committer { return blocked{tx, &down} }})
		time.Sleep(30 * time.Second)
		if n := r.called(); n < 40 || n > 100 { // four batches, a share for each partition, and what was started before they were full
			t.Errorf("%d of 400 events handled", n)
		}
		down.Store(false)
		r.wantEachOnce(400, 20)
		if err := e.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
