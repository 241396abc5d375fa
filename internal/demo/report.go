package demo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"alipay-kafka-bridge/internal/audit"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// report is the result of the demo: what happened to the events, and what is proven.
type report struct {
	rows   map[eventKind]map[string]int // events by kind and outcome
	proofs []audit.Proof
}

type eventKind struct{ channel, typ string }

func newReport(s *stage, o audit.Outcomes) *report {
	journal := s.sim.Journal()
	return &report{
		rows: outcomeTable(s.events, o.Results),
		proofs: []audit.Proof{
			audit.OneOutcomePerEvent(len(s.events), o),
			audit.ResultsInOrder(o.Results),
			executedOnce(journal, len(s.events)),
			queriedBeforeRetry(journal),
			audit.DeadLettersMatch(o),
		},
	}
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

func (r *report) print(out io.Writer) {
	outcomes := map[string]bool{}
	for _, row := range r.rows {
		for o := range row {
			outcomes[o] = true
		}
	}
	columns := slices.Sorted(maps.Keys(outcomes))
	_, _ = fmt.Fprintf(out, "\n%-14s%-20s", "channel", "event")
	for _, o := range columns {
		_, _ = fmt.Fprintf(out, "%11s", o)
	}
	_, _ = fmt.Fprintln(out)
	kinds := slices.SortedFunc(maps.Keys(r.rows), func(a, b eventKind) int {
		return cmp.Or(cmp.Compare(a.channel, b.channel), cmp.Compare(a.typ, b.typ))
	})
	for _, k := range kinds {
		_, _ = fmt.Fprintf(out, "%-14s%-20s", k.channel, k.typ)
		for _, o := range columns {
			_, _ = fmt.Fprintf(out, "%11s", blankZero(r.rows[k][o]))
		}
		_, _ = fmt.Fprintln(out)
	}
	_, _ = fmt.Fprintln(out)
	for _, p := range r.proofs {
		mark := "true "
		if len(p.Violations) > 0 {
			mark = "FALSE"
		}
		_, _ = fmt.Fprintf(out, "%s  %s\n", mark, p.Text)
		for _, b := range p.Violations[:min(len(p.Violations), 5)] {
			_, _ = fmt.Fprintf(out, "         %s\n", b)
		}
	}
}

func blankZero(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
