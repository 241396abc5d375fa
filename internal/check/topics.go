package check

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/consume/window"
	"alipay-kafka-bridge/internal/kafka"
)

const (
	// maxWrittenBatch is the size limit of a batch that the bridge writes: the limit of kgo.
	maxWrittenBatch = 1_000_012
	// safeReplicas and safeInSync are what a topic needs in production: one broker may fail while
	// another is down for maintenance, and no acknowledged record is lost.
	safeReplicas = 3
	safeInSync   = 2
)

// topics checks partitions, replicas and configuration of each topic.
func (c *checker) topics(ctx context.Context, adm *kadm.Client, have kadm.TopicDetails) {
	denied := 0
	for _, t := range c.used() {
		d := have[t.Name]
		switch {
		case errors.Is(d.Err, kerr.TopicAuthorizationFailed):
			continue // reported with the ACLs
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			c.add(topicMissing, "topic "+t.Name+" does not exist", "create it with bridge topics create")
			continue
		case d.Err != nil:
			c.add(kafkaHidesTopic, fmt.Sprintf("topic %s: %v", t.Name, d.Err), "check the brokers")
			continue
		}
		c.layout(t, d)
		have, err := valuesOf(adm.DescribeTopicConfigs(ctx, t.Name))
		switch {
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			denied++
		case err != nil:
			c.add(kafkaHidesTopic, fmt.Sprintf("configuration of topic %s: %v", t.Name, err), "check the brokers")
		default:
			c.configured(t, have, d.Partitions.NumReplicas())
		}
	}
	c.sameLayout(have)
	if denied > 0 {
		c.note("the configuration of %d topics was not checked: this principal may not DescribeConfigs there", denied)
	}
}

// valuesOf returns the configuration of one resource, or an error. The error of kadm has only what the
// cluster refused; other errors are with the resource.
func valuesOf(resources kadm.ResourceConfigs, err error) (map[string]string, error) {
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range resources {
		if r.Err != nil {
			return nil, r.Err
		}
		for _, c := range r.Configs {
			out[c.Key] = c.MaybeValue()
		}
	}
	return out, nil
}

// wantedReplicas is how many replicas each topic should have, by the settings or for safety.
func (c *checker) wantedReplicas() int {
	switch {
	case c.cfg.Topics.Replication > 0:
		return c.cfg.Topics.Replication
	case c.production():
		return safeReplicas
	}
	return 1
}

func (c *checker) production() bool {
	for _, a := range c.cfg.Apps {
		if a.Environment == config.Production {
			return true
		}
	}
	return false
}

// layout checks partitions and replicas, which need no permission to see.
func (c *checker) layout(t kafka.Topic, d kadm.TopicDetail) {
	if n, want := len(d.Partitions), c.cfg.Topics.Partitions; n < want {
		c.add(topicPartitions, fmt.Sprintf("topic %s has %d partitions, but topics.partitions is %d", t.Name, n, want),
			"fix topics.partitions; or add partitions, but only while no event of the topic is waiting, because orders move to other partitions")
	}
	if n, want := d.Partitions.NumReplicas(), c.wantedReplicas(); n < want {
		c.add(topicReplicas, fmt.Sprintf("topic %s has %d replicas instead of %d", t.Name, n, want), "add replicas with kafka-reassign-partitions.sh, or set topics.replication")
	}
}

// sameLayout requires that trade status has a partition for each one of observations: the state of an order is
// restored from the partition of the same number.
func (c *checker) sameLayout(have kadm.TopicDetails) {
	t := c.cfg.Topics
	from, to := have[t.Observations], have[t.Status]
	if c.only.Has("status") && from.Err == nil && to.Err == nil && len(from.Partitions) != len(to.Partitions) {
		c.add(topicPair, fmt.Sprintf("topic %s has %d partitions, but topic %s has %d: the state of an order would not be found", t.Status, len(to.Partitions), t.Observations, len(from.Partitions)),
			"give both the same number, as docs/howto/change-partition-count.md says")
	}
}

