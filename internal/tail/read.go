package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/progress"
)

// Limits of a reading.
const (
	// maxQueue is how many records of one partition may wait for older ones of others.
	maxQueue = 500
	// maxSilence is how long a partition may deliver nothing before its end is reached.
	maxSilence = 30 * time.Second
	// fetchWait is how long a broker may keep a fetch open that finds nothing. A fetch may have only some of
	// the partitions that are read; if those are empty, the records of the others wait as long.
	fetchWait = 250 * time.Millisecond
)

// ClientOptions are what a reading needs of its client.
func ClientOptions() []kgo.Opt {
	return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait)}
}

// Options choose records of a topic.
type Options struct {
	Latest     bool      // begin with what comes
	Since      time.Time // begin at this time; zero: at the start
	Key        *string   // only of this key; nil: of all
	Partitions []int     // none: all
	Count      int       // stop after so many; 0: never
	ToEnd      bool      // stop at what is the end now

	Work *progress.Bar // shows how far it is; nil: no one sees it
}

// Read is what a reading did.
type Read struct {
	Seen, Shown int
}

// NoPartition is the error of a partition that a topic does not have.
type NoPartition struct {
	Topic            string
	Partition, Count int
}

func (e NoPartition) Error() string {
	return fmt.Sprintf("--partition %d: topic %s has partitions 0 to %d", e.Partition, e.Topic, e.Count-1)
}

// Records shows records of a topic until ctx ends, the count is reached or, with ToEnd, the end of the
// topic. To stop following is not an error.
func Records(ctx context.Context, cl *kgo.Client, topic string, o Options, show func(*kgo.Record) error) (Read, error) {
	r, err := newReader(ctx, cl, topic, o)
	if err != nil {
		return Read{}, err
	}
	var did Read
	err = r.run(ctx, o.ToEnd, func(rec *kgo.Record) error {
		did.Seen++
		if o.Key != nil && string(rec.Key) != *o.Key || rec.Timestamp.Before(o.Since) { // a batch may begin earlier
			return nil
		}
		if err := show(rec); err != nil {
			return err
		}
		if did.Shown++; did.Shown == o.Count {
			return errReadEnough
		}
		return nil
	})
	if errors.Is(err, errReadEnough) || !o.ToEnd && ctx.Err() != nil {
		return did, nil
	}
	return did, err
}

// reader reads a topic in the order of time: first what it has when the reading begins, merged
// over its partitions, then what comes.
type reader struct {
	client *kgo.Client
	topic  string
	ends   map[int32]int64         // of the partitions that have records before their end; an entry goes when it is reached
	queued map[int32][]*kgo.Record // of partitions whose end is not reached, or that wait for others
	paused map[int32]bool
	work   *progress.Bar
}

// newReader asks for the ends of the partitions, and for the first offsets.
func newReader(ctx context.Context, cl *kgo.Client, topic string, o Options) (*reader, error) {
	adm := kadm.NewClient(cl)
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the end offsets of %s: %w", topic, err)
	}
	begins, err := o.begins(ctx, adm, topic, ends)
	if err == nil {
		err = begins.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the first offsets of %s: %w", topic, err)
	}
	r := &reader{client: cl, topic: topic, ends: map[int32]int64{}, queued: map[int32][]*kgo.Record{}, paused: map[int32]bool{}, work: o.Work}
	read, total := map[int32]kgo.Offset{}, int64(0)
	for p, end := range ends[topic] {
		if len(o.Partitions) > 0 && !slices.Contains(o.Partitions, int(p)) {
			continue
		}
		begin := begins[topic][p].Offset
		if begin < 0 { // nothing is as new as --since
			begin = end.Offset
		}
		read[p] = kgo.NewOffset().At(begin)
		if begin < end.Offset {
			r.ends[p] = end.Offset
			total += end.Offset - begin
		}
	}
	for _, p := range o.Partitions {
		if _, ok := read[int32(p)]; !ok {
			return nil, NoPartition{topic, p, len(ends[topic])}
		}
	}
	r.work.Total(total)
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: read})
	return r, nil
}

// begins are the offsets to begin at; ends for --from latest.
func (o Options) begins(ctx context.Context, adm *kadm.Client, topic string, ends kadm.ListedOffsets) (kadm.ListedOffsets, error) {
	switch {
	case o.Latest:
		return ends, nil
	case !o.Since.IsZero():
		return adm.ListOffsetsAfterMilli(ctx, o.Since.UnixMilli(), topic)
	}
	return adm.ListStartOffsets(ctx, topic)
}

// errReadEnough ends a reading from within.
var errReadEnough = errors.New("enough was read")

// run calls show for each record until ctx ends, show returns an error or, with toEnd, the end is
// reached.
func (r *reader) run(ctx context.Context, toEnd bool, show func(*kgo.Record) error) error {
	heard := time.Now()
	for {
		if err := r.merge(show); err != nil {
			return err
		}
		if toEnd && len(r.ends) == 0 {
			return nil
		}
		polling, cancel := context.WithTimeout(ctx, time.Second)
		fetches := r.client.PollRecords(polling, 1000)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.fault(fetches); err != nil {
			return err
		}
		switch {
		case fetches.NumRecords() > 0 || len(r.ends) == 0:
			heard = time.Now()
		case time.Since(heard) >= maxSilence:
			return fmt.Errorf("read %s: nothing came for %s before the end of %s", r.topic, maxSilence, r.unfinished())
		}
		fetches.EachRecord(r.take)
		r.work.Add(int64(fetches.NumRecords()))
	}
}

func (r *reader) fault(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return fmt.Errorf("read %s: %w", r.topic, e.Err)
		}
	}
	return nil
}

// take queues a record, and notes the end of its partition. Markers of transactions are records, too:
// the last offset of a topic often is one.
func (r *reader) take(rec *kgo.Record) {
	p := rec.Partition
	if end, ok := r.ends[p]; ok && rec.Offset >= end-1 {
		delete(r.ends, p)
	}
	if rec.Attrs.IsControl() {
		return
	}
	r.queued[p] = append(r.queued[p], rec)
	if len(r.queued[p]) >= maxQueue && len(r.ends) > 0 && !r.paused[p] {
		r.paused[p] = true
		r.client.PauseFetchPartitions(map[string][]int32{r.topic: {p}})
	}
}

// merge shows what is older than anything that may still come.
func (r *reader) merge(show func(*kgo.Record) error) error {
	for {
		for p := range r.ends {
			if len(r.queued[p]) == 0 {
				return nil // it may have an older one
			}
		}
		oldest := int32(-1)
		for p, q := range r.queued {
			if len(q) > 0 && (oldest < 0 || q[0].Timestamp.Before(r.queued[oldest][0].Timestamp) || q[0].Timestamp.Equal(r.queued[oldest][0].Timestamp) && p < oldest) {
				oldest = p
			}
		}
		if oldest < 0 {
			return nil
		}
		rec := r.queued[oldest][0]
		r.queued[oldest] = r.queued[oldest][1:]
		if r.paused[oldest] && len(r.queued[oldest]) <= maxQueue/2 {
			delete(r.paused, oldest)
			r.client.ResumeFetchPartitions(map[string][]int32{r.topic: {oldest}})
		}
		if err := show(rec); err != nil {
			return err
		}
	}
}

// unfinished names the partitions whose end is not reached.
func (r *reader) unfinished() string {
	var out []string
	for p, end := range r.ends {
		out = append(out, fmt.Sprintf("partition %d at %d", p, end))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
