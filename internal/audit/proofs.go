package audit

import (
	"fmt"

	"alipay-kafka-bridge/internal/order"
)

// Proof is one promise, checked from outside.
type Proof struct {
	Text       string
	Violations []string // what breaks the promise; empty: it is kept
}

// OneOutcomePerEvent: every event has exactly one result, or one reason in the journal.
func OneOutcomePerEvent(events int, o Outcomes) Proof {
	p := Proof{Text: fmt.Sprintf("results per event: %d events, %d results, %d skips in the journal, no event without an outcome", events, len(o.Results), len(o.skipped))}
	seen := map[order.Origin]int{}
	for _, r := range o.Results {
		seen[r.Origin]++
		if seen[r.Origin] > 1 || o.skipped[r.Origin] != "" {
			p.Violations = append(p.Violations, fmt.Sprintf("%s has more than one outcome", r.EventID))
		}
	}
	if len(seen)+len(o.skipped) != events {
		p.Violations = append(p.Violations, fmt.Sprintf("%d of %d events have an outcome", len(seen)+len(o.skipped), events))
	}
	return p
}

// ResultsInOrder: the results of an order come in the order of its events.
func ResultsInOrder(results []order.Result) Proof {
	last := map[string]order.Result{}
	p := Proof{}
	for _, r := range results {
		key := string(r.Account) + "/" + string(r.OrderNo)
		if previous, ok := last[key]; ok && previous.Origin.Partition == r.Origin.Partition && previous.Origin.Offset >= r.Origin.Offset {
			p.Violations = append(p.Violations, fmt.Sprintf("%s: offset %d after %d", key, r.Origin.Offset, previous.Origin.Offset))
		}
		last[key] = r
	}
	p.Text = fmt.Sprintf("order per key: %d orders, every result in the order of its events", len(last))
	return p
}

// DeadLettersMatch: there is a dead letter for each event that a person must look at.
func DeadLettersMatch(o Outcomes) Proof {
	need := 0
	for _, r := range o.Results {
		if r.Outcome == order.OutcomeInvalid || r.Outcome == order.OutcomeExhausted {
			need++
		}
	}
	p := Proof{Text: fmt.Sprintf("dead letters: %d events need a person, %d dead letters", need, o.deadLetters)}
	if o.deadLetters != need {
		p.Violations = append(p.Violations, "not one dead letter per event that needs a person")
	}
	return p
}
