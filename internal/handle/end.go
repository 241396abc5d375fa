package handle

import (
	"time"

	"alipay-kafka-bridge/internal/order"
)

// End is how an event ended. It is the Note of each outcome of this package.
type End struct {
	Account  order.Account
	Outcome  order.CallOutcome // of its result; "": it has none
	Produced time.Time         // timestamp of its record
	Dead     string            // reason of its dead letter; "": it has none
	Shown    bool              // a query of the sweep has shown a trade, and its snapshot is all that is published
}

// Kind is result, dead_letter, snapshot or skip.
func (e End) Kind() string {
	switch {
	case e.Outcome != "":
		return "result"
	case e.Dead != "":
		return "dead_letter"
	case e.Shown:
		return "snapshot"
	}
	return "skip"
}
