package demo

import (
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
