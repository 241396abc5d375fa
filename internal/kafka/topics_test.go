package kafka_test

import (
	"testing"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
)

// Every topic that the bridge writes is created with a schema and a retention.
func TestOutputsHaveASchemaAndARetention(t *testing.T) {
	for _, topic := range kafka.Topics(config.Default().Topics) {
		if dead := topic.Role == "dead-letters" || topic.Role == "dead-queries"; topic.Schema == "" != dead || topic.Days == 0 {
			t.Errorf("%s %s: schema %.20q, %d days", topic.Role, topic.Name, topic.Schema, topic.Days)
		}
	}
}
