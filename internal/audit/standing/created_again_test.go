package standing

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/order"
)

// Results of an input that was deleted have offsets of its successor. They may come after the first commit of the
// successor, from an instance that does not know yet: they are no repeats, whenever the audit has looked.
func TestInputThatIsCreatedAgain(t *testing.T) {
	for name, tt := range map[string]struct{ lookBetween, handOver, firstBooksAfter bool }{
		"at once":                    {},
		"a round between":            {lookBetween: true},
		"audited by another":         {handOver: true},
		"both of these at once":      {lookBetween: true, handOver: true},
		"before the first books":     {firstBooksAfter: true},
		"before and between rounds":  {firstBooksAfter: true, lookBetween: true},
		"before, by another at last": {firstBooksAfter: true, handOver: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				r.events(3)
				if tt.firstBooksAfter {
					r.commit(0)
				} else {
					r.begin(0)
				}
				adm := kadm.NewClient(r.client)
				_, err := adm.DeleteTopics(t.Context(), "in")
				must(t, err)
				if tt.lookBetween {
					r.round()
				}
				_, err = adm.CreateTopic(t.Context(), 2, 1, nil, "in")
				must(t, err)
				if tt.handOver {
					r.mine.Store(false)
					r.round()
					r.mine.Store(true)
				}
				r.round()
				r.commit(0)
				r.round()
				r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(1, order.OutcomeApplied)) // of the old one
				r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(1, order.OutcomeApplied))
				r.commit(2)
				if got := r.round(); got.Totals != (Totals{Results: 2}) || got.Trouble != "" || r.logged() != "" {
					t.Errorf("%+v, want two results\n%s", got, r.logged())
				}
			})
		})
	}
}

// An hour after an input was created again, its results are judged like those of any other.
func TestRepeatsLongAfterAnInputWasCreatedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(3)
		r.begin(0)
		adm := kadm.NewClient(r.client)
		_, err := adm.DeleteTopics(t.Context(), "in")
		must(t, err)
		_, err = adm.CreateTopic(t.Context(), 2, 1, nil, "in")
		must(t, err)
		r.round()
		r.commit(0)
		time.Sleep(2 * time.Hour)
		r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(0, order.OutcomeApplied))
		r.commit(1)
		if got := r.round(); got.Totals != (Totals{Results: 1, Repeated: 1}) || got.Trouble != "" {
			t.Errorf("%+v, want one result and a repeat\n%s", got, r.logged())
		}
	})
}

// Outputs that are created again in the middle of a round have other offsets than those that were asked for: nothing is
// called lost by them.
func TestOutputsThatChangeDuringARound(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.events(4)
		r.begin(0)
		r.produce(r.resultOf(0, order.OutcomeApplied), r.resultOf(1, order.OutcomeApplied))
		r.commit(2)
		var changed atomic.Bool
		r.cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			if changed.CompareAndSwap(false, true) {
				r.cluster.SleepControl(func() {
					adm := kadm.NewClient(r.client)
					_, err := adm.DeleteTopics(t.Context(), "results")
					_, err2 := adm.CreateTopic(t.Context(), 2, 1, nil, "results")
					if err := errors.Join(err, err2); err != nil {
						t.Error(err) // only the test's own goroutine may end it
					}
					time.Sleep(time.Second)
				})
			}
			return nil, nil, false
		})
		r.round()
		if got := r.round(); got.Unaccounted != 0 || got.Trouble != "" || strings.Contains(r.logged(), "no outcome is visible") {
			t.Errorf("%+v, want nothing lost\n%s", got, r.logged())
		}
	})
}
