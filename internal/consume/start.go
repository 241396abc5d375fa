package consume

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Start is where a partition without a committed offset begins. The zero value refuses:
// a first deployment must not fire a week of creates by default.
type Start struct {
	Earliest bool
	Latest   bool
	At       time.Time
}

// ParseStart reads "earliest", "latest" or a time in RFC 3339; "" is the zero value.
func ParseStart(s string) (Start, error) {
	switch s {
	case "":
		return Start{}, nil
	case "earliest":
		return Start{Earliest: true}, nil
	case "latest":
		return Start{Latest: true}, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return Start{}, fmt.Errorf("start %q: want earliest, latest or a time such as 2026-01-31T08:00:00+08:00", s)
	}
	return Start{At: at}, nil
}

// AcceptedPosition is a committed offset that an operator set by hand and stands for.
type AcceptedPosition struct {
	Topic     string
	Partition int32
	Offset    int64
}

// ParseAcceptedPosition reads "topic/partition@offset".
func ParseAcceptedPosition(s string) (AcceptedPosition, error) {
	slash, at := strings.LastIndexByte(s, '/'), strings.LastIndexByte(s, '@')
	a := AcceptedPosition{}
	if slash > 0 && at > slash {
		a.Topic = s[:slash]
		if _, err := fmt.Sscanf(s[slash:], "/%d@%d", &a.Partition, &a.Offset); err == nil && fmt.Sprintf("%s/%d@%d", a.Topic, a.Partition, a.Offset) == s {
			return a, nil
		}
	}
	return a, fmt.Errorf("position %q: want topic/partition@offset", s)
}

// StartError says that partitions have no committed offset and no start was given.
type StartError struct {
	Group      string
	Partitions []string
}

func (e *StartError) Error() string {
	return fmt.Sprintf("group %s has no committed offset for %s: say where to start (start: earliest, latest or a time)",
		e.Group, strings.Join(e.Partitions, ", "))
}

// clusterFacts are asked for once per session; the window text is bound to them.
type clusterFacts struct {
	cluster    string
	topicIDs   map[string][16]byte
	partitions map[string]int32
}

func (e *Engine) askFacts(ctx context.Context, cl *kgo.Client) (clusterFacts, error) {
	m, err := kadm.NewClient(cl).Metadata(ctx, e.o.Topics...)
	if err != nil {
		return clusterFacts{}, fmt.Errorf("metadata: %w", err)
	}
	f := clusterFacts{cluster: m.Cluster, topicIDs: map[string][16]byte{}, partitions: map[string]int32{}}
	for _, t := range m.Topics {
		if t.Err == nil { // a topic that is missing is nobody's assignment
			f.topicIDs[t.Topic] = t.ID
			f.partitions[t.Topic] = int32(len(t.Partitions))
		}
	}
	return f, nil
}

func (f clusterFacts) place(group string, tp topicPartition) place {
	return place{cluster: f.cluster, topicID: f.topicIDs[tp.topic], group: group, partition: tp.partition, count: f.partitions[tp.topic]}
}

// committed is one partition of an OffsetFetch answer.
type committed struct {
	offset int64 // -1: none
	text   string
}

// committedOf reads an answer of one group; names gives topics that come by id only.
func committedOf(resp *kmsg.OffsetFetchResponse, names map[[16]byte]string) map[topicPartition]committed {
	out := map[topicPartition]committed{}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			name := t.Topic
			if name == "" {
				name = names[t.TopicID]
			}
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					continue
				}
				c := committed{offset: p.Offset}
				if p.Metadata != nil {
					c.text = *p.Metadata
				}
				out[topicPartition{name, p.Partition}] = c
			}
		}
	}
	return out
}