// configured checks the configuration of a topic. The retention of an input topic is up to its
// producers, but it must keep all events of an order.
func (c *checker) configured(t kafka.Topic, have map[string]string, copies int) {
	if policy, ok := have["cleanup.policy"]; ok {
		switch {
		case t.Compacted() && policy != "compact":
			c.misconfigured(t, "cleanup.policy", policy, "compact", "the state of orders would be deleted")
		case !t.Compacted() && policy != "delete":
			c.misconfigured(t, "cleanup.policy", policy, "delete", "older records of a key would be deleted before they are read")
		}
	}
	c.inSync(t, have, copies)
	most, err := strconv.ParseInt(have["max.message.bytes"], 10, 64)
	switch {
	case err != nil:
	case t.IsInput() && most > kafka.MaxResponseBytes:
		c.misconfigured(t, "max.message.bytes", have["max.message.bytes"], strconv.Itoa(1<<20), fmt.Sprintf("a batch above %d bytes stops its partition", kafka.MaxResponseBytes))
	case !t.IsInput() && most < maxWrittenBatch:
		c.misconfigured(t, "max.message.bytes", have["max.message.bytes"], strconv.Itoa(1<<20), "the bridge writes batches up to "+strconv.Itoa(maxWrittenBatch))
	}
	if !t.IsInput() && !t.Compacted() {
		c.retention(t, have["retention.ms"])
	}
}

// inSync requires that records are written to two brokers in production, and that writing is possible.
func (c *checker) inSync(t kafka.Topic, have map[string]string, copies int) {
	n, err := strconv.Atoi(have["min.insync.replicas"])
	switch {
	case err != nil:
	case n > copies:
		c.misconfigured(t, "min.insync.replicas", strconv.Itoa(n), strconv.Itoa(max(1, copies-1)), fmt.Sprintf("with %d replicas nothing can be written", copies))
	case c.production() && n < safeInSync:
		c.misconfigured(t, "min.insync.replicas", strconv.Itoa(n), strconv.Itoa(safeInSync), "a record that only one broker has acknowledged can be lost")
	}
}

// retention requires that personal data is deleted in time, and that the journal is kept (security
// O8). Topics with personal data may have a shorter retention.
func (c *checker) retention(t kafka.Topic, text string) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return
	}
	want := int64(t.Days) * 24 * time.Hour.Milliseconds()
	journal := t.Role == "journal"
	switch {
	case journal && ms >= 0 && ms < want:
		c.misconfigured(t, "retention.ms", text, strconv.FormatInt(want, 10), "the journal is the only record of skipped events")
	case !journal && (ms < 0 || ms > want):
		c.misconfigured(t, "retention.ms", text, strconv.FormatInt(want, 10), "it holds personal data")
	}
}

func (c *checker) misconfigured(t kafka.Topic, key, is, want, why string) {
	c.add(topicConfig, fmt.Sprintf("topic %s has %s=%s: %s", t.Name, key, is, why),
		fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --topic %s --add-config %s=%s", c.cfg.Kafka.Brokers[0], t.Name, key, want))
}

// brokers checks the configuration of the brokers.
func (c *checker) brokers(ctx context.Context, adm *kadm.Client, list kadm.BrokerDetails) {
	for _, b := range list {
		have, err := valuesOf(adm.DescribeBrokerConfigs(ctx, b.NodeID))
		if errors.Is(err, kerr.ClusterAuthorizationFailed) {
			c.note("offset.metadata.max.bytes was not checked: this principal may not DescribeConfigs of the cluster (the default of Kafka, %d, is enough)", window.MaxText)
			return
		}
		if err != nil {
			c.add(kafkaRefuses, fmt.Sprintf("configuration of broker %d: %v", b.NodeID, err), "check the brokers")
			continue
		}
		text := have["offset.metadata.max.bytes"]
		if n, err := strconv.Atoi(text); err == nil && n < window.MaxText {
			c.add(brokerConfig, fmt.Sprintf("broker %d has offset.metadata.max.bytes=%s, but the bridge needs %d", b.NodeID, text, window.MaxText),
				"set it to 4096 or more in the configuration of the brokers")
		}
	}
}
