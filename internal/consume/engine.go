package consume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/produce"
)

// Outcome is what became of one record.
type Outcome struct {
	Records []*kgo.Record // to be made visible with the record's offset
	Skip    string        // why no call was made; goes to the journal
}

// HandleFunc blocks until its record has an outcome. An error means that there is none:
// the context ended, or nothing can be done until a person acts. Then nothing of this
// record is committed; the lane keeps it and tries again.
type HandleFunc func(ctx context.Context) (Outcome, error)

// Task is one record made ready to be handled.
type Task struct {
	Key    string // the lane: one handling in flight per key
	Pool   string // handlings are started at most Options.Started at a time per pool (an app)
	Handle HandleFunc
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

// committer makes outcomes and offsets visible together. *produce.Transactor is the one.
type committer interface {
	Commit(ctx context.Context, b produce.Batch) error
	Recover(ctx context.Context) error
	Close()
}

// Skipped is a finished offset without a result, for the journal.
type Skipped struct {
	Topic     string
	Partition int32
	Offset    int64
	Reason    string
}

// Options configure an [Engine]. Client, Group, Topics, Start (for a new group), Refuse and
// Journal have no default; the durations' and counts' defaults are in brackets.
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
	Refuse func(in Input, reason string, err error) Outcome
	// Journal writes skipped offsets down.
	Journal func([]Skipped) ([]*kgo.Record, error)

	Started      map[string]int // handlings started at a time, by pool [768]
	SettleEvery  time.Duration  // [100 ms]
	SettleCount  int            // outcomes that are settled without waiting, and at most at once [1000]
	MaxBytes     int            // records held, in bytes of keys, values and headers [16 MiB]
	MaxRecord    int            // a larger record is refused before it enters a batch [1 MiB]
	RevokeBound  time.Duration  // lock, drain and settle of a revoke together [20 s]
	Grace        time.Duration  // running handlings at an orderly stop [20 s]
	RetryPrepare time.Duration  // between two tries to read a record [1 s]
	HoldMax      time.Duration  // longest pause before a record without outcome is tried again [1 min]
	Log          *slog.Logger
}

func (o *Options) defaults() {
	setDefault(&o.SettleEvery, 100*time.Millisecond)
	setDefault(&o.SettleCount, 1000)
	setDefault(&o.MaxBytes, 16<<20)
	setDefault(&o.MaxRecord, 1<<20)
	setDefault(&o.RevokeBound, 20*time.Second)
	setDefault(&o.Grace, 20*time.Second)
	setDefault(&o.RetryPrepare, time.Second)
	setDefault(&o.HoldMax, time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// started is the limit of a pool.
func (o *Options) started(pool string) int {
	if n := o.Started[pool]; n > 0 {
		return n
	}
	return defaultStarted
}

// defaultStarted is three times the default of calls in flight: enough that a free slot finds a
// signed request, and that many may wait for another attempt.
const defaultStarted = 768

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// errRejoin ends a session whose member id changed behind our back: everything was lost.
var errRejoin = errors.New("member id changed: the group has taken everything away")

// Engine runs one pipeline: one group, its input topics, one committer.
//
// It has two locks. settling is held over a whole transaction (up to settleTimeout), over the
// read-back after it, and while partitions are given up; it is never held while waiting for the
// group. mu is held only to read and move what is in memory: no request and no handling runs
// under it. Who needs both takes settling first.
type Engine struct {
	o       Options     // never changes
	prepare PrepareFunc // never changes
	commit  committer   // called under settling only

	// settling is a lock of one slot. It is a channel, because the callbacks of a rebalance
	// wait for it with a bound.
	settling  chan struct{}
	settler   settler       // guarded by settling
	settleNow chan struct{} // SettleCount outcomes are waiting; never closed

	mu           sync.Mutex // guards what follows, and every partition, window and lane
	parts        map[TopicPartition]*partition
	lanes        *lanes
	bytes        int                // of all records held
	full         hysteresis         // of bytes
	running      int                // handlings that have not returned
	session      *session           // replaced for each life of the group client
	cancelSettle context.CancelFunc // ends the settle under way
}

// New checks the options and starts nothing.
func New(prepare PrepareFunc, c committer, o Options) (*Engine, error) {
	if o.Group == "" || len(o.Topics) == 0 || o.Refuse == nil || o.Journal == nil {
		return nil, errors.New("consume: group, topics, Refuse and Journal are required")
	}
	o.defaults()
	return &Engine{
		o: o, prepare: prepare, commit: c,
		settling:  make(chan struct{}, 1),
		parts:     map[TopicPartition]*partition{},
		lanes:     newLanes(o.started),
		settleNow: make(chan struct{}, 1),
	}, nil
}

// Run works until ctx ends, then lets running handlings finish, settles and returns nil.
// It returns an error for what it cannot mend: no start position, a slot taken.
func (e *Engine) Run(ctx context.Context) error {
	defer e.commit.Close()
	// Before joining: a restart aborts its own leftovers at once, so that nobody waits
	// for the transaction timeout.
	if err := e.recoverUntil(ctx); err != nil {
		return err
	}
	for {
		err := e.runSession(ctx)
		if !errors.Is(err, errRejoin) {
			return err
		}
		e.o.Log.WarnContext(ctx, "group membership lost, joining anew", "group", e.o.Group)
	}
}

// recoverUntil opens the committer, waiting for a cluster that is not there yet.
func (e *Engine) recoverUntil(ctx context.Context) (final error) {
	retry(ctx, time.Second, func() error {
		err := e.tryRecover(ctx)
		if errors.Is(err, produce.ErrSlotTaken) {
			final = err
			return nil
		}
		return err
	}, func(err error) {
		e.o.Log.WarnContext(ctx, "producer not ready, trying again", "group", e.o.Group, "error", err)
	})
	return final
}

func (e *Engine) tryRecover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return e.commit.Recover(ctx)
}

// session is one life of the group client. Its fields do not change.
type session struct {
	client *kgo.Client
	cancel context.CancelCauseFunc
}

func (e *Engine) runSession(ctx context.Context) error {
	sctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cl, err := e.openSession(&session{cancel: cancel})
	if err != nil {
		return err
	}
	var settling sync.WaitGroup
	settleCtx, stopSettling := context.WithCancel(context.WithoutCancel(ctx))
	settling.Go(func() { e.settleLoop(settleCtx) })
	e.poll(sctx, cl)
	cause := context.Cause(sctx)
	if !errors.Is(cause, errRejoin) && !errors.Is(cause, produce.ErrSlotTaken) {
		e.finish(ctx)
	}
	stopSettling()
	settling.Wait()
	e.dropAll()
	cl.CloseAllowingRebalance()
	if ctx.Err() != nil && !errors.Is(cause, produce.ErrSlotTaken) {
		return nil
	}
	return cause
}

// openSession builds the group client under mu: its callbacks wait until the session has it.
func (e *Engine) openSession(s *session) (*kgo.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	cl, err := kgo.NewClient(e.clientOptions()...)
	if err != nil {
		return nil, fmt.Errorf("group client: %w", err)
	}
	s.client = cl
	e.session = s
	return cl, nil
}

// finish lets running handlings end and settles what they brought. It outlives the signal.
func (e *Engine) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.o.Grace+settleTimeout)
	defer cancel()
	e.mu.Lock()
	parts := e.drain(e.parts)
	e.mu.Unlock()
	e.giveUp(ctx, parts, e.o.Grace)
}

