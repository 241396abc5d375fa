package standing

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

	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/reread"
)

// books are the accounts of all partitions, with the clients that read them.
type books struct {
	o            Options
	client       *kgo.Client
	reader       *reread.Reader
	facts        offsets.Facts // of the outputs and inputs, when the books were opened
	at           map[offsets.TopicPartition]int64
	ledger       *ledger
	names        *offsets.Names // of the audit
	lenientUntil time.Time      // when these books end, because results of a topic are judged again from then on; zero: all are judged
	warned       bool           // of a record that cannot be read
	lost         []Lost
}

// Lost are events of one partition of which no outcome is visible.
type Lost struct {
	Topic       string
	Partition   int32
	First, Last int64
}

// maxLost is how many runs of lost events are remembered.
const maxLost = 1000

func (b *books) close() {
	if b == nil {
		return
	}
	if b.client != nil {
		b.client.Close()
	}
	if b.reader != nil {
		b.reader.Close()
	}
}

func (b *books) askFacts(ctx context.Context) (offsets.Facts, error) {
	topics := b.o.Outputs.all()
	for _, g := range b.o.Groups {
		topics = append(topics, g.Topics...)
	}
	f, err := offsets.AskFacts(ctx, b.client, topics)
	if err != nil {
		return f, err
	}
	for _, t := range b.o.Outputs.all() {
		if f.Partitions[t] == 0 {
			return f, fmt.Errorf("topic %s does not exist, or the bridge may not describe it", t)
		}
	}
	return f, nil
}

// stale reports whether topics were created again or have more partitions. An error says that this is not known.
func (b *books) stale(ctx context.Context) (bool, error) {
	f, err := b.askFacts(ctx)
	if err == nil {
		err = b.names.Doubt(ctx, b.client, f.TopicIDs)
	}
	if err != nil {
		return false, err
	}
	for t, n := range f.Partitions {
		if b.facts.Partitions[t] != n || b.facts.TopicIDs[t] != f.TopicIDs[t] {
			return true, nil
		}
	}
	return len(f.Partitions) != len(b.facts.Partitions), nil
}

