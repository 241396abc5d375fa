package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// report is the end of the demo: what became of the events, and what is proven of it.
type report struct {
	rows   map[kindOfEvent]map[string]int // events by kind and outcome
	proofs []proof
}

type kindOfEvent struct{ channel, typ string }

// proof is one promise, checked from outside.
type proof struct {
	text string
	bad  []string // what breaks it; empty: it holds
}

func newReport(s *stage, c *collector) *report {
	c.mu.Lock()
	defer c.mu.Unlock()
	journal := s.sim.Journal()
	return &report{
		rows: table(s.events, c),
		proofs: []proof{
			onceEach(len(s.events), c),
			inOrder(c.results),
			executedOnce(journal, len(s.events)),
			askedBeforeAgain(journal),
			deadLettered(c),
		},
	}
}

func (r *report) proven() bool {
	return !slices.ContainsFunc(r.proofs, func(p proof) bool { return len(p.bad) > 0 })
}

func table(events []order.Event, c *collector) map[kindOfEvent]map[string]int {
	channel := map[order.Account]string{"shop-trade": "TRADE", "shop-credit": "CREDIT", "shop-koubei": "KOUBEI", "shop-hk": "HK"}
	outcomes := map[order.EventID]string{}
	for _, r := range c.results {
		outcomes[r.EventID] = string(r.Outcome)
	}
	rows := map[kindOfEvent]map[string]int{}
	for _, e := range events {
		k := kindOfEvent{cmp.Or(channel[e.Account], "(no account)"), string(e.Type)}
		if rows[k] == nil {
			rows[k] = map[string]int{}
		}
		rows[k][cmp.Or(outcomes[e.ID], "SKIPPED")]++
	}
	return rows
}

// onceEach: every event has exactly one result, or one reason in the journal.
func onceEach(events int, c *collector) proof {
	p := proof{text: fmt.Sprintf("results per event: %d events, %d results, %d skips in the journal, nothing unaccounted", events, len(c.results), len(c.skipped))}
	seen := map[order.Origin]int{}
	for _, r := range c.results {
		seen[r.Origin]++
		if seen[r.Origin] > 1 || c.skipped[r.Origin] != "" {
			p.bad = append(p.bad, fmt.Sprintf("%s has more than one outcome", r.EventID))
		}
	}
	if len(seen)+len(c.skipped) != events {
		p.bad = append(p.bad, fmt.Sprintf("%d of %d events have an outcome", len(seen)+len(c.skipped), events))
	}
	return p
}

// inOrder: the results of an order come in the order of its events.
func inOrder(results []order.Result) proof {
	last := map[string]order.Result{}
	p := proof{}
	for _, r := range results {
		key := string(r.Account) + "/" + string(r.OrderNo)
		if before, ok := last[key]; ok && before.Origin.Partition == r.Origin.Partition && before.Origin.Offset >= r.Origin.Offset {
			p.bad = append(p.bad, fmt.Sprintf("%s: offset %d after %d", key, r.Origin.Offset, before.Origin.Offset))
		}
		last[key] = r
	}
	p.text = fmt.Sprintf("order per key: %d orders, every result in the order of its events", len(last))
	return p
}

// executedOnce: nothing took effect at Alipay twice.
func executedOnce(j simulator.Journal, events int) proof {
	type effect struct {
		method         simulator.Method
		order, request string
		content        simulator.Digest
	}
	seen := map[effect]int{}
	p := proof{}
	for _, x := range j.Executions {
		e := effect{x.Method, x.OrderNo, x.RequestNo, x.Content}
		if x.Method == simulator.TradeCreate {
			e.content = simulator.Digest{} // whatever it says, an order is one trade
		}
		if seen[e]++; seen[e] > 1 {
			p.bad = append(p.bad, fmt.Sprintf("%s of %s took effect %d times", x.Method, x.OrderNo, seen[e]))
		}
	}
	p.text = fmt.Sprintf("executions per event: %d requests reached Alipay, %d effects, none twice", len(j.Requests), len(j.Executions))
	if len(j.Executions) > events {
		p.bad = append(p.bad, "more effects than events")
	}
	return p
}

// askedBeforeAgain: after a create whose answer was lost comes a query, never another create.
func askedBeforeAgain(j simulator.Journal) proof {
	p := proof{}
	unknown := map[string]bool{}
	lost := 0
	for _, r := range j.Requests {
		switch {
		case r.Method == simulator.TradeQuery:
			delete(unknown, r.OrderNo)
		case r.Method == simulator.TradeCreate && unknown[r.OrderNo]:
			p.bad = append(p.bad, fmt.Sprintf("%s was created again without asking", r.OrderNo))
		case r.Method == simulator.TradeCreate && (r.Verdict == "LOST" || r.Verdict == "GONE"):
			unknown[r.OrderNo] = true
			lost++
		}
	}
	p.text = fmt.Sprintf("no create after an unknown outcome without a query before it (%d answers of creates were lost)", lost)
	return p
}

// deadLettered: what needs a person is where a person looks.
func deadLettered(c *collector) proof {
	need := 0
	for _, r := range c.results {
		if r.Outcome == order.OutcomeInvalid || r.Outcome == order.OutcomeExhausted {
			need++
		}
	}
	p := proof{text: fmt.Sprintf("dead letters: %d events need a person, %d dead letters", need, c.letters)}
	if c.letters != need {
		p.bad = append(p.bad, "not one dead letter per event that needs a person")
	}
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
	kinds := slices.SortedFunc(maps.Keys(r.rows), func(a, b kindOfEvent) int {
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
		if len(p.bad) > 0 {
			mark = "FALSE"
		}
		_, _ = fmt.Fprintf(out, "%s  %s\n", mark, p.text)
		for _, b := range p.bad[:min(len(p.bad), 5)] {
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

// printNext says where to look next.
func (s *stage) printNext(out io.Writer, serving bool) {
	if serving {
		_, _ = fmt.Fprintf(out, `
Everything stays up until Ctrl-C. In another terminal:
  bridge tail results --brokers %[1]s --registry %[2]s
  bridge tail dead-letters --brokers %[1]s --registry %[2]s
  bridge send examples/orders.jsonl --brokers %[1]s --registry %[2]s
`, strings.Join(s.kafka.Addrs(), ","), s.kafka.RegistryURL())
		return
	}
	_, _ = fmt.Fprint(out, `
Next:
  bridge demo --serve           the same, and stay up for bridge tail and bridge send
  bridge demo --faults all      requests and answers are lost, too
  README.md, "Run it on a real Kafka"  the same with your own broker
`)
}
