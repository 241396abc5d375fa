// Package offsets asks a cluster where a group is in its input topics: committed offsets, the
// bounds of the logs, and where a partition without an offset begins.
package offsets

import (
	"alipay-kafka-bridge/internal/consume/pause"
	"alipay-kafka-bridge/internal/consume/window"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicPartition names a partition of an input topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// Compare orders partitions by topic and number.
func Compare(a, b TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// Start is where a partition without a committed offset begins. The zero value refuses:
// a first deployment must not fire a week of creates by default.
type Start struct {
	Earliest bool
	Latest   bool
	At       time.Time
}

// ParseStart reads "earliest", "latest" or a time in RFC 3339; "" is the zero value.
func ParseStart(s string) (Start, error) {
	switch s {
	case "":
		return Start{}, nil
	case "earliest":
		return Start{Earliest: true}, nil
	case "latest":
		return Start{Latest: true}, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return Start{}, fmt.Errorf("start %q: use earliest, latest or a time such as 2026-01-31T08:00:00+08:00", s)
	}
	return Start{At: at}, nil
}

// Facts are asked for whenever offsets are fetched; the window text is bound to them.
type Facts struct {
	Cluster    string
	TopicIDs   map[string][16]byte
	Partitions map[string]int32
}

// AskFacts leaves out topics that do not exist.
func AskFacts(ctx context.Context, cl *kgo.Client, topics []string) (Facts, error) {
	m, err := kadm.NewClient(cl).Metadata(ctx, topics...)
	if err != nil {
		return Facts{}, fmt.Errorf("metadata: %w", err)
	}
	f := Facts{Cluster: m.Cluster, TopicIDs: map[string][16]byte{}, Partitions: map[string]int32{}}
	for _, t := range m.Topics {
		if t.Err == nil { // a topic that does not exist is not assigned to anyone
			f.TopicIDs[t.Topic] = t.ID
			f.Partitions[t.Topic] = int32(len(t.Partitions))
		}
	}
	return f, nil
}

func (f Facts) names() map[[16]byte]string {
	out := map[[16]byte]string{}
	for name, id := range f.TopicIDs {
		out[id] = name
	}
	return out
}

// Place is where the commits of a group for a partition belong.
func (f Facts) Place(group string, tp TopicPartition) window.Place {
	return window.Place{Cluster: f.Cluster, TopicID: f.TopicIDs[tp.Topic], Group: group, Partition: tp.Partition, Count: f.Partitions[tp.Topic]}
}

// Committed is one partition of an OffsetFetch answer.
type Committed struct {
	Offset int64  // -1: none
	Text   string // the metadata
}

// Read reads an answer for one group; facts have the topics that come by id only. An error
// of one partition concerns only that one; busy: ask again.
func Read(resp *kmsg.OffsetFetchResponse, facts Facts) (found map[TopicPartition]Committed, refused map[TopicPartition]error, busy bool, err error) {
	again := func(err error) bool { return errors.Is(err, kerr.UnstableOffsetCommit) || kerr.IsRetriable(err) }
	found, refused = map[TopicPartition]Committed{}, map[TopicPartition]error{}
	codes := []int16{resp.ErrorCode}
	for _, g := range resp.Groups {
		codes = append(codes, g.ErrorCode)
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				tp := TopicPartition{cmp.Or(t.Topic, facts.names()[t.TopicID]), p.Partition}
				switch err := kerr.ErrorForCode(p.ErrorCode); {
				case errors.Is(err, kerr.UnstableOffsetCommit):
					busy, refused[tp] = true, err
				case err != nil:
					refused[tp] = err
				default:
					c := Committed{Offset: p.Offset}
					if p.Metadata != nil {
						c.Text = *p.Metadata
					}
					found[tp] = c
				}
			}
		}
	}
	for _, code := range codes {
		switch err := kerr.ErrorForCode(code); {
		case err == nil:
		case again(err):
			busy = true
		default:
			return nil, nil, false, err
		}
	}
	return found, refused, busy, nil
}

// Fetch reads the committed offsets of partitions, without waiting for transactions that are
// pending on them: then busy is true, as it is for a coordinator that cannot answer now.
func Fetch(ctx context.Context, cl *kgo.Client, group string, facts Facts, of []TopicPartition) (found map[TopicPartition]Committed, refused map[TopicPartition]error, busy bool, err error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = group, -1
	for _, tp := range of {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.TopicID, t.Partitions = tp.Topic, facts.TopicIDs[tp.Topic], []int32{tp.Partition}
		g.Topics = append(g.Topics, t)
	}
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, nil, false, err
	}
	return Read(resp, facts)
}

// Await calls then once the committed offsets of all these partitions can be read, unless the context ends before.
func Await(ctx context.Context, cl *kgo.Client, group string, facts Facts, of []TopicPartition, then func()) {
	for pause.Sleep(ctx, 30*time.Second) {
		if found, _, busy, err := Fetch(ctx, cl, group, facts, of); err == nil && !busy && len(found) == len(of) {
			then()
			return
		}
	}
}
