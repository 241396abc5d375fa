package consume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume/fair"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/consume/offsets"
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/produce"
	"alipay-kafka-bridge/internal/reread"
)

// committer makes outcomes and offsets visible together: a *produce.Transactor.
type committer interface {
	Commit(ctx context.Context, b produce.Batch) error
	Recover(ctx context.Context) error
	Close()
}

// errRejoin ends a session whose member id changed without a callback: everything was lost.
var errRejoin = errors.New("member id changed: all partitions were lost")

// errBeginAgain ends a session in order, so that the next one learns of a change in the cluster.
var errBeginAgain = errors.New("the input topics changed")

// Engine runs one pipeline: one group, its input topics, one committer.
//
// It has two locks. settling is held over a whole transaction (up to settleTimeout), over the
// read-back after it, and while partitions are given up; it is never held while waiting for the
// group. mu is held only to read and move what is in memory: no request and no handling runs
// under it. To hold both, lock settling first.
type Engine struct {
	o       Options     // never changes
	prepare PrepareFunc // never changes
	commit  committer   // called under settling only

	// settling is a lock of one slot. It is a channel, because the callbacks of a rebalance
	// wait for it with a bound.
	settling  chan struct{}
	settler   settler       // guarded by settling
	settleNow chan struct{} // SettleCount outcomes are waiting; never closed

	mu            sync.Mutex // guards what follows, and every partition, window and lane
	parts         map[TopicPartition]*partition
	lanes         *lanes
	hooked        map[TopicPartition]*partition // whose Assigned began and whose Dropped has not returned
	bytes         int                           // of all records and outcomes held
	full          fair.Hysteresis               // of bytes
	crowded       fair.Hysteresis               // of events
	waits         look.Waits[*item]             // records without an outcome
	gone          map[string]int                // how often in a row an input topic was missing, or could not be read
	names         offsets.Names                 // of the input topics; has a lock of its own
	fetchTroubles look.Troubles[TopicPartition] // failed fetches; one entry for each input partition, and one for the brokers
	running       int                           // handlings that have not returned
	session       *session                      // replaced for each life of the group client
	cancelSettle  context.CancelFunc            // ends the settle under way
}

// New checks the options and starts nothing.
func New(prepare PrepareFunc, c committer, o Options) (*Engine, error) {
	if o.Group == "" || len(o.Topics) == 0 || o.Refuse == nil || o.RefuseBare == nil || o.Journal == nil {
		return nil, errors.New("consume: group, topics, Refuse, RefuseBare and Journal are required")
	}
	o.defaults()
	return &Engine{
		o: o, prepare: prepare, commit: c,
		settling:      make(chan struct{}, 1),
		parts:         map[TopicPartition]*partition{},
		hooked:        map[TopicPartition]*partition{},
		lanes:         newLanes(o.started, o.MaxBytes, maxUnsettledBatches*o.SettleCount),
		waits:         look.NewWaits[*item](o.Log.With("group", o.Group)),
		gone:          map[string]int{},
		fetchTroubles: look.Troubles[TopicPartition]{},
		settler:       settler{settleCount: o.SettleCount},
		settleNow:     make(chan struct{}, 1),
	}, nil
}

// Run works until ctx ends, then lets running handlings finish, settles and returns nil.
// It returns an error for what it cannot fix: no start position, a slot taken.
func (e *Engine) Run(ctx context.Context) error {
	defer e.commit.Close()
	// Before joining: a restart aborts its own leftovers at once, so that no reader waits
	// for the transaction timeout.
	if err := e.recoverUntil(ctx); err != nil {
		return err
	}
	for {
		err := e.runSession(ctx)
		switch {
		case errors.Is(err, errRejoin):
			e.o.Log.WarnContext(ctx, "group membership lost; joining again", "group", e.o.Group)
		case errors.Is(err, errBeginAgain):
			e.o.Log.InfoContext(ctx, "joining the group again", "group", e.o.Group)
		default:
			return err
		}
	}
}

// recoverUntil opens the committer, waiting for a cluster that is not there yet.
func (e *Engine) recoverUntil(ctx context.Context) (final error) {
	pause.Retry(ctx, time.Second, func() error {
		err := e.tryRecover(ctx)
		if errors.Is(err, produce.ErrSlotTaken) {
			final = err
			return nil
		}
		return err
	}, func(err error) {
		e.o.Log.WarnContext(ctx, "producer not ready; trying again", "group", e.o.Group, "error", err)
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
	client   *kgo.Client
	reader   *reread.Reader
	ctx      context.Context // ends with the session
	awaiting atomic.Bool     // awaitOffsets runs
	cancel   context.CancelCauseFunc
}

func (e *Engine) runSession(ctx context.Context) error {
	sctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{ctx: sctx, cancel: cancel}
	cl, err := e.openSession(s)
	if err != nil {
		return err
	}
	defer s.reader.Close()
	var settling sync.WaitGroup
	settleCtx, stopSettling := context.WithCancel(context.WithoutCancel(ctx))
	settling.Go(func() { e.settleLoop(settleCtx) })
	settling.Go(func() { e.watchTopics(sctx, cl) })
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
	if s.reader, err = reread.New(e.o.Client...); err != nil {
		cl.Close()
		return nil, err
	}
	s.client = cl
	e.session = s
	return cl, nil
}

// finish lets running handlings end and settles their outcomes. It outlives the signal.
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
		kgo.MetadataMaxAge(30*time.Second), // added partitions and topics created again are noticed within this time
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
		fetches := cl.PollRecords(ctx, e.pollSize(cl))
		fetches.EachError(func(topic string, p int32, err error) {
			e.fetchError(ctx, TopicPartition{Topic: topic, Partition: p}, err)
		})
		e.mu.Lock()
		read := map[TopicPartition]bool{}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			tp := TopicPartition{Topic: f.Topic, Partition: f.Partition}
			if len(f.Records) > 0 {
				read[tp], read[TopicPartition{}] = true, true // without a topic: of any broker
			}
			if p := e.parts[tp]; p != nil && p.state != look.StateStopped {
				e.intake(p, f.FetchPartition)
			}
		})
		e.fetchesWork(read)
		e.flow()
		e.mu.Unlock()
		cl.AllowRebalance()
		e.awaitRoom(ctx)
	}
}

// pollSize is how many records one poll takes: by their average size, what fits into an eighth of MaxBytes.
// Records are copied when they are polled: a poll of all that is unpacked would double their memory.
func (e *Engine) pollSize(cl *kgo.Client) int {
	n, bytes := cl.BufferedFetchRecords(), cl.BufferedFetchBytes()
	return int(min(max(1, n*int64(e.o.MaxBytes/8)/max(1, bytes)), max(1, n), 1000))
}
