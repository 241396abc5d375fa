package main

import (
	"fmt"
	"slices"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/schemas"
)

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
