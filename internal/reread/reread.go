// Package reread reads records of a topic a second time, by their offsets.
package reread

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/consume/pause"
)

// ErrGone means that a record is not in the topic any more, or that the topic is another one of
// the same name.
var ErrGone = errors.New("the record is not in the topic any more")

// readBytes is how much one read asks for. The broker returns at least one whole batch.
const readBytes = 256 << 10

// copyBytes is how much one read returns at most, apart from its first record: a batch of a few
// kilobytes may be unpacked to 32 MiB.
const copyBytes = 1 << 20

// Place names a record.
type Place struct {
	Topic     string
	TopicID   [16]byte
	Partition int32
	Offset    int64
}

// Reader reads records with a client of its own: the fetches of a group's client wait at the
// broker for new records. It may be used by many goroutines.
type Reader struct {
	client       *kgo.Client
	decompressor kgo.Decompressor // of the client, with the bound of the process
	unpacking    chan struct{}    // a lock of one slot, held while a batch is unpacked and copied

	mu      sync.Mutex
	leaders map[Place]int32 // by place without offset; one entry for each partition that was read
}

// New starts nothing and connects to nothing yet. opts are brokers, security and fetch limits.
func New(opts ...kgo.Opt) (*Reader, error) {
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("reader of records: %w", err)
	}
	r := &Reader{client: cl, unpacking: make(chan struct{}, 1), leaders: map[Place]int32{}}
	r.decompressor, _ = cl.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	return r, nil
}

// Close ends all reads.
func (r *Reader) Close() { r.client.Close() }

// Read returns the record at a place and committed ones that follow it, up to about 256 KiB, or of
// the one batch that it is in up to 1 MiB. It returns [ErrGone] where the record does not exist any more; any
// other error may pass. What it returns is not shared.
func (r *Reader) Read(ctx context.Context, at Place) ([]*kgo.Record, error) {
	p, err := r.fetch(ctx, at)
	if err != nil {
		return nil, err
	}
	f, err := r.records(ctx, at, p, copies)
	switch {
	case err != nil:
		return nil, err
	case len(f.Records) == 0 && f.LastStableOffset <= at.Offset:
		return nil, fmt.Errorf("read %s/%d at %d: the broker does not have it yet", at.Topic, at.Partition, at.Offset)
	case len(p.RecordBatches) == 0 && f.LogStartOffset <= at.Offset: // a gap has a batch; a broker that cannot read its storage now has none
		return nil, noBatch(at)
	case len(f.Records) == 0 || f.Records[0].Offset != at.Offset:
		return nil, fmt.Errorf("%s/%d at %d: %w", at.Topic, at.Partition, at.Offset, ErrGone)
	}
	return f.Records, nil
}

func noBatch(at Place) error {
	return fmt.Errorf("read %s/%d at %d: the broker's answer has no batch", at.Topic, at.Partition, at.Offset)
}

// fetch asks the leader of a partition.
func (r *Reader) fetch(ctx context.Context, at Place) (*kmsg.FetchResponseTopicPartition, error) {
	leader, err := r.leader(ctx, at)
	if err != nil {
		return nil, err
	}
	resp, err := request(at).RequestWith(ctx, r.client.Broker(int(leader)))
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		r.forget(at)
		return nil, fmt.Errorf("read %s/%d at %d: %w", at.Topic, at.Partition, at.Offset, err)
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			return &resp.Topics[i].Partitions[j], nil
		}
	}
	return nil, fmt.Errorf("read %s/%d at %d: the broker's answer has no partition", at.Topic, at.Partition, at.Offset)
}

// answer is what a fetch returned of a partition.
type answer struct {
	kgo.FetchPartition
	next int64 // where the next fetch goes on
}

// taker makes what a read returns of records whose memory is only lent.
type taker func(lent []*kgo.Record) []*kgo.Record

