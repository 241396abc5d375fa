package produce

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	// ErrFenced means that the batch's generation is stale. The transaction was aborted,
	// nothing of it is visible, and the producer can be used further.
	ErrFenced = errors.New("the group has moved on to another generation")

	// ErrOtherProducer means that another producer has used our transactional id: our own previous one
	// or, if it happens again, another process.
	ErrOtherProducer = errors.New("another producer has used the same transactional id")

	// ErrSlotTaken means that another process uses this transactional id. It is final.
	ErrSlotTaken = errors.New("another process uses this slot; give each process a slot of its own")

	errNotOpen = errors.New("producer is not open: call Recover first")
)

// RecordError means that records themselves were refused (too large, not valid, no such
// partition), in any state of the cluster. Nothing of the batch is visible. Where the broker
// refused a whole record batch, Records are all that were in it.
type RecordError struct {
	Topic   string
	Records []*kgo.Record // of [Batch.Records], at least one
	Err     error
}

func (e *RecordError) Error() string { return fmt.Sprintf("record for %s: %v", e.Topic, e.Err) }
func (e *RecordError) Unwrap() error { return e.Err }

// TopicError means that topics cannot be produced to now: not authorized, unknown, without a
// leader. Records for other topics are not concerned. Nothing of the batch is visible.
type TopicError struct {
	Topics []string // ascending, at least one
	Err    error    // of the first of them
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("produce to %s: %v", strings.Join(e.Topics, ", "), e.Err)
}
func (e *TopicError) Unwrap() error { return e.Err }

// OffsetError means that the offsets of some input partitions were refused: not authorized,
// unknown. Other partitions are not concerned. Nothing of the batch is visible.
type OffsetError struct {
	Offsets []Offset // of [Batch.Offsets], at least one
	Err     error    // of the first of them
}

func (e *OffsetError) Error() string {
	o := e.Offsets[0]
	return fmt.Sprintf("commit offset of %s/%d: %v", o.Topic, o.Partition, e.Err)
}
func (e *OffsetError) Unwrap() error { return e.Err }

// ofRecord are the errors of a produce that concern what is in the record.
var ofRecord = []error{
	kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.UnsupportedForMessageFormat,
	kerr.PolicyViolation,
}

// ofTopic are the errors of a produce that concern one topic or partition, for every record.
var ofTopic = []error{
	kerr.TopicAuthorizationFailed, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID, kerr.InvalidTopicException,
	kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.ReplicaNotAvailable,
	kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.KafkaStorageError, kerr.CorruptMessage,
	kerr.UnsupportedCompressionType, kerr.InvalidRequiredAcks,
}

// ofOffset are the errors of an offset commit that concern one input partition.
var ofOffset = []error{
	kerr.TopicAuthorizationFailed, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID, kerr.InvalidTopicException,
	kerr.OffsetMetadataTooLarge, kerr.InvalidCommitOffsetSize,
}

// staleMember are the errors of an offset commit for a generation that is over.
var staleMember = []error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.StaleMemberEpoch, kerr.RebalanceInProgress}

func isAny(err error, list []error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}

// failures are the errors of one batch's records.
type failures struct {
	records []*kgo.Record // refused for what is in them
	record  error         // of the first of these
	topics  map[string]error
	other   error // concerns the whole batch
}

// add notes the failure of a record. asked is the record as the caller gave it, left as kgo left
// it. used: what the producer knows of topics may be old.
func (f *failures) add(asked, left *kgo.Record, used bool, err error) {
	switch {
	case left.Partition == noPartition && used: // it may have been added since; a new producer asks
		f.topic(asked.Topic, fmt.Errorf("no partition %d is known", asked.Partition))
	case left.Partition == noPartition:
		f.record = cmp.Or(f.record, fmt.Errorf("the topic has no partition %d", asked.Partition))
		f.records = append(f.records, asked)
	case isAny(err, ofRecord):
		f.record = cmp.Or(f.record, err)
		f.records = append(f.records, asked)
	case isAny(err, ofTopic):
		f.topic(asked.Topic, err)
	default:
		f.other = cmp.Or(f.other, fmt.Errorf("produce to %s: %w", asked.Topic, err))
	}
}

func (f *failures) topic(name string, err error) {
	if f.topics == nil {
		f.topics = map[string]error{}
	}
	if f.topics[name] == nil {
		f.topics[name] = err
	}
}

// err returns what the caller can do most about: refused records first, then topics.
func (f *failures) err() error {
	switch {
	case len(f.records) > 0:
		e := &RecordError{Topic: f.records[0].Topic, Err: f.record}
		for _, r := range f.records {
			if r.Topic == e.Topic {
				e.Records = append(e.Records, r)
			}
		}
		return e
	case len(f.topics) > 0:
		e := &TopicError{}
		for name := range f.topics {
			e.Topics = append(e.Topics, name)
		}
		slices.Sort(e.Topics)
		e.Err = f.topics[e.Topics[0]]
		return e
	}
	return f.other
}

// offsetsError reads the answer to an offset commit. A stale member concerns all partitions; a
// busy coordinator too, and is tried again.
func offsetsError(b Batch, resp *kmsg.TxnOffsetCommitResponse) error {
	var refused OffsetError
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			err := kerr.ErrorForCode(p.ErrorCode)
			switch {
			case err == nil:
			case isAny(err, staleMember):
				return fmt.Errorf("%w: %w", ErrFenced, err)
			case isAny(err, ofOffset):
				if o, ok := b.offset(topic.Topic, topic.TopicID, p.Partition); ok {
					refused.Offsets = append(refused.Offsets, o)
					refused.Err = cmp.Or(refused.Err, err)
					continue
				}
				fallthrough
			default:
				return fmt.Errorf("commit offset of %s/%d: %w", cmp.Or(topic.Topic, hex.EncodeToString(topic.TopicID[:])), p.Partition, err)
			}
		}
	}
	if len(refused.Offsets) > 0 {
		return &refused
	}
	return nil
}

// offset finds what was to be committed for a partition that the broker names by topic or, from
// TxnOffsetCommit 6 on, by topic id.
func (b Batch) offset(topic string, id [16]byte, partition int32) (Offset, bool) {
	for _, o := range b.Offsets {
		if o.Partition == partition && (topic == o.Topic || topic == "" && id == o.TopicID) {
			return o, true
		}
	}
	return Offset{}, false
}
