package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/reread"
	"alipay-kafka-bridge/internal/sight"
	"alipay-kafka-bridge/internal/telemetry"
)

// When the brokers delete the first record without an outcome is only asked where it has waited for some time.
const (
	retentionEvery = time.Minute
	retentionAfter = 5 * time.Minute
	maxHeads       = 100 // partitions that are asked in a round, those that wait longest
)

// watchRetention notes when the brokers may delete what waits, until ctx ends.
func (s *Service) watchRetention(ctx context.Context) {
	opts := append(slices.Clone(s.kafkaOptions()), kgo.RetryTimeout(retentionEvery/2))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return // the engines have the same options, and say it
	}
	defer cl.Close()
	reader, err := reread.New(opts...)
	if err != nil {
		return
	}
	defer reader.Close()
	trouble := telemetry.NewTrouble(s.o.Log, "it cannot be seen when the brokers delete events that wait", "it can be seen again when the brokers delete events that wait")
	for pause.Sleep(ctx, retentionEvery) {
		asking, cancel := context.WithTimeout(ctx, retentionEvery)
		ends, err := headsEnd(asking, kadm.NewClient(cl), reader, s.oldHeads(time.Now()))
		cancel()
		if ctx.Err() != nil {
			return
		}
		trouble.Note(err, "remedy", remedyOf(err, "allow DESCRIBE_CONFIGS on the input topics, as bridge check --acls prints it"))
		if err == nil || len(ends) > 0 { // otherwise what is known stays: the clock goes on
			s.sight.Retention.Set(ends)
		}
	}
}

// oldHeads are the partitions whose first record without an outcome has waited for some time, and those of which nothing is
// read: they are stopped, or there is no memory for them. Those that wait longest, or no one knows how long, come first.
func (s *Service) oldHeads(now time.Time) []look.Partition {
	var old []look.Partition
	for _, pl := range s.pipelines {
		for _, p := range pl.watch.Look(0).Partitions {
			if p.HeadSince.IsZero() && p.Unread > 0 || !p.HeadSince.IsZero() && now.Sub(p.HeadSince) >= retentionAfter {
				old = append(old, p)
			}
		}
	}
	slices.SortFunc(old, func(a, b look.Partition) int { return a.HeadSince.Compare(b.HeadSince) })
	return old[:min(len(old), maxHeads)]
}

// headsEnd says when the first records of partitions are old enough to be deleted. Brokers delete whole segments, so a record
// may stay longer. A partition whose topic keeps records for ever, or whose record is gone, is left out.
func headsEnd(ctx context.Context, adm *kadm.Client, reader *reread.Reader, heads []look.Partition) (map[sight.Place]time.Time, error) {
	ends := map[sight.Place]time.Time{}
	if len(heads) == 0 {
		return ends, nil
	}
	var topics []string
	for i := range heads {
		topics = append(topics, heads[i].Topic)
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	kept, err := retentions(ctx, adm, topics)
	if err != nil {
		return ends, err
	}
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return ends, fmt.Errorf("list topics: %w", err)
	}
	var failed error
	for i := range heads {
		h := &heads[i]
		keep, limited := kept[h.Topic]
		if !limited {
			continue
		}
		page, err := reader.Page(ctx, reread.Place{Topic: h.Topic, TopicID: details[h.Topic].ID, Partition: h.Partition, Offset: h.Head})
		switch {
		case errors.Is(err, reread.ErrGone):
			continue // the engine says it
		case err != nil:
			failed = cmp.Or(failed, err) // the others may answer
		case len(page.Records) > 0:
			ends[sight.Place{Topic: h.Topic, Partition: h.Partition}] = page.Records[0].Timestamp.Add(keep)
		}
	}
	return ends, failed
}

// retentions are how long topics keep records. Those that keep them for ever are left out.
func retentions(ctx context.Context, adm *kadm.Client, topics []string) (map[string]time.Duration, error) {
	configs, err := adm.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("describe the configuration of topics: %w", err)
	}
	out := map[string]time.Duration{}
	for _, c := range configs {
		if c.Err != nil {
			return nil, fmt.Errorf("describe the configuration of %s: %w", c.Name, c.Err)
		}
		for _, v := range c.Configs {
			if ms, err := strconv.ParseInt(v.MaybeValue(), 10, 64); v.Key == "retention.ms" && err == nil && ms >= 0 {
				out[c.Name] = time.Duration(min(ms, int64(100*365*24*time.Hour/time.Millisecond))) * time.Millisecond
			}
		}
	}
	return out, nil
}
