package demo

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// Answers that are another order's, played again, not signed or signed with another key, to a third
// of the calls of all five methods: none is ever a final outcome, and none leads to a second
// execution (security G3, G4).
func TestG3G4_AnswersOfOthersAreNeverFinal(t *testing.T) {
	for name, fault := range map[string]func(simulator.Method) simulator.Fault{
		"swapped": simulator.Swapped, "replayed": simulator.Replayed, "unsigned": simulator.Unsigned, "wrong key": simulator.WrongKey,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var faults []simulator.Fault
				for _, m := range []simulator.Method{simulator.TradeCreate, simulator.TradeQuery, simulator.OrderInfoSync, simulator.ItemOrderQuery, simulator.HKOrderSync} {
					faults = append(faults, fault(m).Probability(0.3))
				}
				j := newJob(t, 7, faults...)
				r := j.run(t)
				for _, p := range r.proofs {
					for _, bad := range p.Violations {
						t.Errorf("%s: %s", p.Text, bad)
					}
				}
				wrong := 0
				for _, q := range j.stage.sim.Journal().Requests {
					if q.Fault != "" {
						wrong++
					}
				}
				if wrong < 30 {
					t.Errorf("only %d answers were false", wrong)
				}
				for _, bad := range j.falseOutcomes() {
					t.Error(bad)
				}
				time.Sleep(5 * time.Minute)
			})
		})
	}
}

// falseOutcomes are results that say what Alipay, asked itself, does not.
func (j *job) falseOutcomes() []string {
	kong := map[string]string{}
	for _, o := range j.stage.sim.HKOrders() {
		kong[o.BizNo] = o.OrderID
	}
	var bad []string
	for _, r := range j.results {
		switch final := r.Outcome == order.OutcomeApplied || r.Outcome == order.OutcomeAccepted || r.Outcome == order.OutcomeRejected; {
		case !final:
		case !r.Verified:
			bad = append(bad, fmt.Sprintf("%s %s is %s by an answer that was not signed", r.OrderNo, r.EventType, r.Outcome))
		case r.HKOrderID != "" && r.HKOrderID != kong[string(r.OrderNo)]:
			bad = append(bad, fmt.Sprintf("%s %s has order id %s, Alipay %s", r.OrderNo, r.EventType, r.HKOrderID, kong[string(r.OrderNo)]))
		case r.Outcome == order.OutcomeApplied && r.HKOrderID == "" && r.TradeNo != "" && r.KoubeiOrderNo == "":
			if trade, ok := j.stage.sim.Trade(string(r.TradeNo)); ok && trade.OutTradeNo != string(r.OrderNo) {
				bad = append(bad, fmt.Sprintf("%s %s has trade %s, which is %s's", r.OrderNo, r.EventType, r.TradeNo, trade.OutTradeNo))
			}
		}
	}
	return bad
}
