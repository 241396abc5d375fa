package offsets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of a partition's log. Begin is where to start without a committed offset; Low and
// Begin are -1 when they are not known.
type Bounds struct {
	Low, High, Begin int64
	Known            int32 // partitions of the topic for the window text
}

// Question is what [Question.Bounds] needs to know of the group.
type Question struct {
	Group        string
	Start        Start
	CreatedAgain func(topic string) bool      // the topic is not the one that was read before under its name
	Stale        map[TopicPartition]Committed // positions of deleted topics that were committed for these
}

// Bounds asks for the logs' bounds. A partition that cannot be asked (no leader) has none:
// its committed position is used, and a position that does not exist is found when it is read.
// Without a committed position it cannot be opened, and the group is joined again. The same holds for one of a topic
// that was created again, whatever the start: its events must not be taken for old ones.
func (q Question) Bounds(ctx context.Context, cl *kgo.Client, facts Facts, found map[TopicPartition]Committed) (map[TopicPartition]Bounds, error) {
	adm := kadm.NewClient(cl)
	topics := slices.Collect(maps.Keys(facts.TopicIDs))
	low, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil && low == nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	high, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil && high == nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	begin, err := q.askBegin(ctx, adm, low, high, topics)
	if err != nil {
		return nil, err
	}
	known, err := q.askKnown(ctx, adm, facts)
	if err != nil {
		return nil, err
	}
	out := map[TopicPartition]Bounds{}
	for tp, c := range found {
		k := known[tp.Topic]
		b := Bounds{Low: offsetIn(low, tp), High: offsetIn(high, tp), Begin: offsetIn(begin, tp), Known: k.next}
		again := q.CreatedAgain(tp.Topic)
		if k.before > 0 && tp.Partition >= k.before || again {
			b.Begin = b.Low // added later: nothing of it may be lost
		}
		if c.Offset < 0 && b.Begin < 0 && (again || q.Start != (Start{})) {
			return nil, fmt.Errorf("start and end offset of %s not available", tp)
		}
		out[tp] = b
	}
	return out, nil
}

func offsetIn(l kadm.ListedOffsets, tp TopicPartition) int64 {
	if o, ok := l.Lookup(tp.Topic, tp.Partition); ok && o.Err == nil {
		return o.Offset
	}
	return -1
}

// askBegin resolves Options.Start to offsets.
func (q Question) askBegin(ctx context.Context, adm *kadm.Client, low, high kadm.ListedOffsets, topics []string) (kadm.ListedOffsets, error) {
	switch {
	case q.Start.Earliest:
		return low, nil
	case q.Start.Latest:
		return high, nil
	case q.Start.At.IsZero():
		return nil, nil
	}
	begin, err := adm.ListOffsetsAfterMilli(ctx, q.Start.At.UnixMilli(), topics...)
	if err != nil && begin == nil {
		return nil, fmt.Errorf("list offsets at %s: %w", q.Start.At, err)
	}
	return begin, nil
}

// knownPartitions is how many partitions of a topic the group knows.
type knownPartitions struct {
	before int32 // when the group last had a position for each of them; 0: never
	next   int32 // for the texts that are written from now on
}

// askKnown returns, per topic, how many partitions the group knows. One beyond that number was added
// later and begins at its log start, in spite of Start. The number grows only when all
// partitions have a committed position, so that the commits of one instance cannot hide from
// another that a partition is new.
func (q Question) askKnown(ctx context.Context, adm *kadm.Client, facts Facts) (map[string]knownPartitions, error) {
	had, err := adm.FetchOffsets(ctx, q.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch the group's offsets: %w", err)
	}
	known, count := map[string]knownPartitions{}, map[string]int32{}
	had.Each(func(o kadm.OffsetResponse) {
		if o.At < 0 || o.Err != nil {
			return
		}
		count[o.Topic]++
		k := known[o.Topic]
		if w, err := facts.Place(q.Group, TopicPartition{o.Topic, o.Partition}).Read(o.At, o.Metadata); err == nil {
			k.before = max(k.before, w.Partitions)
		}
		known[o.Topic] = k
	})
	for topic, n := range facts.Partitions {
		k := known[topic]
		k.next = k.before
		if k.before == 0 || count[topic] >= n {
			k.next = n
		}
		known[topic] = k
	}
	return known, nil
}
