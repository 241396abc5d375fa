package sight

import (
	"slices"

	"alipay-kafka-bridge/internal/consume/look"
)

// Look is what the engine shows, with up to n events that wait. No one reads a stopped partition, so the engine knows its
// end from before it was stopped; what was written since counts as lag, too.
func (p *Pipeline) Look(n int) look.Engine {
	e := p.engine.Look(n)
	for i := range e.Partitions {
		part := &e.Partitions[i]
		if part.State != "stopped" {
			continue
		}
		more := p.sight.Stable.unread(part.Topic, part.Partition, part.Head) - part.Unread
		if more <= 0 {
			continue
		}
		part.Unread += more
		t := slices.IndexFunc(e.Topics, func(t look.Topic) bool { return t.Name == part.Topic })
		if t < 0 {
			e.Topics = append(e.Topics, look.Topic{Name: part.Topic, Lag: map[look.Cause]int64{}})
			t = len(e.Topics) - 1
		}
		e.Topics[t].Lag[look.Stopped] += more
	}
	return e
}
