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
		return Start{}, fmt.Errorf("start %q: use earliest, latest or a time such as 2026-01-31T08:00:00+08:00", s)
	}
	return Start{At: at}, nil
}

// AcceptedPosition is a committed offset that an operator set by hand and is responsible for.
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
	return a, fmt.Errorf("position %q: use topic/partition@offset", s)
}

// StartError means that partitions have no committed offset and no start was given.
type StartError struct {
	Group      string
	Partitions []string
}

func (e *StartError) Error() string {
	return fmt.Sprintf("group %s has no committed offset for %s: set start to earliest, latest or a time",
		e.Group, strings.Join(e.Partitions, ", "))
}

// clusterFacts are asked for whenever offsets are fetched; the window text is bound to them.
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
		if t.Err == nil { // a topic that does not exist is not assigned to anyone
			f.topicIDs[t.Topic] = t.ID
			f.partitions[t.Topic] = int32(len(t.Partitions))
		}
	}
	return f, nil
}

func (f clusterFacts) place(group string, tp TopicPartition) place {
	return place{cluster: f.cluster, topicID: f.topicIDs[tp.Topic], group: group, partition: tp.Partition, count: f.partitions[tp.Topic]}
}

// committed is one partition of an OffsetFetch answer.
type committed struct {
	offset int64 // -1: none
	text   string
}

// committedOf reads an answer for one group; names has the topics that come by id only.
func committedOf(resp *kmsg.OffsetFetchResponse, names map[[16]byte]string) map[TopicPartition]committed {
	out := map[TopicPartition]committed{}
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
				out[TopicPartition{name, p.Partition}] = c
			}
		}
	}
	return out
}

