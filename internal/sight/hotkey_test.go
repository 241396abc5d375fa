package sight

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
)

// TestHotKeys: the deepest order of each topic, times what a handling takes lately; what has no outcome or no call is left out, and
// so are the bridge's own topics.
func TestHotKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		cfg.Topics.Inputs = []config.Input{{Name: "hot"}, {Name: "calm"}, {Name: "new"}}
		m, err := Metrics(cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		b := look.NewBuilder(0)
		for topic, behind := range map[string][]int{"hot": {3, 5000, 7}, "calm": {0, 0}, "new": {9}} {
			for _, n := range behind {
				b.Add(look.Record{Topic: topic, Behind: n, Facts: look.Facts{Cause: look.Calling}})
			}
		}
		e := look.Engine{At: time.Now()}
		b.Into(&e)
		p := New(m, nil).NewPipeline("calls", "g", nil, slog.New(slog.DiscardHandler))
		p.Watch(engineOf(e))
		app := "main"
		handled := func(topic string, took time.Duration, fails error) {
			task, _ := p.Process(func(context.Context, consume.Input) (consume.Task, error) {
				return consume.Task{Pool: consume.Pool{App: app}, Facts: func() look.Facts { return look.Facts{Method: "m"} }, Handle: func(context.Context, consume.Input) (consume.Outcome, error) {
					time.Sleep(took)
					return consume.Outcome{}, fails
				}}, nil
			})(t.Context(), consume.Input{})
			_, _ = task.Handle(t.Context(), consume.Input{Record: &kgo.Record{Topic: topic}})
		}
		drains := func() [3]float64 {
			return [3]float64{count(t, m, &metrics.HotKeyDrain, "hot"), count(t, m, &metrics.HotKeyDrain, "calm"), count(t, m, &metrics.HotKeyDrain, "new")}
		}
		for _, topic := range []string{"hot", "calm"} {
			handled(topic, 500*time.Millisecond, nil)
			handled(topic, time.Hour, errors.New("no outcome"))
		}
		app = ""
		handled("hot", 0, nil) // a skip
		app = "main"
		if got := drains(); got != [3]float64{100, 0, 0} {
			t.Errorf("seconds %v, want 200 events of half a second each, as no more are called, and none of the others", got)
		}
		if n := len(family(t, m, &metrics.HotKeyDrain)); n != 3 {
			t.Errorf("%d series, want one for each topic", n)
		}
		for range 300 { // Alipay answers sooner again
			handled("hot", 100*time.Millisecond, nil)
		}
		if got := drains()[0]; got < 20 || got > 21 {
			t.Errorf("%v seconds, want about 20", got)
		}
		p.Internal = true
		if n := len(family(t, m, &metrics.HotKeyDrain)); n != 0 {
			t.Errorf("%d series for topics of the bridge", n)
		}
	})
}
