package kafka

import (
	"fmt"
	"slices"

	"alipay-kafka-bridge/internal/config"
	"alipay-kafka-bridge/schemas"
)

// Retention of the topics that the bridge uses (security.md O8), in days.
const (
	keepResults       = 30
	keepSnapshots     = 7
	keepObservations  = 7
	keepDeadLetters   = 14
	keepNotifications = 7
	keepSweep         = 1
	keepJournal       = 400
	keepQueries       = 1
	keepInputs        = 7
)

// Compacted topics, in days. A store of trade status that is older than half of keepTombstones is not used any more.
const (
	maxCompactionLag = 7
	keepTombstones   = 7
)

// Topic is one topic of the contract.
type Topic struct {
	Name   string
	Role   string // for people, and the short name for tail
	Schema string // of its values; empty: any bytes
	Days   int    // 0: compacted
}

// outputs says what the bridge writes to the topics of [config.Topics.Outputs], by role.
var outputs = map[string]struct {
	schema string
	days   int
}{
	"results":       {schemas.CallResult, keepResults},
	"snapshots":     {schemas.TradeSnapshot, keepSnapshots},
	"observations":  {schemas.TradeObservation, keepObservations},
	"notifications": {schemas.TradeNotification, keepNotifications},
	"status":        {schemas.TradeStatus, 0},
	"sweep":         {schemas.OrderEvent, keepSweep},
	"journal":       {schemas.JournalEntry, keepJournal},
}

// Topics lists every topic of the settings.
func Topics(t config.Topics) []Topic {
	var out []Topic
	for _, in := range t.Inputs {
		out = append(out, Topic{in.Name, "events", schemas.OrderEvent, keepInputs}, Topic{in.DeadLetters, "dead-letters", "", keepDeadLetters})
	}
	for _, in := range t.Queries {
		out = append(out, Topic{in.Name, "queries", schemas.OrderEvent, keepQueries}, Topic{in.DeadLetters, "dead-queries", "", keepDeadLetters})
	}
	for _, o := range t.Outputs() {
		of := outputs[o.Role]
		out = append(out, Topic{o.Name, o.Role, of.schema, of.days})
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(t Topic) bool { // inputs may share a dead letter topic
		again := seen[t.Name]
		seen[t.Name] = true
		return again
	})
}

// Configs is the configuration of a topic that topics create creates.
func (t Topic) Configs() map[string]string {
	const day = 24 * 60 * 60 * 1000
	if t.Compacted() {
		return map[string]string{
			"cleanup.policy":        "compact",
			"max.compaction.lag.ms": fmt.Sprint(maxCompactionLag * day), // without it a tombstone may stay for ever (KIP-354)
			"delete.retention.ms":   fmt.Sprint(keepTombstones * day),
		}
	}
	return map[string]string{
		"cleanup.policy": "delete",
		"retention.ms":   fmt.Sprint(int64(t.Days) * day),
	}
}

// Compacted reports whether the topic keeps the newest record of each key.
func (t Topic) Compacted() bool { return t.Days == 0 }

// IsInput reports whether others write the topic.
func (t Topic) IsInput() bool { return t.Role == "events" || t.Role == "queries" }
