package consume_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/produce"
)

// TestK10_EventsBeyondAnOrdersShare: what is too much becomes a dead letter without a call,
// another order is not concerned, and ten minutes later the order is as any other.
func TestK10_EventsBeyondAnOrdersShare(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newDesk(t)
		var records []*kgo.Record
		for i := range 203 {
			ev := created("flood")
			ev.ID = order.EventID(fmt.Sprint("e", i))
			records = append(records, d.record(ev))
		}
		outcomes := func(records []*kgo.Record) (reasons []string) {
			for _, r := range records {
				reasons = append(reasons, d.handle(t.Context(), r).dead["dead-reason"])
			}
			return reasons
		}
		outcomes(records[:150]) // these come twice, as after a rebalance, and count once
		first := outcomes(records)
		for i, reason := range first {
			if want := map[bool]string{true: "key_flood"}[i >= 200]; reason != want {
				t.Errorf("event %d: dead letter %q, want %q", i, reason, want)
			}
		}
		if n := d.sim.Tally("flood").Requests; n != 350 {
			t.Errorf("%d calls, want 150 and 200", n)
		}
		if again := outcomes(records); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("read again: %q", again)
		}
		if got := d.send(created("other")); got.Outcome != order.OutcomeApplied {
			t.Errorf("another order: %+v", got)
		}
		time.Sleep(11 * time.Minute)
		if got := d.send(created("flood")); got.Outcome != order.OutcomeApplied {
			t.Errorf("after ten minutes: %+v", got)
		}
		if again := outcomes(records); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("read again after ten minutes: %q", again)
		}
	})
}

// TestK10_KeyBehindAFlood: an order that stands behind more events of another one than the
// window takes is done within seconds: 200 calls of 50 ms, and not 500.
func TestK10_KeyBehindAFlood(t *testing.T) {
	const flood = 24_500
	inBubble(t, func(t *testing.T) {
		d := newDesk(t)
		r := newRig(t, kfake.SeedTopics(1, "results", "snapshots", "observations", "in.dlq"))
		cl := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer cl.Close()
		var records []*kgo.Record
		for i := range flood {
			ev := created("flood")
			ev.ID = order.EventID(fmt.Sprint("e", i))
			records = append(records, d.record(ev))
		}
		must(t, cl.ProduceSync(t.Context(), append(records, d.record(created("behind")))...).FirstErr())
		start := time.Now()
		r.startWith(d)
		r.eventually("the key behind is done", func() bool { return d.sim.Tally("behind").Executions == 1 })
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("the key behind waited for %v", took)
		}
	})
}

// startWith starts an engine whose records the desk handles.
func (r *rig) startWith(d *desk) {
	r.t.Helper()
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: r.opts(), Group: "g", TransactionalID: "g-a"})
	must(r.t, err)
	e, err := consume.New(d.handler.Prepare, tx, consume.Options{
		Client: r.opts(), Group: "g", Topics: []string{"in"}, Start: consume.Start{Earliest: true},
		Refuse: d.handler.Refuse, Journal: d.handler.Journal,
	})
	must(r.t, err)
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1) // one value; closed by nobody
	go func() { done <- e.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
}
