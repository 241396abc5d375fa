package produce_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"alipay-kafka-bridge/internal/produce"
)

// scope names what an error of Commit concerns.
func scope(err error) string {
	var record *produce.RecordError
	var topic *produce.TopicError
	var offset *produce.OffsetError
	switch {
	case err == nil:
		return "none"
	case errors.Is(err, produce.ErrFenced):
		return "member"
	case errors.As(err, &record):
		return fmt.Sprintf("record of %s", record.Topic)
	case errors.As(err, &topic):
		return fmt.Sprintf("topics %v", topic.Topics)
	case errors.As(err, &offset):
		return fmt.Sprintf("offset of %s/%d", offset.Offsets[0].Topic, offset.Offsets[0].Partition)
	}
	return "cluster"
}

// TestScopeOfErrors has the rows of the table "What a refusal concerns" in docs/DESIGN.md.
func TestScopeOfErrors(t *testing.T) {
	type row struct {
		key  kmsg.Key
		err  *kerr.Error
		want string
	}
	var rows []row
	for want, list := range map[string][]*kerr.Error{
		"record of status": {kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.UnsupportedForMessageFormat, kerr.PolicyViolation},
		"topics [status]":  {kerr.TopicAuthorizationFailed, kerr.UnknownTopicOrPartition, kerr.InvalidTopicException, kerr.UnsupportedCompressionType, kerr.InvalidRequiredAcks, kerr.NotEnoughReplicas, kerr.LeaderNotAvailable},
		"cluster":          {kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed, kerr.InvalidTxnState, kerr.UnknownServerError},
	} {
		for _, err := range list {
			rows = append(rows, row{kmsg.Produce, err, want})
		}
	}
	for want, list := range map[string][]*kerr.Error{
		"offset of in/1": {kerr.TopicAuthorizationFailed, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidTopicException, kerr.OffsetMetadataTooLarge, kerr.InvalidCommitOffsetSize},
		"member":         {kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.RebalanceInProgress},
		"cluster":        {kerr.GroupAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed, kerr.InvalidGroupID, kerr.UnknownServerError},
	} {
		for _, err := range list {
			rows = append(rows, row{kmsg.TxnOffsetCommit, err, want})
		}
	}
	for _, tt := range rows {
		t.Run(fmt.Sprint(tt.key.Name(), " ", tt.err.Message), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				tx := r.transactor()
				fault := kfake.Fault{Keys: []kmsg.Key{tt.key}, Topic: "status", Err: tt.err, Count: -1}
				if tt.key == kmsg.TxnOffsetCommit {
					fault.Topic, fault.Partitions = "in", []int32{1}
				}
				h := r.cluster.Fault(fault)
				b := r.batch(1, "a")
				b.Records = append(b.Records, &kgo.Record{Topic: "status", Value: []byte("s")})
				b.Offsets = append(b.Offsets, produce.Offset{Topic: "in", TopicID: r.topicID, Partition: 1, Next: 1})
				ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
				defer cancel()
				if got := scope(tx.Commit(ctx, b)); got != tt.want || h.Hits() == 0 {
					t.Errorf("concerns %s, want %s (%d hits)", got, tt.want, h.Hits())
				}
			})
		})
	}
}

// TestSilentClusterIsNotATopic: where no topic answers at all, no topic is the cause.
func TestSilentClusterIsNotATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
		b := r.batch(1, "a")
		b.Records = append(b.Records, &kgo.Record{Topic: "status", Value: []byte("s")})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		if err := tx.Commit(ctx, b); scope(err) != "cluster" {
			t.Errorf("concerns %s: %v", scope(err), err)
		}
	})
}

// Records of two topics are refused: the error has those of one topic, all of them, and says which.
func TestRefusedRecordsAreOfOneTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: -1})
		b := r.batch(1)
		for range 3 {
			b.Records = append(b.Records, &kgo.Record{Topic: "status", Value: []byte("s")}, &kgo.Record{Topic: "out", Value: []byte("o")})
		}
		var refused *produce.RecordError
		if err := tx.Commit(t.Context(), b); !errors.As(err, &refused) {
			t.Fatalf("Commit = %v", err)
		}
		for _, rec := range refused.Records {
			if rec.Topic != refused.Topic || !slices.Contains(b.Records, rec) {
				t.Errorf("record of %s in an error for %s", rec.Topic, refused.Topic)
			}
		}
		if len(refused.Records) != 3 || !strings.Contains(refused.Error(), refused.Topic) || !errors.Is(refused, kerr.InvalidRecord) {
			t.Errorf("%d records: %v", len(refused.Records), refused)
		}
	})
}

// The refused offset is found among those of other topics with the same partition number.
func TestRefusedOffsetIsFound(t *testing.T) {
	for name, opts := range map[string][]kfake.Opt{"by topic id": nil, "by name": {kfake.MaxVersions(kversion.V3_5_0())}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, append(opts, kfake.SeedTopics(3, "in2"))...)
				cl := r.client()
				topics, err := kadm.NewClient(cl).ListTopics(t.Context(), "in2")
				must(t, err)
				cl.Close()
				tx := r.transactor()
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1})
				b := r.batch(5, "a")
				b.Offsets = []produce.Offset{
					{Topic: "in2", TopicID: topics["in2"].ID, Partition: 1, Next: 1}, {Topic: "in", TopicID: r.topicID, Partition: 0, Next: 2},
					{Topic: "in", TopicID: r.topicID, Partition: 1, Next: 3}, {Topic: "in", TopicID: r.topicID, Partition: 2, Next: 4},
				}
				var refused *produce.OffsetError
				if err := tx.Commit(t.Context(), b); !errors.As(err, &refused) || len(refused.Offsets) != 1 || refused.Offsets[0].Next != 3 || !strings.Contains(refused.Error(), "in/1") {
					t.Errorf("Commit = %v", err)
				}
			})
		})
	}
}

// TestTopicErrorNamesItsTopics: an operator reads which topics and why.
func TestTopicErrorNamesItsTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tx := r.transactor()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
		b := r.batch(1, "a")
		b.Records = append(b.Records, &kgo.Record{Topic: "status", Value: []byte("s")})
		err := tx.Commit(t.Context(), b)
		if scope(err) != "topics [out status]" || !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "out, status") {
			t.Errorf("Commit = %v", err)
		}
	})
}
