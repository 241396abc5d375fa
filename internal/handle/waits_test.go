package handle_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/handle"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// What an event that waits for a person can make again, it gives back: thousands may wait.
func TestAWaitingEventKeepsNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.Refuse(simulator.TradeCreate, "ACQ.ACCESS_FORBIDDEN"))
		value := d.record(created("o1")).Value
		task, record := func() (consume.Task, weak.Pointer[kgo.Record]) {
			in := consume.Input{Record: &kgo.Record{Topic: "in", Key: []byte("o1"), Value: value}}
			task, err := d.handler.Prepare(t.Context(), in)
			must(t, err)
			if _, err := task.Handle(t.Context(), in); alipay.ClassOf(err) != alipay.Misconfigured {
				t.Fatal(err)
			}
			return task, weak.Make(in.Record)
		}()
		for range 3 {
			runtime.GC()
		}
		if record.Value() != nil {
			t.Error("the record is still in memory")
		}
		out, err := task.Handle(t.Context(), consume.Input{Record: &kgo.Record{Topic: "in", Key: []byte("o1"), Value: value}})
		must(t, err)
		if res, _ := d.read(slicesOf(out.Records, "results")); res.Outcome != order.OutcomeApplied {
			t.Errorf("%s once it is fixed", res.Outcome)
		}
	})
}

// A query publishes the trade that it shows; one that is refused shows none.
func TestAQueryPublishesWhatItShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.send(created("o1"))
		for no, shows := range map[alipay.OutTradeNo]bool{"o1": true, "missing": false} {
			ev := created(string(no))
			ev.ID, ev.Type = order.EventID("q-"+string(no)), order.TypeQueryRequested
			got := d.send(ev)
			if strings.Contains(got.topics, "snapshots") != shows || (got.Outcome == order.OutcomeApplied) != shows {
				t.Errorf("%s: %s, records for %s", no, got.Outcome, got.topics)
			}
		}
	})
}

// A query that was asked before the lost create was surely over says nothing, however late its answer comes.
func TestAnEarlyQuestionWithALateAnswer(t *testing.T) {
	for _, late := range []time.Duration{0, attemptTimeout - 60*time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t, simulator.CutBefore(simulator.TradeCreate), simulator.Delay(simulator.TradeQuery, late))
			got := d.send(created("o1"))
			if n := d.sim.Tally("o1"); got.Outcome != order.OutcomeApplied || n.Queries != 3 || n.Requests != 2 {
				t.Errorf("answer after %v: %s, %+v; want 3 queries, of which 2 count", late, got.Outcome, n)
			}
		})
	}
}

// An event that ends with its handling while a query is tried again keeps the count of its attempts: it was not INVALID.
func TestAttemptsOutlastTheEndOfAHandling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.CutBefore(simulator.TradeCreate), simulator.CutBefore(simulator.TradeQuery).Times(100))
		in := consume.Input{Record: d.record(created("o1"))}
		task, err := d.handler.Prepare(t.Context(), in)
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := task.Handle(ctx, in); err == nil {
			t.Fatal("an outcome")
		}
		out, err := task.Handle(t.Context(), in)
		must(t, err)
		if res, _ := d.read(out.Records); res.Outcome != order.OutcomeExhausted || res.FirstAttemptAt == nil {
			t.Errorf("%s, first attempt %v", res.Outcome, res.FirstAttemptAt)
		}
		res, dead := d.read(task.Refuse(in, "panic", errors.New("panic")).Records)
		if requests := len(d.sim.Journal().Requests); res.Outcome != order.OutcomeExhausted || res.Attempts != requests || dead["dead-attempts"] != itoa(requests) {
			t.Errorf("%s after %d attempts, dead-attempts %s; the gateway saw %d", res.Outcome, res.Attempts, dead["dead-attempts"], requests)
		}
	})
}

// What an ordinary event needs is not counted; of a large one, each value and each byte beyond is.
func TestWhatAHandlingNeeds(t *testing.T) {
	const values, size = 500, 32 << 10
	for _, tt := range []struct{ values, size, want int }{
		{0, 0, 0}, {values, size, 0}, {values + 1, size, 48}, {values, size + 1, 4}, {values + 100, size + 1000, 8800}, {values + 1, 0, 48}, {0, size + 1, 4},
	} {
		if got := handle.Needs(tt.values, tt.size); got != tt.want {
			t.Errorf("%d values in %d bytes need %d, want %d", tt.values, tt.size, got, tt.want)
		}
	}
}

// A lane has a short key, and no two orders have one.
func TestKeysOfLanes(t *testing.T) {
	long := strings.Repeat("x", 64)
	account, no := order.Account(long), alipay.OutTradeNo(long)
	if got, want := handle.LaneKey(account, no), long+"/"+long; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	seen := map[string]bool{}
	for _, key := range []string{handle.LaneKey(account+"y", no), handle.LaneKey(account, no+"y"), handle.LaneKey(account, "y"+no)} {
		if seen[key] || len(key) != len("sha256:")+64 {
			t.Errorf("key %s", key)
		}
		seen[key] = true
	}
}
