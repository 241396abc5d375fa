package demo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"alipay-kafka-bridge/internal/audit"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/outbox"
)

// report is the result of the demo: what happened to the events, and what is proven.
type report struct {
	rows   map[eventKind]map[string]int // events by kind and outcome
	calls  map[string]map[string]int    // requests to Alipay by method and end
	proofs []audit.Proof
}

type eventKind struct{ channel, typ string }

func newReport(s *stage, o audit.Outcomes) *report {
	journal := s.sim.Journal()
	return &report{
		rows: outcomeTable(s.events, o.Results), calls: callTable(journal),
		proofs: []audit.Proof{
			audit.OneOutcomePerEvent(len(s.events), o),
			audit.ResultsInOrder(o.Results),
			executedOnce(journal, len(s.events)),
			queriedBeforeRetry(journal),
			audit.DeadLettersMatch(o),
		},
	}
}

// addStatuses adds what the notifications became.
func (r *report) addStatuses(sent []outbox.Notification, seen audit.Statuses) {
	var answered []string
	for _, n := range sent {
		if n.Done {
			answered = append(answered, n.ID)
		}
	}
	r.proofs = append(r.proofs, audit.NotificationsKept(answered, seen.Notifications), audit.VersionsInTurn(seen.Versions))
}

func (r *report) proven() bool {
	return !slices.ContainsFunc(r.proofs, func(p audit.Proof) bool { return len(p.Violations) > 0 })
}

// outcomeTable counts events by kind and outcome.
func outcomeTable(events []order.Event, results []order.Result) map[eventKind]map[string]int {
	channel := map[order.Account]string{"shop-trade": "TRADE", "shop-credit": "CREDIT", "shop-koubei": "KOUBEI", "shop-hk": "HK"}
	byEvent := map[order.EventID]string{}
	for _, r := range results {
		byEvent[r.EventID] = string(r.Outcome)
	}
	rows := map[eventKind]map[string]int{}
	for _, e := range events {
		k := eventKind{cmp.Or(channel[e.Account], "(no account)"), string(e.Type)}
		if rows[k] == nil {
			rows[k] = map[string]int{}
		}
		rows[k][cmp.Or(byEvent[e.ID], "SKIPPED")]++
	}
	return rows
}

// executedOnce: nothing took effect at Alipay twice.
func executedOnce(j simulator.Journal, events int) audit.Proof {
	type effect struct {
		method         simulator.Method
		order, request string
		content        simulator.Digest
	}
	seen := map[effect]int{}
	p := audit.Proof{}
	for _, x := range j.Executions {
		e := effect{x.Method, x.OrderNo, x.RequestNo, x.Content}
		if x.Method == simulator.TradeCreate {
			e.content = simulator.Digest{} // an order is one trade, with any content
		}
		if seen[e]++; seen[e] > 1 {
			p.Violations = append(p.Violations, fmt.Sprintf("%s for %s took effect %d times", x.Method, x.OrderNo, seen[e]))
		}
	}
	p.Text = fmt.Sprintf("effects per event: %d requests reached Alipay, %d took effect, none twice", len(j.Requests), len(j.Executions))
	if len(j.Executions) > events {
		p.Violations = append(p.Violations, "more effects than events")
	}
	return p
}

// queriedBeforeRetry: after a create whose answer was lost comes a query, never another create.
func queriedBeforeRetry(j simulator.Journal) audit.Proof {
	p := audit.Proof{}
	unknown := map[string]bool{}
	lost := 0
	for _, r := range j.Requests {
		switch {
		case r.Method == simulator.TradeQuery:
			delete(unknown, r.OrderNo)
		case r.Method == simulator.TradeCreate && unknown[r.OrderNo]:
			p.Violations = append(p.Violations, fmt.Sprintf("%s was created again without a query", r.OrderNo))
		case r.Method == simulator.TradeCreate && (r.Verdict == "LOST" || r.Verdict == "GONE"):
			unknown[r.OrderNo] = true
			lost++
		}
	}
	p.Text = fmt.Sprintf("a query follows each create with an unknown outcome (%d answers to creates were lost)", lost)
	return p
}

// print writes a table for 80 columns: a row for each kind of event, one for each method, and a line for
// each proof.
func (r *report) print(out io.Writer) {
	_, _ = fmt.Fprintf(out, "\n%-13s%-20s%s\n", "channel", "event", "outcomes")
	kinds := slices.SortedFunc(maps.Keys(r.rows), func(a, b eventKind) int {
		return cmp.Or(cmp.Compare(a.channel, b.channel), cmp.Compare(a.typ, b.typ))
	})
	for _, k := range kinds {
		_, _ = fmt.Fprintf(out, "%-13s%-20s%s\n", k.channel, k.typ, counts(r.rows[k]))
	}
	_, _ = fmt.Fprintf(out, "\n%-35s%s\n", "Alipay method", "answers")
	for _, m := range slices.Sorted(maps.Keys(r.calls)) {
		_, _ = fmt.Fprintf(out, "%-35s%s\n", m, counts(r.calls[m]))
	}
	_, _ = fmt.Fprintln(out)
	for _, p := range r.proofs {
		mark := "proved"
		if len(p.Violations) > 0 {
			mark = "FALSE "
		}
		_, _ = fmt.Fprintf(out, "%s  %s\n", mark, p.Text)
		for _, b := range p.Violations[:min(len(p.Violations), 5)] {
			_, _ = fmt.Fprintf(out, "         %s\n", b)
		}
	}
}

// counts writes numbers with their words, the largest first.
func counts(of map[string]int) string {
	words := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(of[b]-of[a], cmp.Compare(a, b)) })
	var out []string
	for _, w := range words {
		out = append(out, fmt.Sprintf("%d %s", of[w], w))
	}
	return strings.Join(out, ", ")
}

// callTable counts the requests that reached Alipay, by method and by how they ended.
func callTable(j simulator.Journal) map[string]map[string]int {
	calls := map[string]map[string]int{}
	for _, r := range j.Requests {
		m := cmp.Or(string(r.Method), "(cut before it was read)")
		if calls[m] == nil {
			calls[m] = map[string]int{}
		}
		calls[m][string(r.Verdict)]++
	}
	return calls
}
