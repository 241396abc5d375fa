package produce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Member is one life of a group member. The coordinator checks it on an offset commit.
type Member struct {
	ID         string
	Generation int32
}

// Offset is the position to commit for one input partition.
type Offset struct {
	Topic     string
	TopicID   [16]byte // read instead of Topic from TxnOffsetCommit 6 on
	Partition int32
	Next      int64
	Metadata  string // the window text
}

// Batch is what one transaction makes visible. Records has at least one.
type Batch struct {
	Records []*kgo.Record
	Member  Member
	Offsets []Offset
}

// TransactorOptions configure a [Transactor]. Only Group and TransactionalID are required.
type TransactorOptions struct {
	Client          []kgo.Opt // brokers, security
	Group           string
	TransactionalID string        // stable per slot, so that a restart aborts its own leftovers at once
	Timeout         time.Duration // of a transaction at the broker; default 15 s

	// ManualTopics are topics whose records name their partition in kgo.Record.Partition. Records
	// for other topics are partitioned by their key.
	ManualTopics []string
}

// Transactor is a transactional producer that commits offsets of another client's group.
// It is used by one goroutine at a time.
//
// After any error but [ErrFenced] the outcome of the transaction is unknown to it, and it
// refuses work until Recover: only a new InitProducerID settles what may still be open.
type Transactor struct {
	o           TransactorOptions
	client      *kgo.Client // nil: Recover is due
	used        bool        // client has begun a transaction: what it knows of topics may be old
	oldProtocol bool        // the cluster uses transaction.version < 2
	began       time.Time   // of the transaction under way
	fenced      time.Time   // when another process last took our transactional id
}

// NewTransactor checks the options and starts nothing.
func NewTransactor(o TransactorOptions) (*Transactor, error) {
	if o.Group == "" || o.TransactionalID == "" {
		return nil, errors.New("transactor without a group or a transactional id")
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	return &Transactor{o: o}, nil
}

// Recover opens a new producer. The broker aborts what the previous one under this
// transactional id left open, or completes what it had already begun to commit.
func (t *Transactor) Recover(ctx context.Context) error {
	t.Close()
	cl, err := t.newClient()
	if err != nil {
		return err
	}
	if t.oldProtocol, err = oldTransactions(ctx, cl); t.oldProtocol {
		cl.Close()
		if cl, err = t.newClient(kgo.MaxVersions(oldVersions())); err != nil {
			return err
		}
	}
	if err == nil {
		_, _, err = cl.ProducerID(ctx)
	}
	if err != nil {
		cl.Close()
		return t.noteFenced(fmt.Errorf("open transactional producer %s: %w", t.o.TransactionalID, err))
	}
	t.client, t.used = cl, false
	return nil
}

// Close drops the producer with everything that it had under way.
func (t *Transactor) Close() {
	if t.client != nil {
		t.client.Close()
		t.client = nil
	}
}

func (t *Transactor) newClient(more ...kgo.Opt) (*kgo.Client, error) {
	opts := append([]kgo.Opt{}, t.o.Client...)
	opts = append(opts,
		kgo.TransactionalID(t.o.TransactionalID),
		kgo.TransactionTimeout(t.o.Timeout),
		kgo.MetadataMinAge(250*time.Millisecond), // the default of 5 s makes three leader changes cost 15 s
		kgo.UnknownTopicRetries(1),               // the caller holds its records back, and tries again
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(newPartitioner(t.o.ManualTopics)),
	)
	return kgo.NewClient(append(opts, more...)...)
}

// Commit makes a batch visible: produce, flush, all acknowledged, offsets, EndTxn, in this
// order. kgo tracks only its own produces: offsets committed without an acknowledged
// record would survive an abort that is never sent and be part of the next transaction.
func (t *Transactor) Commit(ctx context.Context, b Batch) error {
	if t.client == nil {
		return errNotOpen
	}
	if len(b.Records) == 0 {
		return errors.New("batch without a record")
	}
	t.began = time.Now()
	if err := t.client.BeginTransaction(); err != nil {
		return t.inDoubt(fmt.Errorf("begin transaction: %w", err))
	}
	err := t.produce(ctx, b.Records)
	t.used = true
	if err != nil {
		return t.inDoubt(err)
	}
	if err := t.commitOffsets(ctx, b); err != nil {
		if !errors.Is(err, ErrFenced) {
			return t.inDoubt(err)
		}
		if abortErr := t.client.EndTransaction(ctx, kgo.TryAbort); abortErr != nil {
			return t.inDoubt(fmt.Errorf("abort after %w: %w", err, abortErr))
		}
		return err
	}
	if err := t.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return t.inDoubt(fmt.Errorf("end transaction: %w", err))
	}
	return nil
}

