package consume

import (
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetsFetched reads offset and window text from one answer, before the first fetch.
// An error makes kgo leave this session of the group and join again.
func (e *Engine) offsetsFetched(ctx context.Context, cl *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	facts, err := e.names.AskFacts(ctx, cl, e.o.Topics)
	if err != nil {
		e.o.Log.WarnContext(ctx, "metadata not available, or not believed; joining the group again", "error", err)
		return err
	}
	if topic, must := e.names.MustBegin(facts); must {
		e.lookAt(topic, true, facts.TopicIDs[topic])
		return errBeginAgain
	}
	found, refused, _, err := offsets.Read(resp, facts)
	if err != nil {
		return err
	}
	asked := e.askRefused(ctx, cl, facts, found, refused)
	maps.Copy(found, asked)
	question := e.names.Question(e.o.Group, e.o.Start, facts, found)
	bounds, err := question.Bounds(ctx, cl, facts, found)
	if err != nil {
		e.o.Log.WarnContext(ctx, "start and end offsets not available; joining the group again", "error", err)
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	refusal := &StartError{Group: e.o.Group}
	for tp, c := range found {
		p := e.parts[tp]
		if p == nil || p.state != look.StateAssigned {
			continue
		}
		_, p.late = asked[tp]
		p.place = facts.Place(e.o.Group, tp)
		p.place.Count, p.committed = bounds[tp].Known, question.Stale[tp]
		if p.committed.Text != "" {
			e.o.Log.WarnContext(ctx, "committed offset is of a topic of the same name that was deleted; the partition is read from its start", "topic", tp.Topic, "partition", tp.Partition, "offset", p.committed.Offset)
		}
		if c.Offset < 0 && bounds[tp].Begin < 0 {
			refusal.Partitions = append(refusal.Partitions, tp.String())
			continue
		}
		e.open(p, c, bounds[tp])
	}
	e.names.See(facts)
	if len(refusal.Partitions) > 0 {
		slices.Sort(refusal.Partitions) // so that the same error has the same text
		e.session.cancel(refusal)
		return refusal
	}
	return nil
}

// askRefusedTries is how often the committed offsets of partitions that the coordinator refused or
// left out are asked for, a second apart, before the others begin without them.
const askRefusedTries = 3

// askRefused asks again for the committed offsets of assigned partitions that an answer does not
// have. What is refused all the time is asked for in the background; the others begin without it.
func (e *Engine) askRefused(ctx context.Context, cl *kgo.Client, facts offsets.Facts, found map[TopicPartition]offsets.Committed, refused map[TopicPartition]error) map[TopicPartition]offsets.Committed {
	out := map[TopicPartition]offsets.Committed{}
	for try := 1; ; try++ {
		missing := e.missing(facts, found, out)
		if len(missing) == 0 {
			return out
		}
		if try > askRefusedTries {
			for _, tp := range missing {
				e.o.Log.ErrorContext(ctx, "committed offset is refused; the partition is not read, the others go on", "group", e.o.Group, "topic", tp.Topic, "partition", tp.Partition, "error", refused[tp])
			}
			if s := e.currentSession(); s.awaiting.CompareAndSwap(false, true) {
				go offsets.Await(s.ctx, cl, e.o.Group, facts, missing, func() { s.cancel(errBeginAgain) }) // ended by the session
			}
			return out
		}
		if !pause.Sleep(ctx, time.Second) {
			return out
		}
		more, still, busy, err := offsets.Fetch(ctx, cl, e.o.Group, facts, missing)
		if err != nil || busy {
			continue
		}
		maps.Copy(out, more)
		maps.Copy(refused, still)
	}
}

// missing returns assigned partitions of known topics whose committed offset is not known.
func (e *Engine) missing(facts offsets.Facts, known ...map[TopicPartition]offsets.Committed) []TopicPartition {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []TopicPartition
	for tp, p := range e.parts {
		_, exists := facts.TopicIDs[tp.Topic]
		isKnown := slices.ContainsFunc(known, func(m map[TopicPartition]offsets.Committed) bool { _, ok := m[tp]; return ok })
		if p.state == look.StateAssigned && exists && !isKnown {
			out = append(out, tp)
		}
	}
	return out
}

// startOffsets gives kgo the offsets to fetch from: our window decides, a stopped partition is
// paused. A partition whose offset was refused at first is added.
func (e *Engine) startOffsets(_ context.Context, at map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for tp, p := range e.parts {
		if p.late && p.state.Settles() {
			p.late = false
			if at[tp.Topic] == nil {
				at[tp.Topic] = map[int32]kgo.Offset{}
			}
			at[tp.Topic][tp.Partition] = kgo.NewOffset().At(p.win.High())
		}
	}
	for topic, parts := range at {
		for n := range parts {
			p := e.parts[TopicPartition{Topic: topic, Partition: n}]
			if p == nil {
				continue
			}
			e.pause(p, p.state != look.StateOpen) // the client may remember a pause of an earlier assignment
			if p.state.Settles() {
				parts[n] = kgo.NewOffset().At(p.win.High())
			}
		}
	}
	return at, nil
}
