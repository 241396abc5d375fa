package handle_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/order"
)

// A time in seconds or microseconds ends in a dead letter that says so, not as expired or ahead.
func TestTimesInAnotherUnitAreInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)))
		d := newDesk(t)
		seconds, micros := paidHK("h1", "e1", 0), paidHK("h2", "e2", 0)
		seconds.OccurredAt, micros.OccurredAt = time.UnixMilli(time.Now().Unix()), time.UnixMilli(time.Now().UnixMicro())
		for hint, e := range map[string]order.Event{"is it in seconds?": seconds, "is it in micro- or nanoseconds?": micros} {
			got := d.send(e)
			if got.Outcome != order.OutcomeInvalid || got.Reason != "invalid" || !strings.Contains(got.dead["dead-error"], hint) {
				t.Errorf("%s: %+v", hint, got)
			}
		}
		good := paidHK("h3", "e3", 0)
		at := time.Now()
		good.OccurredAt, good.OrderCreatedAt = at, &at
		if got := d.send(good); got.Outcome != order.OutcomeApplied {
			t.Errorf("%+v", got)
		}
	})
}
