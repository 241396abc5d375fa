package order

import "time"

var (
	// firstEvent is when Alipay was founded: no event is older. A time of today in seconds, read as
	// milliseconds, lies in January 1970.
	firstEvent = time.Date(2004, 1, 1, 0, 0, 0, 0, time.UTC)
	// lastEvent lies beyond every event. A time of today in microseconds, read as
	// milliseconds, lies after the year 50000.
	lastEvent = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// maxAge is the age up to which an event before [firstEvent] is accepted: a clock before 2004 is that
// of a test, whose events are new.
const maxAge = 365 * 24 * time.Hour

// CheckTimes refuses times in another unit than milliseconds: they would be sent, or end as expired or
// too far ahead, without a word about the cause.
func CheckTimes(e Event, now time.Time) error {
	for _, t := range []struct {
		field string
		at    *time.Time
	}{{"occurred_at", &e.OccurredAt}, {"order_created_at", e.OrderCreatedAt}, {"expires_at", e.ExpiresAt}} {
		switch {
		case t.at == nil || t.at.IsZero() || t.at.UnixMilli() == 0:
		case t.at.Before(firstEvent) && now.Sub(*t.at) > maxAge:
			return invalid(t.field, "is before 2004; is it in seconds? It must be in milliseconds (logical type timestamp-millis)")
		case t.at.After(lastEvent):
			return invalid(t.field, "is after 2200; is it in micro- or nanoseconds? It must be in milliseconds (logical type timestamp-millis)")
		}
	}
	return nil
}
