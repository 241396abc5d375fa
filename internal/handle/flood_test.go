package handle_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
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
	synctest.Test(t, func(t *testing.T) {
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

// TestK10_KeyBehindAFlood: an order behind more events of another one than the
// window admits is done within seconds: 200 calls of 50 ms, and not 500.
func TestK10_KeyBehindAFlood(t *testing.T) {
	const flood = 24_500
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		opts := fakeKafka(t)
		cl, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		must(t, err)
		defer cl.Close()
		var records []*kgo.Record
		for i := range flood {
			ev := created("flood")
			ev.ID = order.EventID(fmt.Sprint("e", i))
			records = append(records, d.record(ev))
		}
		must(t, cl.ProduceSync(t.Context(), append(records, d.record(created("behind")))...).FirstErr())
		start := time.Now()
		d.startEngine(opts)
		for d.sim.Tally("behind").Executions == 0 && time.Since(start) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("the key behind waited for %v", took)
		}
	})
}

// fakeKafka starts a cluster in the bubble and returns the options of its clients.
func fakeKafka(t *testing.T) []kgo.Opt {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(network.Listen),
		kfake.SeedTopics(1, "in", "results", "snapshots", "observations", "journal", "in.dlq"))
	must(t, err)
	t.Cleanup(c.Close)
	return []kgo.Opt{
		kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(network.DialContext),
		kgo.HeartbeatInterval(time.Second), kgo.SessionTimeout(10 * time.Second), kgo.RebalanceTimeout(time.Minute),
	}
}

// startEngine starts an engine whose records the desk handles.
func (d *desk) startEngine(opts []kgo.Opt) {
	d.t.Helper()
	tx, err := produce.NewTransactor(produce.TransactorOptions{Client: opts, Group: "g", TransactionalID: "g-a"})
	must(d.t, err)
	e, err := consume.New(d.handler.Prepare, tx, consume.Options{
		Client: opts, Group: "g", Topics: []string{"in"}, Start: consume.Start{Earliest: true},
		Refuse: d.handler.Refuse, RefuseBare: d.handler.RefuseBare, Journal: d.handler.Journal,
	})
	must(d.t, err)
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error, 1) // one value; never closed
	go func() { done <- e.Run(ctx) }()
	d.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			d.t.Error(err)
		}
	})
}
