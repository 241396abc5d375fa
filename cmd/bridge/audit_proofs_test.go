package main

import (
	"testing"

	"alipay-kafka-bridge/internal/order"
)

// The proofs find what they are there to find.
func TestProofsOfTopicsCanFail(t *testing.T) {
	r := func(id string, offset int64) order.Result {
		return order.Result{EventID: order.EventID(id), OrderNo: "o", Account: "a", Origin: order.Origin{Topic: "t", Offset: offset}}
	}
	for name, p := range map[string]proof{
		"result missing":      oneOutcomePerEvent(2, outcomes{results: []order.Result{r("e1", 1)}}),
		"result twice":        oneOutcomePerEvent(1, outcomes{results: []order.Result{r("e1", 1), r("e1", 1)}}),
		"skip and result":     oneOutcomePerEvent(1, outcomes{results: []order.Result{r("e1", 1)}, skipped: map[order.Origin]string{{Topic: "t", Offset: 1}: "x"}}),
		"out of order":        resultsInOrder([]order.Result{r("e2", 2), r("e1", 1)}),
		"one letter too many": deadLettersMatch(outcomes{deadLetters: 1}),
		"letter missing":      deadLettersMatch(outcomes{results: []order.Result{{Outcome: order.OutcomeInvalid}}}),
	} {
		if len(p.violations) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
