package order_test

import (
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/order"
)

// Times in another unit are refused, with the field and a hint; all others pass.
func TestTimesInAnotherUnit(t *testing.T) {
	today := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	bubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where testing/synctest begins
	for _, tt := range []struct {
		name    string
		now, at time.Time
		want    string
	}{
		{"now", today, today, ""},
		{"the first of 2004", today, time.Date(2004, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{"just before", today, time.Date(2003, 12, 31, 23, 59, 59, 0, time.UTC), "is before 2004; is it in seconds?"},
		{"in seconds", today, time.UnixMilli(today.Unix()), "is before 2004; is it in seconds?"},
		{"in microseconds", today, time.UnixMilli(today.UnixMicro()), "is after 2200; is it in micro- or nanoseconds?"},
		{"in nanoseconds", today, time.UnixMilli(today.UnixNano()), "is after 2200; is it in micro- or nanoseconds?"},
		{"far ahead is another matter", today, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), ""},
		{"a test's clock", bubble, bubble, ""},
		{"in seconds, at a test's clock", bubble, time.UnixMilli(bubble.Unix()), "is before 2004; is it in seconds?"},
		{"in microseconds, at a test's clock", bubble, time.UnixMilli(bubble.UnixMicro()), "is after 2200; is it in micro- or nanoseconds?"},
	} {
		for field, set := range map[string]func(*order.Event){
			"occurred_at":      func(e *order.Event) { e.OccurredAt = tt.at },
			"order_created_at": func(e *order.Event) { e.OrderCreatedAt = &tt.at },
			"expires_at":       func(e *order.Event) { e.ExpiresAt = &tt.at },
		} {
			t.Run(tt.name+" "+field, func(t *testing.T) {
				e := event(order.ChannelTrade, order.TypeCreated)
				e.OccurredAt = tt.now
				set(&e)
				err := order.CheckTimes(e, tt.now)
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), "invalid: "+field+" "+tt.want)) {
					t.Errorf("err = %v, want %q", err, tt.want)
				}
			})
		}
	}
}

// An end before the beginning is a mistake, not an event that expired.
func TestExpiresBeforeItOccurred(t *testing.T) {
	e := event(order.ChannelTrade, order.TypeCreated)
	at := e.OccurredAt.Add(-time.Second)
	e.ExpiresAt = &at
	if got, want := verdict(planner(order.Defaults{}).Plan(e)), "invalid expires_at"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// A later event has the order's whole view, and may come after its end.
	e.Type = order.TypeCancelled
	if got, want := verdict(planner(order.Defaults{}).Plan(e)), queryCall; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
