package standing

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/reread"
	"alipay-kafka-bridge/internal/telemetry"
)

// Group is a consumer group with its input topics.
type Group struct {
	Name   string
	Topics []string
}

// Outputs are the topics with outcomes.
type Outputs struct {
	Results, Journal string
	DeadLetters      []string
}

func (o Outputs) all() []string {
	all := append([]string{o.Results, o.Journal}, o.DeadLetters...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Options of [New]; all are required.
type Options struct {
	Client  []kgo.Opt // brokers, security, fetch limits
	Codec   *order.Codec
	Groups  []Group
	Outputs Outputs
	Every   time.Duration // from one round to the next
	Patient time.Duration // how long a round waits for a transaction of the outputs that is open
	Mine    func() bool   // whether this instance audits now: one of a group is enough
	Log     *slog.Logger
}

// Report is what the audit has found since it began in this process.
type Report struct {
	Totals

	Since   time.Time // when it began; zero: it has not
	AsOf    time.Time // end of the last complete round; zero: there was none
	Trouble string    // why the last round was not complete; empty: it was
}

// Audit audits all partitions of its groups.
type Audit struct {
	o      Options
	totals Totals            // of earlier books
	left   map[audited]int64 // where they ended
	names  offsets.Names
	again  map[string]time.Time // when another topic was seen under a name that is known
	since  time.Time
	asOf   time.Time

	report atomic.Pointer[Report]
	counts func(Totals) // called with what each round added
}

// New returns an audit that has not begun. counts is called after each round with what it added.
func New(o Options, counts func(Totals)) *Audit {
	a := &Audit{o: o, counts: counts, again: map[string]time.Time{}}
	a.report.Store(&Report{})
	return a
}

// First is the topic whose first partition decides which instance of a group audits.
func (a *Audit) First() string { return a.o.Groups[0].Topics[0] }

// Report returns what was found so far. A report without Since means that another instance audits.
func (a *Audit) Report() Report { return *a.report.Load() }

// Run audits until ctx ends. A round that fails is tried again; where the topics have changed in a way that
// cannot be followed, the audit begins again at the present.
func (a *Audit) Run(ctx context.Context) {
	b := (*books)(nil)
	defer func() { b.close() }()
	trouble := telemetry.NewTrouble(a.o.Log, "the audit of events and outcomes could not be completed; it is tried again", "the audit of events and outcomes is complete again")
	known := a.learn(ctx)
	for pause.Sleep(ctx, a.o.Every) {
		known = known || a.learn(ctx)
		if !a.o.Mine() {
			b.close()
			b, a.since, a.asOf, a.totals, a.left = nil, time.Time{}, time.Time{}, Totals{}, nil
			a.report.Store(&Report{})
			continue
		}
		var err error
		if b, err = a.round(ctx, b); ctx.Err() != nil {
			return
		}
		trouble.Note(err)
		a.publish(b, err)
	}
}

// Once audits the events that were produced since a time and that their group has passed. It returns the first
// thousand runs of lost ones.
func Once(ctx context.Context, o Options, since time.Time) (Report, []Lost, error) {
	b, err := connect(ctx, o)
	if err != nil {
		return Report{}, nil, err
	}
	defer b.close()
	if err := b.begun(ctx); err != nil {
		return Report{}, nil, err
	}
	if err := b.beginAt(ctx, since); err != nil {
		return Report{}, nil, err
	}
	if err := b.round(ctx); err != nil {
		return Report{}, nil, err
	}
	return Report{Totals: b.ledger.totals, Since: since, AsOf: time.Now()}, b.lost, nil
}

// learn notes which topics have the names before the first books are opened: results of a topic that is deleted until
// then may come later.
func (a *Audit) learn(ctx context.Context) bool {
	b, err := connect(ctx, a.o)
	if err == nil {
		err = a.see(ctx, b)
		b.close()
	}
	return err == nil
}

func (a *Audit) see(ctx context.Context, b *books) error {
	f := b.facts
	if err := a.names.Doubt(ctx, b.client, f.TopicIDs); err != nil {
		return err
	}
	for name, id := range f.TopicIDs {
		if a.names.CreatedAgain(name, id) {
			a.again[name] = time.Now()
		}
	}
	a.names.See(f)
	return nil
}

// afterlife is how long results of a deleted topic may still come. They have offsets of the topic that has its name now, so
// no result of that one is called a repeat meanwhile.
const afterlife = time.Hour

// lenient reports whether results of a topic are not to be judged.
func (a *Audit) lenient(topic string) bool {
	at, again := a.again[topic]
	return again && time.Since(at) < afterlife
}

// publish reports what all books have found.
func (a *Audit) publish(b *books, trouble error) {
	r := &Report{Totals: a.totals, Since: a.since, AsOf: a.asOf}
	if trouble != nil {
		r.Trouble = trouble.Error()
	}
	if b != nil {
		r.Totals = r.plus(b.ledger.totals)
	}
	before := a.report.Swap(r)
	a.counts(r.minus(before.Totals))
}

// round audits once. It returns nil books if they cannot be continued.
func (a *Audit) round(ctx context.Context, b *books) (*books, error) {
	if a.since.IsZero() {
		a.since = time.Now()
	}
	if b != nil {
		if changed, _ := b.stale(ctx); changed {
			b = a.end(b)
		}
	}
	if b == nil {
		var err error
		if b, err = a.begin(ctx); err != nil {
			return nil, err
		}
	}
	if err := b.round(ctx); err != nil {
		if errors.Is(err, reread.ErrGone) || errors.Is(err, errChanged) {
			b = a.end(b)
		}
		return b, err
	}
	a.asOf = time.Now()
	if b.lenientUntil.IsZero() || a.asOf.Before(b.lenientUntil) {
		return b, nil
	}
	a.end(b)
	return a.begin(ctx)
}

// begin opens books that follow earlier ones.
func (a *Audit) begin(ctx context.Context) (*books, error) {
	b, err := open(ctx, a.o, a)
	if err != nil {
		return nil, err
	}
	b.ledger.skip(a.left, b.facts)
	a.left = nil
	return b, nil
}

// end closes books and keeps their totals.
func (a *Audit) end(b *books) *books {
	a.totals = a.totals.plus(b.ledger.totals)
	a.left = map[audited]int64{}
	for tp, acc := range b.ledger.parts {
		a.left[audited{tp, b.facts.TopicIDs[tp.Topic]}] = acc.next
	}
	b.close()
	return nil
}

func (t Totals) plus(u Totals) Totals {
	return Totals{
		Results: t.Results + u.Results, Skips: t.Skips + u.Skips, DeadLetters: t.DeadLetters + u.DeadLetters, Unaccounted: t.Unaccounted + u.Unaccounted,
		Repeated: t.Repeated + u.Repeated, LettersMissing: t.LettersMissing + u.LettersMissing, Unaudited: t.Unaudited + u.Unaudited,
	}
}

func (t Totals) minus(u Totals) Totals {
	return t.plus(Totals{-u.Results, -u.Skips, -u.DeadLetters, -u.Unaccounted, -u.Repeated, -u.LettersMissing, -u.Unaudited})
}
