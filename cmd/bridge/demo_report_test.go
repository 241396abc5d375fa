package main

import (
	"testing"

	"alipay-kafka-bridge/internal/simulator"
)

// The proofs from the simulator's journal find what they are there to find.
func TestProofsOfTheJournalCanFail(t *testing.T) {
	x := simulator.ExecutionEntry{Method: simulator.TradeCreate, OrderNo: "o"}
	lost := simulator.RequestEntry{Method: simulator.TradeCreate, OrderNo: "o", Verdict: "LOST"}
	for name, p := range map[string]proof{
		"executed twice":   executedOnce(simulator.Journal{Executions: []simulator.ExecutionEntry{x, x}}, 5),
		"again, not asked": queriedBeforeRetry(simulator.Journal{Requests: []simulator.RequestEntry{lost, lost}}),
	} {
		if len(p.violations) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	ok := queriedBeforeRetry(simulator.Journal{Requests: []simulator.RequestEntry{lost, {Method: simulator.TradeQuery, OrderNo: "o"}, lost}})
	if len(ok.violations) > 0 {
		t.Error(ok.violations)
	}
}
