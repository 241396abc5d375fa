package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/progress"
)

// maxSilence is how long all partitions may deliver nothing before their ends are reached.
const maxSilence = 30 * time.Second

// partition of a topic.
type partition struct {
	topic  string
	number int32
}

// span is the part of a partition that is read; end is behind the last offset.
type span struct{ begin, end int64 }

// scanner reads parts of many partitions at a time. Its client shows committed records, and keeps the markers of
// transactions: the last offset of a partition often is one.
type scanner struct {
	client *kgo.Client
	admin  *kadm.Client
	work   *progress.Bar
	total  int64 // of all that was read
}

// count returns how many partitions each topic has. Topics that are not there are left out.
func (s scanner) count(ctx context.Context, topics []string) (map[string]int, error) {
	found, err := s.admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	out := map[string]int{}
	for name, t := range found {
		if t.Err == nil {
			out[name] = len(t.Partitions)
		}
	}
	return out, nil
}

// bounds returns what partitions have since a time; zero: since their starts.
func (s scanner) bounds(ctx context.Context, wanted []partition, since time.Time) (map[partition]span, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	var topics []string
	for _, p := range wanted {
		topics = append(topics, p.topic)
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	ends, err := s.admin.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the end offsets: %w", err)
	}
	var begins kadm.ListedOffsets
	if since.IsZero() {
		begins, err = s.admin.ListStartOffsets(ctx, topics...)
	} else {
		begins, err = s.admin.ListOffsetsAfterMilli(ctx, since.UnixMilli(), topics...)
	}
	if err == nil {
		err = begins.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the first offsets: %w", err)
	}
	out := map[partition]span{}
	for _, p := range wanted {
		begin, end := begins[p.topic][p.number].Offset, ends[p.topic][p.number].Offset
		if begin < 0 { // nothing is as new
			begin = end
		}
		out[p] = span{begin, end}
	}
	return out, nil
}

// read calls show for each committed record of the spans, in the order of each partition.
func (s *scanner) read(ctx context.Context, spans map[partition]span, show func(*kgo.Record) error) error {
	open, offsets, total := map[partition]span{}, map[string]map[int32]kgo.Offset{}, int64(0)
	for p, at := range spans {
		if at.begin >= at.end {
			continue
		}
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.Offset{}
		}
		offsets[p.topic][p.number] = kgo.NewOffset().At(at.begin)
		open[p], total = at, total+at.end-at.begin
	}
	s.total += total
	s.work.Total(s.total)
	s.client.AddConsumePartitions(offsets)
	defer s.stop(offsets)
	heard := time.Now()
	for len(open) > 0 {
		fetches, err := s.poll(ctx)
		if err != nil {
			return err
		}
		if fetches.NumRecords() > 0 {
			heard = time.Now()
		} else if time.Since(heard) >= maxSilence {
			return fmt.Errorf("read topics: nothing came for %s before the end of %s", maxSilence, firstOf(open))
		}
		s.work.Add(int64(fetches.NumRecords()))
		for _, r := range fetches.Records() {
			p := partition{r.Topic, r.Partition}
			at, wanted := open[p]
			if !wanted || r.Offset < at.begin {
				continue
			}
			if r.Offset >= at.end-1 {
				delete(open, p)
			}
			if r.Attrs.IsControl() || r.Offset >= at.end {
				continue
			}
			if err := show(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// poll returns what came within a second.
func (s scanner) poll(ctx context.Context) (kgo.Fetches, error) {
	polling, cancel := context.WithTimeout(ctx, time.Second)
	fetches := s.client.PollRecords(polling, 5000)
	cancel()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("read %s: %w", e.Topic, e.Err)
		}
	}
	return fetches, nil
}

// stop ends the fetches of partitions.
func (s scanner) stop(offsets map[string]map[int32]kgo.Offset) {
	numbers := map[string][]int32{}
	for topic, all := range offsets {
		for n := range all {
			numbers[topic] = append(numbers[topic], n)
		}
	}
	s.client.RemoveConsumePartitions(numbers)
}

// firstOf names a partition that is not read to its end.
func firstOf(open map[partition]span) string {
	var names []string
	for p, at := range open {
		names = append(names, fmt.Sprintf("%s/%d at %d", p.topic, p.number, at.end))
	}
	slices.Sort(names)
	return names[0]
}
