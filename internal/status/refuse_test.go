package status_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status"
)

// Trade status that cannot be read stays as it is, concerns its order alone, and is forgotten when an operator says so.
func TestUnreadableStatusConcernsItsOrder(t *testing.T) {
	for _, stored := range []bool{true, false} { // in the store, or restored from the topic
		t.Run(fmt.Sprint("stored ", stored), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				refused := map[string]int{}
				counts := func(o *status.Options) { o.Refused = func(reason string) { refused[reason]++ } }
				if stored {
					a := r.start("a")
					r.observe(created("1"))
					r.await("shop/1", "1 PENDING")
					a.stop()
				}
				must(r.t, r.sender.ProduceSync(r.t.Context(), &kgo.Record{Topic: outTopic, Key: []byte("shop/1"), Value: []byte("of a stranger")}).FirstErr())
				a := r.start("a", counts)
				old := created("1") // of a sweep: it names a version
				old.Kind, old.Version = order.Forgotten, 1
				r.observe(notified("1", "TRADE_SUCCESS"), old, created("2"))
				r.await("shop/2", "1 PENDING")
				if story := r.story("shop/1"); story[len(story)-1] != "unreadable" {
					r.t.Errorf("%q", story)
				}
				erase := created("1")
				erase.Kind, erase.CauseID = order.Forgotten, "an operator"
				r.observe(erase)
				r.await("shop/1", "tombstone")
				r.observe(created("1"))
				r.await("shop/1", "1 PENDING")
				a.stop()
				if n := refused[status.ReasonUnreadable]; n != 2 || len(refused) != 1 {
					r.t.Errorf("refused %v, want 2 that are unreadable", refused)
				}
			})
		})
	}
}

// A flood of observations that are refused writes at most one line a minute, which says how many there were.
func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start("a")
		for range 200 {
			must(r.t, r.sender.ProduceSync(r.t.Context(), &kgo.Record{Topic: inTopic, Key: []byte("shop/1"), Value: []byte("no frame")}).FirstErr())
		}
		time.Sleep(2 * time.Minute)
		lines := strings.Count(r.log.String(), "observations cannot be merged")
		if lines != 2 || !strings.Contains(r.log.String(), "count=199 ") || !strings.Contains(r.log.String(), "offset=") {
			r.t.Errorf("%d lines:\n%s", lines, r.log)
		}
	})
}
