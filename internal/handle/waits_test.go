package handle_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/consume"
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
