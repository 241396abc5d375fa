package consume

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"alipay-kafka-bridge/internal/consume/look"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Outcome is what became of one record.
type Outcome struct {
	Records []*kgo.Record // to be made visible with the record's offset
	Skip    string        // why no call was made; goes to the journal
	Note    any           // opaque to the engine; Options.Settled gets it back
}

// HandleFunc blocks until its record has an outcome. An error means that there is none:
// the context ended, or nothing can be done until a person acts. Then nothing of this
// record is committed; the lane keeps it and tries again, or its next owner handles it.
type HandleFunc func(ctx context.Context, in Input) (Outcome, error)

// Task is one record made ready to be handled. The engine may drop the record while the task
// waits, and read it again: what a task keeps must not refer to it.
type Task struct {
	Key    string // the lane: one handling in flight per key
	Pool   Pool
	Owner  string // for the log: whose record it is, for instance an account
	Needs  int    // bytes of memory that a started handling holds, apart from the record
	Handle HandleFunc
	// Facts is what is known of the record, before, while and after it is handled; it must not block. nil: nothing.
	Facts func() look.Facts
	// Refuse is Options.Refuse for this record, once it is handled: it knows how many calls were made. It is kept until the
	// outcome is settled, so it holds little. nil: Options.Refuse.
	Refuse RefuseFunc
}

// Pool is what handlings share a limit of. Handlings of one pool cannot keep those of another
// from starting.
type Pool struct {
	App    string // Options.Started has its limit
	Method string // what the handling will call; "" where that is not known
}

// Input is a record as the engine hands it over.
type Input struct {
	*kgo.Record
	Rewound bool // results may have been published before: an operator set the group's position
}

// PrepareFunc reads a record as far as the lane needs. An error means that it cannot be
// read now, for instance because the registry is down: its partition waits. A record that
// can never be read is a Task that yields a dead letter.
type PrepareFunc func(ctx context.Context, in Input) (Task, error)

// RefuseFunc makes an outcome that says why a record has no other.
type RefuseFunc func(in Input, reason string, err error) Outcome

// Skipped is a finished offset without a result, for the journal.
type Skipped struct {
	Topic     string
	Partition int32
	Offset    int64
	Reason    string
}

// Options configure an [Engine]. Client, Group, Topics, Start (for a new group), Refuse,
// RefuseBare and Journal have no default. Defaults of durations and counts are in brackets.
type Options struct {
	Client []kgo.Opt // brokers, security, fetch limits
	Group  string
	Topics []string
	Start  Start // where a partition without a committed offset begins

	// AcceptLoss goes on at the log start where a committed offset lies below it.
	AcceptLoss bool
	// AcceptPosition names committed offsets that an operator set by hand.
	AcceptPosition []AcceptedPosition

	// Refuse turns a record whose outcome cannot be published, or whose handling panicked,
	// into one that can: a dead letter with the reason.
	Refuse RefuseFunc
	// RefuseBare does the same where that cannot be published either: without the record's
	// bytes, but with their place and hash.
	RefuseBare RefuseFunc
	// Journal turns skipped offsets into the journal's records.
	Journal func([]Skipped) ([]*kgo.Record, error)

	Hooks

	// Inline is for handlings that make no request and end soon: the records of a partition are handled one after the other, and
	// those that have to wait do so in their topic. Their tasks are of the zero Pool.
	Inline bool

	Started      map[string]int // handlings started at a time for each pool, by app [768]
	SettleEvery  time.Duration  // [100 ms]
	SettleCount  int            // outcomes that are settled without waiting, and at most at once [1000]
	MaxBytes     int            // records and outcomes held, in bytes of keys, values and headers [16 MiB]
	MaxEvents    int            // records admitted that have no settled outcome yet [100,000]
	MaxRecord    int            // a larger record is refused before it enters a batch [1 MiB]
	RevokeBound  time.Duration  // lock, drain and settle of a revoke together [20 s]
	Grace        time.Duration  // running handlings at an orderly stop [20 s]
	RetryPrepare time.Duration  // between two tries to read a record, or to restore a partition [1 s]
	HoldMax      time.Duration  // longest pause before a record without outcome is tried again [1 min]
	Log          *slog.Logger
}

func (o *Options) defaults() {
	o.SettleEvery = cmp.Or(o.SettleEvery, 100*time.Millisecond)
	o.SettleCount = cmp.Or(o.SettleCount, 1000)
	o.MaxBytes = cmp.Or(o.MaxBytes, 16<<20)
	o.MaxEvents = cmp.Or(o.MaxEvents, 100_000)
	o.MaxRecord = cmp.Or(o.MaxRecord, 1<<20)
	o.RevokeBound = cmp.Or(o.RevokeBound, 20*time.Second)
	o.Grace = cmp.Or(o.Grace, 20*time.Second)
	o.RetryPrepare = cmp.Or(o.RetryPrepare, time.Second)
	o.HoldMax = cmp.Or(o.HoldMax, time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// started is the limit of each pool of an app.
func (o *Options) started(app string) int {
	if n := o.Started[app]; n > 0 {
		return n
	}
	return defaultStarted
}

// defaultStarted is three times the default of calls in flight: a free slot finds a signed
// request, and many others may wait for another attempt.
const defaultStarted = 768
