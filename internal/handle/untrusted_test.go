package handle_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// Alipay signs with a key that the bridge does not know, without notice, for an hour. No order ends as a dead letter, none is
// created twice, and all are applied once the key is known.
func TestKeyRotatedWithoutNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, simulator.WrongKey(simulator.TradeCreate).Always(), simulator.WrongKey(simulator.TradeQuery).Always())
		var wg sync.WaitGroup
		var mu sync.Mutex
		ended := map[order.CallOutcome]int{}
		start := time.Now()
		for i := range 20 {
			in := d.record(created("o" + itoa(i)))
			wg.Go(func() {
				got := d.handle(t.Context(), in)
				mu.Lock()
				defer mu.Unlock()
				if ended[got.Outcome]++; time.Since(start) < time.Hour {
					t.Errorf("%s %v after %v", got.Outcome, got.dead, time.Since(start))
				}
			})
		}
		time.Sleep(time.Hour)
		d.sim.ClearFaults()
		wg.Wait()
		if ended[order.OutcomeApplied] != 20 {
			t.Errorf("%v", ended)
		}
		for i := range 20 {
			if n := d.sim.Tally("o" + itoa(i)); n.Executions != 1 {
				t.Errorf("order %d: %+v", i, n)
			}
		}
	})
}