// fetchWait is how long a broker may keep a fetch open that finds nothing. A partition that
// is resumed meanwhile waits as long: kgo has one fetch under way for each broker.
const fetchWait = 250 * time.Millisecond

func (e *Engine) clientOptions() []kgo.Opt {
	return append(append([]kgo.Opt{}, e.o.Client...),
		kgo.ConsumerGroup(e.o.Group),
		kgo.ConsumeTopics(e.o.Topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(fetchWait),
		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.BlockRebalanceOnPoll(), // records are handed over under the assignment they were read under
		kgo.MetadataMinAge(250*time.Millisecond),
		kgo.OnPartitionsAssigned(e.assigned),
		kgo.OnOffsetsFetched(e.offsetsFetched),
		kgo.AdjustFetchOffsetsFn(e.startOffsets),
		kgo.OnPartitionsRevoked(e.revoked),
		kgo.OnPartitionsLost(e.lost),
	)
}

// poll hands records over to their partitions until the session ends.
func (e *Engine) poll(ctx context.Context, cl *kgo.Client) {
	for ctx.Err() == nil {
		fetches := cl.PollRecords(ctx, 1000)
		fetches.EachError(func(topic string, p int32, err error) { e.fetchError(ctx, TopicPartition{topic, p}, err) })
		e.mu.Lock()
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if p := e.parts[TopicPartition{f.Topic, f.Partition}]; p != nil && p.state != stateStopped {
				e.intake(p, f.Records)
			}
		})
		e.flow()
		e.mu.Unlock()
		cl.AllowRebalance()
	}
}

// Stats are figures for people, taken at one moment.
type Stats struct {
	Partitions int
	Waiting    int // records admitted or fetched, not being handled
	Running    int // handlings started
	Unsettled  int // outcomes that are not committed yet
}

// Stats may be called at any time.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Stats{Partitions: len(e.parts), Running: e.running}
	for _, ln := range e.lanes.byKey {
		s.Waiting += len(ln.queue)
	}
	s.Waiting -= s.Running
	for _, p := range e.parts {
		s.Waiting += len(p.backlog)
		s.Unsettled += len(p.done)
	}
	s.Waiting = max(s.Waiting, 0)
	return s
}

// retry calls f until it returns nil, and reports false when ctx ended before. It calls warn
// with the first error only.
func retry(ctx context.Context, pause time.Duration, f func() error, warn func(error)) bool {
	for warned := false; ; warned = true {
		err := f()
		if err == nil {
			return true
		}
		if !warned && ctx.Err() == nil {
			warn(err)
		}
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// sleep waits and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
