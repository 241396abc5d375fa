package kafka

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/config"
)

var update = flag.Bool("update", false, "write docs/topics.md again")

const topicsFile = "../../docs/topics.md"

const topicsHead = `# Topics

The topics of the bridge, with the names that they have unless the settings give others, as ` + "`bridge topics create`" + ` makes them. It never changes a topic that exists; ` + "`bridge check`" + ` says
what differs. All have the same number of partitions (` + "`topics.partitions`" + `) and replicas (` + "`topics.replication`" + `), at least 3 in production, with ` + "`min.insync.replicas`" + ` 2.
Who may do what is printed by ` + "`bridge check --acls`" + `.

This page is generated. To change it, change ` + "`internal/kafka/topics.go`" + ` and run ` + "`go test ./internal/kafka -run TestReference -update`" + `.

| topic | role | record key | schema of the value | configuration | written by |
|---|---|---|---|---|---|
`

// uses says what keys the records of a role have, and who writes them.
var uses = map[string][2]string{
	"events":        {"order number", "your platform"},
	"dead-letters":  {"as the event", "the bridge"},
	"queries":       {"order number", "your platform"},
	"dead-queries":  {"as the event", "the bridge"},
	"results":       {"account/order number", "the bridge"},
	"snapshots":     {"account/order number", "the bridge"},
	"observations":  {"account/order number", "the bridge, its receivers, and operators with accept and erase"},
	"notifications": {"account/order number", "the receiver of notifications"},
	"status":        {"account/order number", "the bridge"},
	"sweep":         {"account/order number", "the bridge"},
	"journal":       {"topic/partition of the skipped event", "the bridge"},
}

// TestReference: docs/topics.md is what the code makes.
func TestReference(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(topicsHead)
	defaults := config.Default().Topics
	defaults.Queries = []config.Input{{Name: "alipay-queries", DeadLetters: "alipay-queries.dlq"}}
	if len(defaults.Inputs) == 0 {
		defaults.Inputs = []config.Input{{Name: "order-events", DeadLetters: "order-events.dlq"}}
	}
	for _, topic := range Topics(defaults) {
		use, known := uses[topic.Role]
		if !known {
			t.Errorf("role %s has no entry in uses", topic.Role)
		}
		schema := "as it came"
		if topic.Schema != "" {
			var named struct{ Name string }
			if err := json.Unmarshal([]byte(topic.Schema), &named); err != nil {
				t.Fatal(err)
			}
			schema = "`" + named.Name + "`"
		}
		var configs []string
		all := topic.Configs()
		for _, key := range slices.Sorted(maps.Keys(all)) {
			configs = append(configs, fmt.Sprintf("`%s=%s`", key, all[key]))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", topic.Name, topic.Role, use[0], schema, strings.Join(configs, " "), use[1])
	}
	b.WriteString("\nSchemas: [schemas](../schemas). What the records say: [read-the-outputs.md](howto/read-the-outputs.md) and [consumers.md](consumers.md).\n")
	if *update {
		if err := os.WriteFile(topicsFile, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(topicsFile); err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("docs/topics.md is not what the code makes (%v): look, then go test ./internal/kafka -run TestReference -update", err)
	}
}
