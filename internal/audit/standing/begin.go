package standing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/reread"
)

// open opens books at the present. The outputs are read from their last stable offsets, which are asked for
// first: the outcome of an event that is not finished in the committed positions becomes visible after them.
func open(ctx context.Context, o Options, of *Audit) (*books, error) {
	b, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	b.names = &of.names
	if err := of.see(ctx, b); err != nil {
		b.close()
		return nil, err
	}
	b.ledger.again = of.lenient
	for name := range b.facts.TopicIDs {
		if end := of.again[name].Add(afterlife); of.lenient(name) && (b.lenientUntil.IsZero() || end.Before(b.lenientUntil)) {
			b.lenientUntil = end
		}
	}
	if err := b.beginNow(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *books) beginNow(ctx context.Context) (err error) {
	stable, err := kadm.NewClient(b.client).ListCommittedOffsets(ctx, b.o.Outputs.all()...)
	if b.at, err = listed(stable, err); err != nil {
		return err
	}
	for _, g := range b.o.Groups {
		positions, _, err := b.positions(ctx, g)
		if err != nil {
			return err
		}
		for tp, p := range positions {
			b.ledger.follow(tp, p)
		}
	}
	return nil
}

// freshEnough is how old the metadata may be by which topics are known to be the same.
const freshEnough = 250 * time.Millisecond

// clocks is how far the clocks of producers, bridge and brokers may differ, for an outcome to be found.
const clocks = time.Hour

// beginAt opens the accounts at a time in the past: each event that was produced since then has its outcome after it.
func (b *books) beginAt(ctx context.Context, since time.Time) (err error) {
	adm := kadm.NewClient(b.client)
	outputs, err := adm.ListOffsetsAfterMilli(ctx, since.Add(-clocks).UnixMilli(), b.o.Outputs.all()...)
	if b.at, err = listed(outputs, err); err != nil {
		return err
	}
	for _, g := range b.o.Groups {
		inputs, err := adm.ListOffsetsAfterMilli(ctx, since.UnixMilli(), g.Topics...)
		from, err := listed(inputs, err)
		if err != nil {
			return err
		}
		for tp, o := range from {
			b.ledger.follow(tp, window.Position{Next: o})
		}
	}
	return nil
}

// connect makes books without accounts.
func connect(ctx context.Context, o Options) (_ *books, err error) {
	b := &books{o: o, ledger: newLedger(), names: &offsets.Names{}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.client, err = kgo.NewClient(append(slices.Clone(o.Client), kgo.MetadataMinAge(freshEnough))...); err != nil {
		return nil, fmt.Errorf("client of the audit: %w", err)
	}
	if b.reader, err = reread.New(o.Client...); err != nil {
		return nil, err
	}
	b.facts, err = b.askFacts(ctx)
	return b, err
}
