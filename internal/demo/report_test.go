package demo

import (
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/audit"
	"alipay-kafka-bridge/internal/simulator"
)

// The proofs from the simulator's journal find what they are there to find.
func TestProofsOfTheJournalCanFail(t *testing.T) {
	x := simulator.ExecutionEntry{Method: simulator.TradeCreate, OrderNo: "o"}
	lost := simulator.RequestEntry{Method: simulator.TradeCreate, OrderNo: "o", Verdict: "LOST"}
	for name, p := range map[string]audit.Proof{
		"executed twice":   executedOnce(simulator.Journal{Executions: []simulator.ExecutionEntry{x, x}}, 5),
		"again, not asked": queriedBeforeRetry(simulator.Journal{Requests: []simulator.RequestEntry{lost, lost}}),
	} {
		t.Run(name, func(t *testing.T) {
			if len(p.Violations) == 0 {
				t.Errorf("%s: not found", name)
			}
		})
	}
	ok := queriedBeforeRetry(simulator.Journal{Requests: []simulator.RequestEntry{lost, {Method: simulator.TradeQuery, OrderNo: "o"}, lost}})
	if len(ok.Violations) > 0 {
		t.Error(ok.Violations)
	}
}

// TestTheReportFits80Columns: with all outcomes and the longest names.
func TestTheReportFits80Columns(t *testing.T) {
	all := map[string]int{"APPLIED": 173, "INVALID": 3, "REJECTED": 1, "SKIPPED": 24}
	r := report{
		rows:   map[eventKind]map[string]int{{"(no account)", "PARTIALLY_REFUNDED"}: all},
		calls:  callTable(simulator.Journal{Requests: []simulator.RequestEntry{{Verdict: "LOST"}, {Method: simulator.TradeCreate, Verdict: "40004 ACQ.CONTEXT_INCONSISTENT"}, {Method: simulator.TradeCreate, Verdict: "10000"}}}),
		proofs: []audit.Proof{{Text: "fine"}, {Text: "not", Violations: []string{"x"}}},
	}
	var b strings.Builder
	r.print(&b)
	for line := range strings.Lines(b.String()) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	for _, want := range []string{"173 APPLIED, 24 SKIPPED, 3 INVALID, 1 REJECTED\n", "alipay.trade.create                1 10000, 1 40004 ACQ.CONTEXT_INCONSISTENT\n", "(cut before it was read)           1 LOST\n", "proved  fine\nFALSE   not\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	long := (&progress{out: &b}).cut(strings.Repeat("x", 200))
	if len(long) != 79 {
		t.Errorf("the status line has %d columns", len(long))
	}
}