// records unpacks an answer, and waits for memory if there is none.
func (r *Reader) records(ctx context.Context, at Place, p *kmsg.FetchResponseTopicPartition, take taker) (answer, error) {
	select {
	case r.unpacking <- struct{}{}: // one batch at a time: nothing else of it stays
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	defer func() { <-r.unpacking }()
	f := r.unpack(at, p, take)
	for temporary(f.Err) && pause.Sleep(ctx, noMemoryPause) {
		f = r.unpack(at, p, take)
	}
	switch {
	case errors.Is(f.Err, kerr.UnknownTopicID), errors.Is(f.Err, kerr.InconsistentTopicID):
		return answer{}, r.askAgain(ctx, at, f.Err)
	case errors.Is(f.Err, kerr.OffsetOutOfRange):
		return answer{}, fmt.Errorf("%s/%d at %d: %w: %w", at.Topic, at.Partition, at.Offset, ErrGone, f.Err)
	case f.Err != nil:
		r.forget(at)
		return answer{}, fmt.Errorf("read %s/%d at %d: %w", at.Topic, at.Partition, at.Offset, f.Err)
	}
	return f, nil
}

// askAgain decides what a broker means that does not know the id of a topic: it may not have heard of the
// topic yet. The topic is gone only if the cluster says that its name has another id.
func (r *Reader) askAgain(ctx context.Context, at Place, cause error) error {
	r.forget(at)
	if _, err := r.leader(ctx, at); errors.Is(err, ErrGone) {
		return err
	}
	return fmt.Errorf("read %s/%d at %d: %w", at.Topic, at.Partition, at.Offset, cause)
}

// taken is as many of the first records as one read returns, and where the next one goes on.
func taken(lent []*kgo.Record, next int64) (some []*kgo.Record, goOn int64) {
	size := 0
	for i, rec := range lent {
		if size += Size(rec); size > copyBytes && i > 0 {
			return lent[:i], rec.Offset
		}
	}
	return lent, next
}

// copies copies records, so that their batch does not stay.
func copies(lent []*kgo.Record) []*kgo.Record {
	out := make([]*kgo.Record, len(lent))
	for i, rec := range lent {
		out[i] = Copy(rec)
	}
	return out
}

// lender decompresses until use returns. A large batch is not copied, and is the last one: lent.
type lender interface {
	Borrow(use func(kgo.Decompressor)) (lent bool)
}

// unpack decompresses what a fetch returned and takes what is to be returned of it. The same batch
// was accepted before, but its memory is needed once more: a batch of a few kilobytes may need 32 MiB. What comes
// before a batch without memory is returned.
func (r *Reader) unpack(at Place, p *kmsg.FetchResponseTopicPartition, take taker) (f answer) {
	use := func(d kgo.Decompressor) {
		f.FetchPartition, f.next = kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Topic: at.Topic, Partition: at.Partition, Offset: at.Offset, IsolationLevel: kgo.ReadCommitted(),
		}, p, d, nil)
		if len(f.Records) > 0 && temporary(f.Err) {
			f.Err = nil
		}
		f.Records, f.next = taken(f.Records, f.next)
		f.Records = take(f.Records)
	}
	l, ok := r.decompressor.(lender)
	if !ok {
		use(r.decompressor)
	} else if l.Borrow(use) && temporary(f.Err) {
		f.Err = nil // the record would be in the first batch that was decompressed
	}
	return f
}

// noMemoryPause is how long a batch without memory waits.
const noMemoryPause = 20 * time.Millisecond

// temporary reports whether there is no memory for a batch until others are handled.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// leader returns the broker to ask.
func (r *Reader) leader(ctx context.Context, at Place) (int32, error) {
	at.Offset = 0
	r.mu.Lock()
	id, known := r.leaders[at]
	r.mu.Unlock()
	if known {
		return id, nil
	}
	topics, err := kadm.NewClient(r.client).ListTopics(ctx, at.Topic)
	if err != nil {
		return 0, fmt.Errorf("leader of %s/%d: %w", at.Topic, at.Partition, err)
	}
	t := topics[at.Topic]
	if t.Err != nil {
		return 0, fmt.Errorf("leader of %s/%d: %w", at.Topic, at.Partition, t.Err)
	}
	if at.TopicID != [16]byte{} && [16]byte(t.ID) != at.TopicID {
		return 0, fmt.Errorf("%s: %w: the topic was created again", at.Topic, ErrGone)
	}
	p, ok := t.Partitions[at.Partition]
	if !ok || p.Err != nil || p.Leader < 0 {
		return 0, fmt.Errorf("leader of %s/%d: none is known", at.Topic, at.Partition)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaders[at] = p.Leader
	return p.Leader, nil
}

// forget makes the next read ask for the leader again.
func (r *Reader) forget(at Place) {
	at.Offset = 0
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leaders, at)
}

func request(at Place) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID = -1
	req.MinBytes, req.MaxBytes = 1, readBytes
	req.IsolationLevel = 1 // read committed
	req.SessionEpoch = -1  // no fetch session
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = at.Topic, at.TopicID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = at.Partition, at.Offset, readBytes
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}
