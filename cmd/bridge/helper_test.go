package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/internal/kafka"
	"alipay-kafka-bridge/internal/localkafka"
)

// Names of these tests' apps and input.
const (
	testApp    = "2021000000000001"
	testHKApp  = "hk-client"
	inputTopic = "order-events"
)

// patience is a net below waits for what certainly comes, on however busy a machine.
const patience = 5 * time.Minute

// topicsOfSettings are the topics of these settings, as a local Kafka creates them.
func topicsOfSettings(t config.Topics) []localkafka.Topic {
	var out []localkafka.Topic
	for _, m := range kafka.Topics(t) {
		out = append(out, localkafka.Topic{Name: m.Name, Partitions: int32(t.Partitions), Schema: m.Schema})
	}
	return out
}

// runBridge runs a command line in this process and returns what it printed to standard output.
func runBridge(ctx context.Context, t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := rootCommand()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(t.Output())
	err := c.ExecuteContext(ctx)
	return out.String(), err
}
