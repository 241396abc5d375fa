package main

import (
	"fmt"

	"alipay-kafka-bridge/internal/order"
)

// proof is one promise, checked from outside.
type proof struct {
	text       string
	violations []string // what breaks it; empty: it holds
}

// oneOutcomePerEvent: every event has exactly one result, or one reason in the journal.
func oneOutcomePerEvent(events int, o outcomes) proof {
	p := proof{text: fmt.Sprintf("results per event: %d events, %d results, %d skips in the journal, nothing unaccounted", events, len(o.results), len(o.skipped))}
	seen := map[order.Origin]int{}
	for _, r := range o.results {
		seen[r.Origin]++
		if seen[r.Origin] > 1 || o.skipped[r.Origin] != "" {
			p.violations = append(p.violations, fmt.Sprintf("%s has more than one outcome", r.EventID))
		}
	}
	if len(seen)+len(o.skipped) != events {
		p.violations = append(p.violations, fmt.Sprintf("%d of %d events have an outcome", len(seen)+len(o.skipped), events))
	}
	return p
}

// resultsInOrder: the results of an order come in the order of its events.
func resultsInOrder(results []order.Result) proof {
	last := map[string]order.Result{}
	p := proof{}
	for _, r := range results {
		key := string(r.Account) + "/" + string(r.OrderNo)
		if previous, ok := last[key]; ok && previous.Origin.Partition == r.Origin.Partition && previous.Origin.Offset >= r.Origin.Offset {
			p.violations = append(p.violations, fmt.Sprintf("%s: offset %d after %d", key, r.Origin.Offset, previous.Origin.Offset))
		}
		last[key] = r
	}
	p.text = fmt.Sprintf("order per key: %d orders, every result in the order of its events", len(last))
	return p
}

// deadLettersMatch: what needs a person is where a person looks.
func deadLettersMatch(o outcomes) proof {
	need := 0
	for _, r := range o.results {
		if r.Outcome == order.OutcomeInvalid || r.Outcome == order.OutcomeExhausted {
			need++
		}
	}
	p := proof{text: fmt.Sprintf("dead letters: %d events need a person, %d dead letters", need, o.deadLetters)}
	if o.deadLetters != need {
		p.violations = append(p.violations, "not one dead letter per event that needs a person")
	}
	return p
}
