package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/schemas"
)

// Where make kafka starts its servers.
const (
	localBroker   = "127.0.0.1:9092"
	localRegistry = "http://127.0.0.1:8081/apis/ccompat/v7"
)

// target is where commands that call nobody at Alipay find Kafka, registry and topics: a
// settings file, or the servers of make kafka and the default topics.
type target struct {
	file     string
	brokers  []string
	registry string
}

func (t *target) flags(c *cobra.Command) {
	c.Flags().StringVarP(&t.file, "config", "c", "", "settings `file` that names brokers, registry and topics")
	c.Flags().StringSliceVar(&t.brokers, "brokers", []string{localBroker}, "Kafka, without a settings file")
	c.Flags().StringVar(&t.registry, "registry", localRegistry, "schema registry `URL`, without a settings file")
}

// load returns settings of which only Kafka, Registry and Topics are meant.
func (t *target) load() (config.Config, error) {
	if t.file != "" {
		return config.LoadPublic(t.file, os.LookupEnv)
	}
	c := config.Default()
	c.Kafka.Brokers, c.Registry.URL = t.brokers, t.registry
	return c, nil
}

// client opens a Kafka client and sees that it is the right cluster.
func (t *target) client(ctx context.Context, c config.Config, opts ...kgo.Opt) (*kgo.Client, error) {
	shared, err := kafkaOptions(c.Kafka, slog.Default())
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(shared, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	if err := rightCluster(ctx, cl, c.Kafka.ClusterID); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// Retentions of the topics that the bridge writes (security.md O8), in days.
const (
	keepResults      = 30
	keepSnapshots    = 7
	keepObservations = 7
	keepDeadLetters  = 14
	keepJournal      = 400
	keepQueries      = 1
	keepInputs       = 7
)

// topic is one topic of the contract.
type topic struct {
	name   string
	role   string // for people, and the short name in tail
	schema string // of its values; empty: whatever bytes came
	days   int
}

// contract lists every topic of the settings.
func contract(t config.Topics) []topic {
	var out []topic
	for _, in := range t.Inputs {
		out = append(out, topic{in.Name, "events", schemas.OrderEvent, keepInputs}, topic{in.DeadLetters, "dead-letters", "", keepDeadLetters})
	}
	for _, in := range t.Queries {
		out = append(out, topic{in.Name, "queries", schemas.OrderEvent, keepQueries}, topic{in.DeadLetters, "dead-queries", "", keepDeadLetters})
	}
	out = append(out,
		topic{t.Results, "results", schemas.CallResult, keepResults},
		topic{t.Snapshots, "snapshots", schemas.TradeSnapshot, keepSnapshots},
		topic{t.Observations, "observations", schemas.TradeObservation, keepObservations},
		topic{t.Journal, "journal", schemas.JournalEntry, keepJournal},
	)
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(t topic) bool { // inputs may share a dead letter topic
		again := seen[t.name]
		seen[t.name] = true
		return again
	})
}

// configs are what topics create asks of the cluster.
func (t topic) configs() map[string]string {
	return map[string]string{
		"cleanup.policy": "delete",
		"retention.ms":   fmt.Sprint(int64(t.days) * 24 * 60 * 60 * 1000),
	}
}

// input says whether others write the topic.
func (t topic) input() bool { return t.role == "events" || t.role == "queries" }
