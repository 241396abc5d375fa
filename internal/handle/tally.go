package handle

import (
	"time"

	"alipay-kafka-bridge/internal/order"
)

// tally is what is known of one event's calls. It outlives the handling, until the outcome is settled.
type tally struct {
	shown

	prepared  time.Time     // when its record had a lane; zero: it is read again
	handlings int           // so far
	attempts  int           // exchanges with Alipay so far, queries included
	first     time.Time     // when the first of them began
	result    *order.Result // what they decided, without texts that may be long; nil: nothing yet
}

// decide keeps a result, for the case that its records cannot be published.
func (t *tally) decide(r order.Result) {
	if t.attempts == 0 {
		return
	}
	r.ReplyJSON = ""
	t.result = &r
}