// offsetsFetched gets offset and window text from one answer, before the first fetch.
// An error makes kgo leave this session of the group and join again.
func (e *Engine) offsetsFetched(ctx context.Context, cl *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	facts, err := e.askFacts(ctx, cl)
	if err != nil {
		e.o.Log.WarnContext(ctx, "cannot read the cluster's facts, joining again", "error", err)
		return err
	}
	names := map[[16]byte]string{}
	for name, id := range facts.topicIDs {
		names[id] = name
	}
	found := committedOf(resp, names)
	bounds, err := e.askBounds(ctx, cl, facts, found)
	if err != nil {
		e.o.Log.WarnContext(ctx, "cannot read the log's bounds, joining again", "error", err)
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.session.facts = facts
	refused := &StartError{Group: e.o.Group}
	for tp, c := range found {
		p := e.parts[tp]
		if p == nil || p.win != nil {
			continue
		}
		p.place = facts.place(e.o.Group, tp)
		if c.offset < 0 && bounds[tp].begin < 0 {
			refused.Partitions = append(refused.Partitions, tp.String())
			continue
		}
		e.open(p, c, bounds[tp])
	}
	if len(refused.Partitions) > 0 {
		slices.Sort(refused.Partitions) // so that the same error has the same text
		e.session.cancel(refused)
		return refused
	}
	return nil
}

// bounds of a partition's log. begin is where to start without a committed offset; low and
// begin are -1 when nobody can say.
type bounds struct{ low, high, begin int64 }

// askBounds asks for the logs' bounds. A partition that cannot be asked (no leader) is left
// unbounded: its committed position serves, and a position that does not exist shows when it
// is read. Without a committed position it cannot be opened, and the group joins again.
func (e *Engine) askBounds(ctx context.Context, cl *kgo.Client, facts clusterFacts, found map[topicPartition]committed) (map[topicPartition]bounds, error) {
	adm := kadm.NewClient(cl)
	topics := slices.Collect(maps.Keys(facts.topicIDs))
	low, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil && low == nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	high, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil && high == nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	begin, err := e.askBegin(ctx, adm, low, high, topics)
	if err != nil {
		return nil, err
	}
	known, err := e.askKnown(ctx, adm, facts, found)
	if err != nil {
		return nil, err
	}
	out := map[topicPartition]bounds{}
	for tp, c := range found {
		b := bounds{low: at(low, tp), high: at(high, tp), begin: at(begin, tp)}
		if n := known[tp.topic]; n > 0 && tp.partition >= n {
			b.begin = b.low // added later: nothing of it may be lost
		}
		if c.offset < 0 && b.begin < 0 && e.o.Start != (Start{}) {
			return nil, fmt.Errorf("bounds of %s are not to be had", tp)
		}
		out[tp] = b
	}
	return out, nil
}

func at(l kadm.ListedOffsets, tp topicPartition) int64 {
	if o, ok := l.Lookup(tp.topic, tp.partition); ok && o.Err == nil {
		return o.Offset
	}
	return -1
}

// askBegin resolves Options.Start to offsets.
func (e *Engine) askBegin(ctx context.Context, adm *kadm.Client, low, high kadm.ListedOffsets, topics []string) (kadm.ListedOffsets, error) {
	switch {
	case e.o.Start.Earliest:
		return low, nil
	case e.o.Start.Latest:
		return high, nil
	case e.o.Start.At.IsZero():
		return nil, nil
	}
	begin, err := adm.ListOffsetsAfterMilli(ctx, e.o.Start.At.UnixMilli(), topics...)
	if err != nil && begin == nil {
		return nil, fmt.Errorf("list offsets at %s: %w", e.o.Start.At, err)
	}
	return begin, nil
}

// askKnown returns, per topic, how many partitions it had when the group last committed for
// any of them. It asks only when a partition has no committed offset: one beyond that number
// was added later and begins at its log start, whatever Start says.
func (e *Engine) askKnown(ctx context.Context, adm *kadm.Client, facts clusterFacts, found map[topicPartition]committed) (map[string]int32, error) {
	fresh := false
	for _, c := range found {
		fresh = fresh || c.offset < 0
	}
	if !fresh {
		return nil, nil
	}
	had, err := adm.FetchOffsets(ctx, e.o.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch the group's offsets: %w", err)
	}
	known := map[string]int32{}
	had.Each(func(o kadm.OffsetResponse) {
		tp := topicPartition{o.Topic, o.Partition}
		if _, err := facts.place(e.o.Group, tp).read(o.At, o.Metadata); err == nil {
			known[o.Topic] = max(known[o.Topic], knownPartitions(o.Metadata))
		}
	})
	return known, nil
}

// open gives a partition its window, or stops it for an operator. Called under mu.
func (e *Engine) open(p *partition, c committed, b bounds) {
	if c.offset < 0 {
		p.win, p.startUncommitted = newWindow(position{next: b.begin}), true
		go e.feed(p)
		return
	}
	p.firstCommitted = c
	pos, err := p.place.read(c.offset, c.text)
	switch {
	case err == nil:
	case e.accepted(p.topicPartition, c.offset):
		pos, p.startUncommitted, p.rewoundBelow = position{next: c.offset}, true, b.high
		e.o.Log.Warn("position accepted by the operator", "topic", p.topic, "partition", p.partition, "offset", c.offset)
	default:
		e.stop(p, "committed position was not written by this bridge for this place; check it, then run with --accept-position",
			"offset", c.offset, "accept", fmt.Sprintf("%s@%d", p.topicPartition, c.offset))
		return
	}
	if b.low >= 0 && pos.next < b.low {
		if !e.o.AcceptLoss {
			e.stop(p, "records were deleted before they were read; go on with --accept-loss", "lost_from", pos.next, "lost_to", b.low)
			return
		}
		e.o.Log.Warn("loss accepted by the operator", "topic", p.topic, "partition", p.partition, "lost_from", pos.next, "lost_to", b.low)
		pos, p.startUncommitted = position{next: b.low}, true
	}
	p.win = newWindow(pos)
	go e.feed(p)
}

func (e *Engine) accepted(tp topicPartition, offset int64) bool {
	for _, a := range e.o.AcceptPosition {
		if a.Topic == tp.topic && a.Partition == tp.partition && a.Offset == offset {
			return true
		}
	}
	return false
}

// stop leaves a partition alone until an operator has decided; the others go on. What was
// not settled of it is dropped: the next start calls it again. Called under mu.
func (e *Engine) stop(p *partition, why string, attrs ...any) {
	e.o.Log.Error("partition stopped: "+why, append([]any{"topic", p.topic, "partition", p.partition}, attrs...)...)
	e.drain(map[topicPartition]*partition{p.topicPartition: p})
	p.stopped, p.gone = true, true
	p.backlog, p.done = nil, nil
	e.lanes.drop(p)
	e.recount()
	e.start()
}

// startOffsets tells kgo where to fetch from: our window decides, a stopped partition is
// paused.
func (e *Engine) startOffsets(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for topic, parts := range offsets {
		for n := range parts {
			p := e.parts[topicPartition{topic, n}]
			if p == nil {
				continue
			}
			if p.stopped || p.win == nil {
				e.session.client.PauseFetchPartitions(map[string][]int32{topic: {n}})
				p.paused = true
				continue
			}
			e.session.client.ResumeFetchPartitions(map[string][]int32{topic: {n}})
			parts[n] = kgo.NewOffset().At(p.win.high)
		}
	}
	return offsets, nil
}

// fetchError reports trouble with reading. kgo goes on by itself, except where the position
// does not exist or a batch is larger than it takes.
func (e *Engine) fetchError(ctx context.Context, tp topicPartition, err error) {
	if ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var lost *kgo.ErrDataLoss
	var bomb *kgo.ErrDecompressTooLarge
	p := e.parts[tp]
	switch {
	case p == nil || p.stopped:
	case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &lost):
		e.stop(p, "its position does not exist in the log", "error", err)
		return
	case errors.As(err, &bomb):
		e.stop(p, "a compressed batch is larger than the bridge takes", "error", err)
		return
	}
	e.o.Log.WarnContext(ctx, "fetch", "topic", tp.topic, "partition", tp.partition, "error", err)
}
