package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/kafka"
)

// movesWithin is how long a group with records to read may show no progress: it settles every 100 ms.
const movesWithin = 5 * time.Second

// groupFacts are the committed positions of a group, and the bounds of its topics.
type groupFacts struct {
	cluster string
	group   string
	inputs  []config.Input
	had     kadm.OffsetResponses
	low     kadm.ListedOffsets
	high    kadm.ListedOffsets
}

// positions reports partitions that stop or have stopped, and groups that do not move.
func (c *checker) positions(ctx context.Context, adm *kadm.Client, cluster string, topics kadm.TopicDetails) {
	for group, inputs := range c.groups() {
		facts := groupFacts{cluster: cluster, group: group}
		for _, in := range inputs { // others are reported already
			if topics[in.Name].Err == nil && mayUse(topics[in.Name], kafka.OpRead) {
				facts.inputs = append(facts.inputs, in)
			}
		}
		if len(facts.inputs) == 0 || !facts.ask(ctx, adm) {
			continue
		}
		c.stopped(facts, topics)
		c.moves(ctx, adm, facts)
	}
}

// ask reports false if the answers are not there; what is wrong with the brokers is reported elsewhere.
func (g *groupFacts) ask(ctx context.Context, adm *kadm.Client) bool {
	var names []string
	for _, in := range g.inputs {
		names = append(names, in.Name)
	}
	var err error
	if g.had, err = adm.FetchOffsets(ctx, g.group); err != nil {
		return false
	}
	var lowErr, highErr error
	g.low, lowErr = adm.ListStartOffsets(ctx, names...)
	g.high, highErr = adm.ListCommittedOffsets(ctx, names...)
	return lowErr == nil && highErr == nil
}

// each calls f for each partition with a committed position, in order.
func (g *groupFacts) each(f func(tp consume.TopicPartition, o kadm.OffsetResponse, low, high int64)) {
	for _, in := range g.inputs {
		var all []kadm.OffsetResponse
		for _, o := range g.had[in.Name] {
			all = append(all, o)
		}
		slices.SortFunc(all, func(a, b kadm.OffsetResponse) int { return int(a.Partition - b.Partition) })
		for _, o := range all {
			low, hasLow := g.low.Lookup(o.Topic, o.Partition)
			high, hasHigh := g.high.Lookup(o.Topic, o.Partition)
			if o.Err == nil && o.At >= 0 && hasLow && hasHigh && low.Err == nil && high.Err == nil {
				f(consume.TopicPartition{Topic: o.Topic, Partition: o.Partition}, o, low.Offset, high.Offset)
			}
		}
	}
}

// stopped reports positions at which run stops a partition.
func (c *checker) stopped(g groupFacts, topics kadm.TopicDetails) {
	g.each(func(tp consume.TopicPartition, o kadm.OffsetResponse, low, high int64) {
		switch {
		case !committedByBridge(g, topics[tp.Topic].ID, o):
			c.add(positionNotOurs, fmt.Sprintf("partition %s is stopped: the bridge did not write the committed position %d of group %s (another tool or another topic of this name did)", tp, o.At, g.group),
				fmt.Sprintf("find out who moved it, and where results, skips and starts of the partition end (bridge explain BridgePartitionStopped): events between would be lost or called again. Only if %[2]d is that place, stop the instance that has the partition, and start it once with --accept-position %[1]s@%[2]d", tp, o.At))
		case o.At < low:
			c.add(recordsDeleted, fmt.Sprintf("partition %s is stopped: the records %d to %d were deleted before group %s read them", tp, o.At, low-1, g.group),
				"find out which orders are missing and check retention.ms; to go on without them, start bridge run once with --accept-loss")
		case o.At > high:
			c.add(positionBeyondEnd, fmt.Sprintf("partition %s is stopped: the position %d of group %s is beyond the end of the topic, %d", tp, o.At, g.group, high),
				"find out who deleted records or made the topic again")
		}
	})
}

// committedByBridge reports whether the bridge wrote a committed position for this very place. If not,
// run stops its partition.
func committedByBridge(g groupFacts, topicID [16]byte, o kadm.OffsetResponse) bool {
	_, err := window.Place{Cluster: g.cluster, TopicID: topicID, Group: g.group, Partition: o.Partition}.Read(o.At, o.Metadata)
	return err == nil
}

// moves reports a group that has members and records to read, and whose positions stay.
func (c *checker) moves(ctx context.Context, adm *kadm.Client, g groupFacts) {
	behind := map[consume.TopicPartition]kadm.OffsetResponse{}
	lag := int64(0)
	g.each(func(tp consume.TopicPartition, o kadm.OffsetResponse, _, high int64) {
		if o.At < high {
			behind[tp] = o
			lag += high - o.At
		}
	})
	if lag == 0 {
		return
	}
	groups, err := adm.DescribeGroups(ctx, g.group)
	if err == nil {
		err = groups.Error()
	}
	if errors.Is(err, kerr.GroupAuthorizationFailed) {
		return // reported with the ACLs
	}
	if err != nil || len(groups[g.group].Members) == 0 {
		c.note("group %s: up to %d records wait, and no instance runs", g.group, lag)
		return
	}
	within := cmp.Or(c.within, movesWithin)
	select {
	case <-time.After(within):
	case <-ctx.Done():
		return
	}
	again, err := adm.FetchOffsets(ctx, g.group)
	if err != nil {
		return
	}
	for tp, o := range behind {
		if now, ok := again.Lookup(tp.Topic, tp.Partition); !ok || now.At != o.At || now.Metadata != o.Metadata {
			return
		}
	}
	c.add(nothingCommitted, fmt.Sprintf("group %s committed nothing within %s: up to %d records wait, members: %d", g.group, within, lag, len(groups[g.group].Members)),
		"check again in a minute, for calls may take longer; then look into the log of the instances: stopped partitions, open breakers and accounts that wait for a person have a line there")
}
