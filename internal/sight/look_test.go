package sight

import (
	"log/slog"
	"testing"

	"alipay-kafka-bridge/internal/consume/look"
)

type engineOf look.Engine

func (e engineOf) Look(int) look.Engine {
	out := look.Engine(e)
	out.Partitions = append([]look.Partition{}, out.Partitions...)
	return out
}

// What was written to a stopped partition since it was stopped is lag: no one reads it, so no fetch shows it.
func TestLagOfAStoppedPartition(t *testing.T) {
	s := New(nil, nil)
	p := s.NewPipeline("calls", "g", nil, slog.New(slog.DiscardHandler))
	p.engine = engineOf{
		Partitions: []look.Partition{{Topic: "orders", State: "stopped", Head: 40, Unread: 10}, {Topic: "orders", Partition: 1, State: "open", Head: 40, Unread: 3}, {Topic: "other", State: "stopped", Head: 7}},
	}
	for _, known := range []bool{false, true} {
		if known {
			s.Stable.Note("orders", 0, 70, 70)
			s.Stable.Note("orders", 1, 90, 90)
			s.Stable.Note("other", 0, 12, 12)
			s.Stable.Note("other", 0, 12, 14) // a transaction is open
		}
		e := p.Look(0)
		lag := map[string]int64{}
		for _, t := range e.Topics {
			lag[t.Name] = t.Lag[look.Stopped]
		}
		if want := map[bool][3]int64{false: {10, 3, 0}, true: {30, 3, 7}}[known]; e.Partitions[0].Unread != want[0] || e.Partitions[1].Unread != want[1] || e.Partitions[2].Unread != want[2] {
			t.Errorf("known %t: %+v, want %v unread", known, e.Partitions, want)
		}
		if known && (lag["orders"] != 20 || lag["other"] != 7) { // 10 of them the engine has counted itself
			t.Errorf("lag %v", lag)
		}
	}
}