// inDoubt closes the producer: its transaction is in doubt. An ErrFenced inside is hidden,
// because the caller may rely on its meaning that nothing is open.
func (t *Transactor) inDoubt(err error) error {
	t.Close()
	err = t.noteFenced(err)
	if errors.Is(err, ErrFenced) && !errors.Is(err, ErrSlotTaken) {
		return errors.New(err.Error())
	}
	return err
}

// noteFenced watches for another producer under our transactional id. Once may be our own previous
// producer; twice within a minute means that two processes take it from each other. After the
// transaction timeout, the broker itself gives the same answer.
func (t *Transactor) noteFenced(err error) error {
	now := time.Now()
	timedOut := !t.began.IsZero() && now.Sub(t.began) >= t.o.Timeout
	taken := errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) && !timedOut
	if !taken {
		return err
	}
	if !t.fenced.IsZero() && now.Sub(t.fenced) < time.Minute {
		return fmt.Errorf("%w: %s: %w", ErrSlotTaken, t.o.TransactionalID, err)
	}
	t.fenced = now
	return fmt.Errorf("%w: %w", ErrOtherProducer, err)
}

// commitOffsets sends TxnOffsetCommit by hand: kgo itself would commit everything that its
// own group polled.
func (t *Transactor) commitOffsets(ctx context.Context, b Batch) error {
	if len(b.Offsets) == 0 {
		return nil
	}
	// From transaction.version 2 on each EndTxn raises the epoch, so it is asked for every time.
	id, epoch, err := t.client.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("producer id: %w", err)
	}
	if t.oldProtocol {
		if err := t.addOffsets(ctx, id, epoch); err != nil {
			return err
		}
	}
	req := t.offsetRequest(b, id, epoch)
	return t.retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, t.client)
		if err != nil {
			return fmt.Errorf("commit offsets: %w", err)
		}
		return offsetsError(b, resp)
	})
}

func (t *Transactor) offsetRequest(b Batch, id int64, epoch int16) *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID = t.o.TransactionalID
	req.Group = t.o.Group
	req.ProducerID, req.ProducerEpoch = id, epoch
	req.MemberID, req.Generation = b.Member.ID, b.Member.Generation
	topics := map[string]int{}
	for _, o := range b.Offsets {
		i, ok := topics[o.Topic]
		if !ok {
			i = len(req.Topics)
			topics[o.Topic] = i
			rt := kmsg.NewTxnOffsetCommitRequestTopic()
			rt.Topic, rt.TopicID = o.Topic, o.TopicID
			req.Topics = append(req.Topics, rt)
		}
		rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset, rp.Metadata = o.Partition, o.Next, kmsg.StringPtr(o.Metadata)
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
	}
	return req
}

// addOffsets announces the group's offsets to a coordinator with transaction.version < 2,
// which otherwise answers TxnOffsetCommit with INVALID_TXN_STATE.
func (t *Transactor) addOffsets(ctx context.Context, id int64, epoch int16) error {
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.TransactionalID, req.Group = t.o.TransactionalID, t.o.Group
	req.ProducerID, req.ProducerEpoch = id, epoch
	return t.retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, t.client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			return fmt.Errorf("add offsets to transaction: %w", err)
		}
		return nil
	})
}

// retry repeats f while the coordinator is loading, moving or, right after an EndTxn,
// still finishing the last transaction.
func (t *Transactor) retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || !coordinatorBusy(err) {
			return err
		}
		if !pause(ctx) {
			return err
		}
	}
}

// pause waits for a moment, and reports whether ctx is still alive.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(20 * time.Millisecond):
		return true
	}
}

func coordinatorBusy(err error) bool {
	for _, e := range []error{kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// oldTransactions asks the cluster whether it uses transaction.version < 2 (Kafka before 4.0).
func oldTransactions(ctx context.Context, cl *kgo.Client) (bool, error) {
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, cl)
	if err != nil {
		return false, fmt.Errorf("ask for the cluster's features: %w", err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel < 2, nil
		}
	}
	return true, nil
}

// oldVersions caps TxnOffsetCommit at 4: version 5 implies transaction.version 2.
func oldVersions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion((*kmsg.TxnOffsetCommitRequest)(nil).Key(), 4)
	return v
}
