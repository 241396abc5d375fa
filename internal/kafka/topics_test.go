package kafka_test

import (
	"testing"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
)

// Every topic that the bridge writes is created with a schema and a retention.
func TestOutputsHaveASchemaAndARetention(t *testing.T) {
	for _, topic := range kafka.Topics(config.Default().Topics) {
		if dead := topic.Role == "dead-letters" || topic.Role == "dead-queries"; topic.Schema == "" != dead || topic.Days == 0 != (topic.Role == "status") {
			t.Errorf("%s %s: schema %.20q, %d days", topic.Role, topic.Name, topic.Schema, topic.Days)
		}
	}
}

// The state of orders is kept, and a tombstone of one is deleted in the end.
func TestStatusIsCompacted(t *testing.T) {
	for _, topic := range kafka.Topics(config.Default().Topics) {
		c := topic.Configs()
		if compacted := topic.Role == "status"; compacted != (c["cleanup.policy"] == "compact") || compacted != (c["delete.retention.ms"] != "" && c["max.compaction.lag.ms"] != "") {
			t.Errorf("%s: %v", topic.Name, c)
		}
	}
}
