package audit

import (
	"testing"

	"alipay-kafka-bridge/internal/order"
)

// The proofs find what they are there to find.
func TestProofsOfTopicsCanFail(t *testing.T) {
	r := func(id string, offset int64) order.Result {
		return order.Result{EventID: order.EventID(id), OrderNo: "o", Account: "a", Origin: order.Origin{Topic: "t", Offset: offset}}
	}
	for name, p := range map[string]Proof{
		"result missing":      OneOutcomePerEvent(2, Outcomes{Results: []order.Result{r("e1", 1)}}),
		"result twice":        OneOutcomePerEvent(1, Outcomes{Results: []order.Result{r("e1", 1), r("e1", 1)}}),
		"skip and result":     OneOutcomePerEvent(1, Outcomes{Results: []order.Result{r("e1", 1)}, skipped: map[order.Origin]string{{Topic: "t", Offset: 1}: "x"}}),
		"out of order":        ResultsInOrder([]order.Result{r("e2", 2), r("e1", 1)}),
		"one letter too many": DeadLettersMatch(Outcomes{deadLetters: 1}),
		"letter missing":      DeadLettersMatch(Outcomes{Results: []order.Result{{Outcome: order.OutcomeInvalid}}}),
	} {
		t.Run(name, func(t *testing.T) {
			if len(p.Violations) == 0 {
				t.Errorf("%s: not found", name)
			}
		})
	}
}