// listed turns offsets into a map; one partition without an answer spoils all.
func listed(l kadm.ListedOffsets, err error) (map[offsets.TopicPartition]int64, error) {
	if err == nil {
		err = l.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	out := map[offsets.TopicPartition]int64{}
	l.Each(func(o kadm.ListedOffset) {
		out[offsets.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	return out, nil
}

// errNotBegun is why there is nothing to audit.
var errNotBegun = errors.New("no group has committed offsets")

// begun returns an error if no group has a committed position: an audit would find nothing wrong in nothing.
func (b *books) begun(ctx context.Context) error {
	var names []string
	for _, g := range b.o.Groups {
		found, left, err := b.positions(ctx, g)
		if err != nil || len(found)+left > 0 {
			return err
		}
		names = append(names, g.Name)
	}
	return fmt.Errorf("%w: %s; name the settings of the bridge that runs, or audit when it has handled events", errNotBegun, strings.Join(names, ", "))
}

// tries is how often the brokers are asked for positions that a transaction is about to change.
const tries = 10

// positions are the committed positions of a group. Partitions without one are left out, and those whose position does
// not become stable; left says how many these are. An account that is opened later is right, too.
func (b *books) positions(ctx context.Context, g Group) (_ map[offsets.TopicPartition]window.Position, left int, err error) {
	var of []offsets.TopicPartition
	for _, t := range g.Topics {
		for p := range b.facts.Partitions[t] {
			of = append(of, offsets.TopicPartition{Topic: t, Partition: p})
		}
	}
	out := map[offsets.TopicPartition]window.Position{}
	for try := 1; len(of) > 0; try++ {
		found, refused, busy, err := offsets.Fetch(ctx, b.client, g.Name, b.facts, of)
		switch {
		case errors.Is(err, kerr.GroupIDNotFound):
			return nil, 0, nil // it has not begun
		case err != nil:
			return nil, 0, fmt.Errorf("committed offsets of group %s: %w", g.Name, err)
		}
		for tp, c := range found {
			if c.Offset < 0 {
				continue
			}
			out[tp] = window.Position{Next: c.Offset}
			if w, err := b.facts.Place(g.Name, tp).Read(c.Offset, c.Text); err == nil {
				out[tp] = w.Position
			}
		}
		for tp, err := range refused {
			if !errors.Is(err, kerr.UnstableOffsetCommit) {
				return nil, 0, fmt.Errorf("committed offset of %s in group %s: %w", tp, g.Name, err)
			}
		}
		of = slices.DeleteFunc(of, func(tp offsets.TopicPartition) bool { _, ok := found[tp]; return ok })
		if !busy || try == tries {
			break
		}
		if !pause.Sleep(ctx, time.Second) {
			return nil, 0, context.Cause(ctx)
		}
	}
	return out, len(of), nil
}

var errChanged = errors.New("topics were created again, or got more partitions, while they were read: audit again")

// round compares what is committed with what is visible. The committed positions are asked for first, then
// the ends of the outputs: whatever a position covers lies below them. An account is opened in between: what was
// read of the outputs before is covered by its position.
func (b *books) round(ctx context.Context) error {
	committed, left := map[offsets.TopicPartition]window.Position{}, 0
	for _, g := range b.o.Groups {
		positions, unstable, err := b.positions(ctx, g)
		if err != nil {
			return err
		}
		left += unstable
		maps.Copy(committed, positions)
	}
	for tp, p := range committed {
		b.ledger.follow(tp, p)
	}
	ends, err := listed(kadm.NewClient(b.client).ListEndOffsets(ctx, b.o.Outputs.all()...))
	if err != nil {
		return err
	}
	if err := b.read(ctx, ends); err != nil {
		return err
	}
	b.report(ctx)
	switch changed, err := b.stale(ctx); {
	case err != nil:
		return err
	case changed: // what was read may be of others than what was committed
		return errChanged
	}
	for tp, p := range committed {
		if err := b.settle(ctx, tp, p); err != nil {
			return err
		}
	}
	b.report(ctx)
	if left > 0 {
		return fmt.Errorf("the committed offsets of %d partitions did not become stable within %d s; a transaction of the group hangs", left, tries)
	}
	return nil
}

// report logs what must not be.
func (b *books) report(ctx context.Context) {
	for _, f := range b.ledger.found {
		b.o.Log.ErrorContext(ctx, "the audit found outcomes that do not fit their event", "what", f.what, "topic", f.tp.Topic, "partition", f.tp.Partition, "first", f.at.From, "last", f.at.To-1,
			"do", "bridge explain BridgeUnaccounted")
	}
	b.ledger.found = nil
}

// read reads the outputs up to their ends, in the order of time: so the outcomes of one event after the other are seen,
// and the ledger has few gaps. Where a transaction is open, it waits for its end.
func (b *books) read(ctx context.Context, ends map[offsets.TopicPartition]int64) error {
	seen := map[offsets.TopicPartition]time.Time{} // the time of the last record that was read
	waits := time.Time{}
	for {
		next, some := offsets.TopicPartition{}, false
		for tp, end := range ends {
			if b.at[tp] < end && (!some || seen[tp].Before(seen[next])) {
				next, some = tp, true
			}
		}
		if !some {
			return nil
		}
		page, err := b.page(ctx, next, b.at[next])
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			if err := b.mark(ctx, r); err != nil {
				return err
			}
			b.at[next], seen[next] = r.Offset+1, r.Timestamp
		}
		moved := page.Next > b.at[next] || len(page.Records) > 0
		b.at[next] = page.Next
		switch {
		case moved:
			waits = time.Time{}
			continue
		case waits.IsZero():
			waits = time.Now()
		case time.Since(waits) >= b.o.Patient:
			return fmt.Errorf("read %s: a transaction has been open for %s", next, b.o.Patient)
		}
		if !pause.Sleep(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}

func (b *books) page(ctx context.Context, tp offsets.TopicPartition, at int64) (reread.Page, error) {
	return b.reader.Page(ctx, reread.Place{Topic: tp.Topic, TopicID: b.facts.TopicIDs[tp.Topic], Partition: tp.Partition, Offset: at})
}

// settle closes the account of a partition up to its committed position.
func (b *books) settle(ctx context.Context, tp offsets.TopicPartition, committed window.Position) error {
	lost, err := b.events(ctx, tp, b.ledger.gaps(tp, committed.Next))
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		b.o.Log.ErrorContext(ctx, "the group has passed events of which no outcome is visible", "topic", tp.Topic, "partition", tp.Partition, "events", lost.size(),
			"first", lost[0].From, "last", lost[len(lost)-1].To-1, "committed", committed.Next, "do", "bridge explain BridgeUnaccounted")
	}
	for _, s := range lost {
		if len(b.lost) < maxLost {
			b.lost = append(b.lost, Lost{tp.Topic, tp.Partition, s.From, s.To - 1})
		}
	}
	b.ledger.advance(tp, committed.Next, lost.size())
	return nil
}

// events are the offsets in gaps that are events, as far as the topic still has them. A page serves all gaps in it.
func (b *books) events(ctx context.Context, tp offsets.TopicPartition, gaps set) (set, error) {
	var out set
	var page reread.Page
	begin := int64(0) // of the page
	for _, gap := range gaps {
		for at := gap.From; at < gap.To; {
			if at < begin || at >= page.Next {
				var err error
				page, err = b.page(ctx, tp, at)
				switch {
				case errors.Is(err, reread.ErrGone):
					if at, err = b.logStart(ctx, tp, at); err != nil {
						return nil, err
					}
					continue
				case err != nil:
					return nil, err
				case page.Next == at:
					return nil, fmt.Errorf("read %s at %d: the committed offset is beyond what is stable", tp, at)
				}
				begin = at
			}
			for _, r := range page.Records {
				if r.Offset >= at && r.Offset < gap.To {
					out.add(r.Offset, r.Offset+1)
				}
			}
			at = page.Next
		}
	}
	return out, nil
}

// logStart is where the topic begins now, after it said that an offset is gone.
func (b *books) logStart(ctx context.Context, tp offsets.TopicPartition, gone int64) (int64, error) {
	starts, err := listed(kadm.NewClient(b.client).ListStartOffsets(ctx, tp.Topic))
	if err == nil && starts[tp] <= gone {
		err = fmt.Errorf("read %s at %d: %w", tp, gone, reread.ErrGone)
	}
	return starts[tp], err
}

// mark notes what a record of the outputs proves. A record that no bridge wrote proves nothing.
func (b *books) mark(ctx context.Context, r *kgo.Record) error {
	err := b.evidence(ctx, r)
	if _, foreign := errors.AsType[*avro.UndecodableError](err); !foreign {
		return err
	}
	if !b.warned {
		b.warned = true
		b.o.Log.WarnContext(ctx, "a record of an output topic cannot be read; the audit leaves it out", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
	}
	return nil
}

func (b *books) evidence(ctx context.Context, r *kgo.Record) error {
	switch r.Topic {
	case b.o.Outputs.Results:
		res, err := b.o.Codec.DecodeResult(ctx, r.Topic, r.Value)
		if err == nil {
			b.ledger.result(&res)
		}
		return err
	case b.o.Outputs.Journal:
		j, err := b.o.Codec.DecodeJournal(ctx, r.Topic, r.Value)
		for _, s := range j.Skipped {
			b.ledger.mark(evidenceSkip, offsets.TopicPartition{Topic: j.Topic, Partition: j.Partition}, s.First, s.Last+1, false)
		}
		return err
	}
	if o, ok := records.DeadOrigin(r); ok {
		b.ledger.mark(evidenceLetter, offsets.TopicPartition{Topic: o.Topic, Partition: o.Partition}, o.Offset, o.Offset+1, false)
	}
	return nil
}
