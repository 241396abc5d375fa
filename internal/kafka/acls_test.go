package kafka

import (
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

// TestNeededACLs: exactly what run uses, once each.
func TestNeededACLs(t *testing.T) {
	c := config.Default()
	c.Kafka.Slot = "s"
	c.Topics.Queries[0].DeadLetters = c.Topics.Inputs[0].DeadLetters
	var got []string
	for _, a := range NeededACLs(c) {
		got = append(got, a.String())
	}
	want := `DescribeConfigs on topic alipay-queries
DescribeConfigs on topic order-events
Read on group alipay-kafka-bridge
Read on group alipay-kafka-bridge-queries
Read on group alipay-kafka-bridge-status
Read on group alipay-kafka-bridge-sweep
Read on topic alipay-queries
Read on topic alipay-results
Read on topic bridge-journal
Read on topic bridge-sweep
Read on topic order-events
Read on topic order-events.dlq
Read on topic trade-observations
Read on topic trade-status
Write on topic alipay-notifications
Write on topic alipay-results
Write on topic alipay-snapshots
Write on topic bridge-journal
Write on topic bridge-sweep
Write on topic order-events.dlq
Write on topic trade-observations
Write on topic trade-status
Write on transactional-id alipay-kafka-bridge-queries-s
Write on transactional-id alipay-kafka-bridge-s
Write on transactional-id alipay-kafka-bridge-status-s
Write on transactional-id alipay-kafka-bridge-sweep-s`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	shared := c
	shared.Topics.Inputs = []config.Input{{Name: "a", DeadLetters: "x"}, {Name: "b", DeadLetters: "y"}, {Name: "c", DeadLetters: "x"}}
	once := map[ACL]bool{}
	for _, a := range NeededACLs(shared) {
		if once[a] {
			t.Errorf("twice: %s", a)
		}
		once[a] = true
	}
	c.Topics.Queries = nil
	if n := len(NeededACLs(c)); n != 22 {
		t.Errorf("without queries %d, want 22", n)
	}
	c.Delivery.AuditEvery = 0
	if n := len(NeededACLs(c)); n != 19 {
		t.Errorf("without an audit %d, want 19", n)
	}
	c.Kafka.Brokers, c.Kafka.SASL.User = []string{"kafka:9092"}, "bri'dge"
	if got := NeededACLs(c)[1].Command(c, ""); got != `kafka-acls.sh --bootstrap-server kafka:9092 --command-config admin.properties --add --allow-principal 'User:bri'\''dge' --operation Read --group alipay-kafka-bridge` {
		t.Error(got)
	}
}

// TestNeededACLsOfParts: a process that runs some parts needs no more than these do; all parts need together what a process
// needs that runs all.
func TestNeededACLsOfParts(t *testing.T) {
	c := config.Default()
	c.Kafka.Slot = "s"
	together := map[ACL]bool{}
	for part, want := range map[string]string{
		"calls": `DescribeConfigs on topic order-events
Read on group alipay-kafka-bridge
Read on group alipay-kafka-bridge-queries
Read on topic alipay-queries
Read on topic alipay-queries.dlq
Read on topic alipay-results
Read on topic bridge-journal
Read on topic order-events
Read on topic order-events.dlq
Write on topic alipay-results
Write on topic alipay-snapshots
Write on topic bridge-journal
Write on topic order-events.dlq
Write on topic trade-observations
Write on transactional-id alipay-kafka-bridge-s`,
		"queries": `DescribeConfigs on topic alipay-queries
Read on group alipay-kafka-bridge-queries
Read on group alipay-kafka-bridge-sweep
Read on topic alipay-queries
Read on topic bridge-sweep
Write on topic alipay-queries.dlq
Write on topic alipay-results
Write on topic alipay-snapshots
Write on topic bridge-journal
Write on topic trade-observations
Write on transactional-id alipay-kafka-bridge-queries-s
Write on transactional-id alipay-kafka-bridge-sweep-s`,
		"status": `Read on group alipay-kafka-bridge-status
Read on topic trade-observations
Read on topic trade-status
Write on topic bridge-journal
Write on topic bridge-sweep
Write on topic trade-observations
Write on topic trade-status
Write on transactional-id alipay-kafka-bridge-status-s`,
		"notify": `Write on topic alipay-notifications
Write on topic trade-observations`,
	} {
		var got []string
		for _, a := range NeededACLs(c, part) {
			got, together[a] = append(got, a.String()), true
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got\n%s\nwant\n%s", part, strings.Join(got, "\n"), want)
		}
	}
	all := NeededACLs(c)
	for _, a := range all {
		if !together[a] {
			t.Errorf("no part needs %s", a)
		}
	}
	if len(all) != len(together) {
		t.Errorf("all parts need %d, a process that runs all %d", len(together), len(all))
	}
	c.Topics.Inputs = nil
	if got := NeededACLs(c, "queries"); !slices.Contains(got, ACL{ResourceTopic, c.Topics.Results, OpRead}) {
		t.Error("without calls, a process of queries audits, and may not")
	}
}
