package status_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A process stops although the broker never answers what the sweep sent: kgo itself would wait for that answer, as the record
// may be on its way.
func TestStopWhileTheSweepIsNotAnswered(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.start("a")
		r.observe(created("1"))
		r.await("shop/1", "1 PENDING")
		over, sent := make(chan struct{}), atomic.Int64{}
		r.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			sent.Add(1)
			r.cluster.SleepControl(func() { <-over }) // kgo gives the connection up, and asks on another one
			return nil, nil, false
		})
		time.Sleep(5 * time.Minute)
		if sent.Load() == 0 {
			r.t.Error("the sweep sent nothing")
		}
		began := time.Now()
		a.cancel()
		select {
		case <-a.done:
		case <-time.After(10 * time.Minute):
			r.t.Error("it did not stop within ten minutes")
		}
		if took := time.Since(began); took > time.Minute {
			r.t.Errorf("it stopped after %s", took)
		}
		close(over)
	})
}
