//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
)

// patience is how long a test waits for one thing, such as the next result, that comes at once unless the machine is busy.
const patience = 2 * time.Minute

// results reads committed results until there are n, and then a little longer: a result too many would come now.
func (e *environment) results(n int) []order.Result {
	e.t.Helper()
	c := e.collect()
	defer c.cl.Close()
	c.until("", n)
	c.poll(3 * time.Second)
	return c.results
}

// checkEachOnce compares the results with the events: one for each event, in the order of the events
// for each order number.
func checkEachOnce(t *testing.T, events []order.Event, results []order.Result) {
	t.Helper()
	want := map[alipay.OutTradeNo][]order.EventID{}
	for _, e := range events {
		want[e.OrderNo] = append(want[e.OrderNo], e.ID)
	}
	got := map[alipay.OutTradeNo][]order.EventID{}
	for _, r := range results {
		if r.Outcome != order.OutcomeApplied {
			t.Errorf("event %s: outcome %s, reason %s, sub_code %s: %s", r.EventID, r.Outcome, r.Reason, r.SubCode, r.Message)
		}
		got[r.OrderNo] = append(got[r.OrderNo], r.EventID)
	}
	bad := 0
	for no, ids := range want {
		if fmt.Sprint(got[no]) != fmt.Sprint(ids) {
			if bad++; bad < 10 {
				t.Errorf("order %s: results for events %v, want %v", no, got[no], ids)
			}
		}
	}
	if len(results) != len(events) {
		t.Errorf("%d results for %d events", len(results), len(events))
	}
}

// collected are the results that were read so far.
type collected struct {
	e       *environment
	cl      *kgo.Client
	results []order.Result
}

func (e *environment) collect() *collected {
	return &collected{e: e, cl: e.client(kgo.ConsumeTopics(e.topic("results")), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))}
}

// poll reads for a while.
func (c *collected) poll(d time.Duration) {
	ctx, cancel := context.WithTimeout(c.e.t.Context(), d)
	defer cancel()
	for ctx.Err() == nil {
		for _, r := range c.cl.PollFetches(ctx).Records() {
			res, err := asked(c.e.t.Context(), func() (order.Result, error) { return c.e.codec.DecodeResult(c.e.t.Context(), r.Topic, r.Value) })
			must(c.e.t, err)
			c.results = append(c.results, res)
		}
	}
}

// until reads until there are n results of the name.
func (c *collected) until(name string, n int) {
	c.e.t.Helper()
	last, found := time.Now(), 0
	for found < n {
		c.poll(100 * time.Millisecond)
		if now := len(resultsOf(name, c.results)); now > found {
			last, found = time.Now(), now
		}
		if c.e.t.Context().Err() != nil || time.Since(last) > patience {
			c.e.t.Errorf("%d results of %q, want %d; no more came for %v", found, name, n, patience)
			return
		}
	}
}