// offsetsFetched reads offset and window text from one answer, before the first fetch.
// An error makes kgo leave this session of the group and join again.
func (e *Engine) offsetsFetched(ctx context.Context, cl *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	facts, err := e.askFacts(ctx, cl)
	if err != nil {
		e.o.Log.WarnContext(ctx, "metadata not available; joining the group again", "error", err)
		return err
	}
	names := map[[16]byte]string{}
	for name, id := range facts.topicIDs {
		names[id] = name
	}
	found := committedOf(resp, names)
	bounds, err := e.askBounds(ctx, cl, facts, found)
	if err != nil {
		e.o.Log.WarnContext(ctx, "start and end offsets not available; joining the group again", "error", err)
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	refused := &StartError{Group: e.o.Group}
	for tp, c := range found {
		p := e.parts[tp]
		if p == nil || p.state != stateAssigned {
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
// begin are -1 when they are not known.
type bounds struct{ low, high, begin int64 }

// askBounds asks for the logs' bounds. A partition that cannot be asked (no leader) has none:
// its committed position is used, and a position that does not exist is found when it is read.
// Without a committed position it cannot be opened, and the group is joined again.
func (e *Engine) askBounds(ctx context.Context, cl *kgo.Client, facts clusterFacts, found map[TopicPartition]committed) (map[TopicPartition]bounds, error) {
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
	out := map[TopicPartition]bounds{}
	for tp, c := range found {
		b := bounds{low: offsetIn(low, tp), high: offsetIn(high, tp), begin: offsetIn(begin, tp)}
		if n := known[tp.Topic]; n > 0 && tp.Partition >= n {
			b.begin = b.low // added later: nothing of it may be lost
		}
		if c.offset < 0 && b.begin < 0 && e.o.Start != (Start{}) {
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
// was added later and begins at its log start, in spite of Start.
func (e *Engine) askKnown(ctx context.Context, adm *kadm.Client, facts clusterFacts, found map[TopicPartition]committed) (map[string]int32, error) {
	uncommitted := false
	for _, c := range found {
		uncommitted = uncommitted || c.offset < 0
	}
	if !uncommitted {
		return nil, nil
	}
	had, err := adm.FetchOffsets(ctx, e.o.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch the group's offsets: %w", err)
	}
	known := map[string]int32{}
	had.Each(func(o kadm.OffsetResponse) {
		tp := TopicPartition{o.Topic, o.Partition}
		if _, err := facts.place(e.o.Group, tp).read(o.At, o.Metadata); err == nil {
			known[o.Topic] = max(known[o.Topic], knownPartitions(o.Metadata))
		}
	})
	return known, nil
}

// open begins a partition at its committed position, or stops it for an operator. Called
// under mu.
func (e *Engine) open(p *partition, c committed, b bounds) {
	if c.offset < 0 {
		e.begin(p, position{next: b.begin}, true)
		return
	}
	p.firstCommitted = c
	startDue := false
	pos, err := p.place.read(c.offset, c.text)
	switch {
	case err == nil:
	case e.accepted(p.TopicPartition, c.offset):
		pos, startDue, p.rewoundBelow = position{next: c.offset}, true, b.high
		e.o.Log.Warn("position accepted by the operator", "topic", p.Topic, "partition", p.Partition, "offset", c.offset)
	default:
		e.stop(p, "this bridge did not write the committed position for this partition; check it, then run with --accept-position",
			"offset", c.offset, "accept", fmt.Sprintf("%s@%d", p.TopicPartition, c.offset))
		return
	}
	if b.low >= 0 && pos.next < b.low {
		if !e.o.AcceptLoss {
			e.stop(p, "records were deleted before they were read; go on with --accept-loss", "lost_from", pos.next, "lost_to", b.low)
			return
		}
		e.o.Log.Warn("loss accepted by the operator", "topic", p.Topic, "partition", p.Partition, "lost_from", pos.next, "lost_to", b.low)
		pos, startDue = position{next: b.low}, true
	}
	e.begin(p, pos, startDue)
}

// begin opens a partition at its position. Called under mu.
func (e *Engine) begin(p *partition, pos position, startDue bool) {
	p.win, p.startDue = newWindow(pos), startDue
	p.become(stateRestoring)
	if e.o.Assigned != nil {
		p.running++
		go e.restore(p) // ended by p.ctx
		return
	}
	p.hooks = hooksRestored
	p.become(stateOpen)
	go e.feed(p) // ended by p.ctx and p.state
}

func (e *Engine) accepted(tp TopicPartition, offset int64) bool {
	for _, a := range e.o.AcceptPosition {
		if a.Topic == tp.Topic && a.Partition == tp.Partition && a.Offset == offset {
			return true
		}
	}
	return false
}

// stop leaves a partition alone until an operator has decided; the others go on. What was
// not settled of it is dropped: the next start calls it again. Called under mu.
func (e *Engine) stop(p *partition, why string, attrs ...any) {
	e.o.Log.Error("partition stopped; an operator must decide", append([]any{"topic", p.Topic, "partition", p.Partition, "reason", why}, attrs...)...)
	p.become(stateStopped)
	p.backlog, p.done = nil, nil
	e.lanes.drop(p)
	e.recount()
	e.start()
}

// startOffsets gives kgo the offsets to fetch from: our window decides, a stopped partition is
// paused.
func (e *Engine) startOffsets(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for topic, parts := range offsets {
		for n := range parts {
			p := e.parts[TopicPartition{topic, n}]
			if p == nil {
				continue
			}
			e.pause(p, p.state != stateOpen) // the client may remember a pause of an earlier assignment
			if p.state.settles() {
				parts[n] = kgo.NewOffset().At(p.win.high)
			}
		}
	}
	return offsets, nil
}

// fetchError logs an error of reading. kgo goes on by itself, except where the position does
// not exist or a batch is larger than it accepts.
func (e *Engine) fetchError(ctx context.Context, tp TopicPartition, err error) {
	if ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var lost *kgo.ErrDataLoss
	var bomb *kgo.ErrDecompressTooLarge
	p := e.parts[tp]
	switch {
	case p == nil || p.state == stateStopped || p.state == stateGone:
	case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &lost):
		e.stop(p, "its position does not exist in the topic any more; find out who deleted records or the topic, then restart", "error", err)
		return
	case errors.As(err, &bomb):
		e.stop(p, "a compressed batch is larger than the bridge accepts", "error", err)
		return
	}
	e.o.Log.WarnContext(ctx, "fetch failed; trying again", "topic", tp.Topic, "partition", tp.Partition, "error", err)
}
