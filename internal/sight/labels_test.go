package sight

import (
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/consume/look"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
)

// TestLabelsHaveAllWords: the sets of labels in the table of metrics are those of the code; what is not in a
// set would be counted as _other.
func TestLabelsHaveAllWords(t *testing.T) {
	var methods, classes, outcomes, steps, causes []string
	for _, a := range []order.Action{order.Create, order.Query, order.Sync, order.KoubeiQuery, order.HKSync} {
		methods = append(methods, string(a.Method()))
	}
	for c := alipay.Done; c <= alipay.Untrusted; c++ {
		classes = append(classes, strings.ToLower(c.String()))
	}
	for _, o := range []order.CallOutcome{
		order.OutcomeApplied, order.OutcomeAccepted, order.OutcomeRejected, order.OutcomeInvalid, order.OutcomeSkipped,
		order.OutcomeSuperseded, order.OutcomeExpired, order.OutcomeExhausted, order.OutcomeStopped,
	} {
		outcomes = append(outcomes, strings.ToLower(string(o)))
	}
	for s := breaker.StepBreaker; s <= breaker.StepBackOff; s++ {
		steps = append(steps, s.String())
	}
	for _, c := range look.Causes() {
		causes = append(causes, string(c))
	}
	for name, sets := range map[string][2][]string{
		"methods": {methods, metrics.Methods()}, "classes": {classes, metrics.Classes()}, "outcomes": {outcomes, metrics.Outcomes()},
		"steps": {steps, metrics.Steps()}, "causes": {causes, metrics.Causes()},
	} {
		for i := range sets {
			slices.Sort(sets[i])
		}
		if !slices.Equal(sets[0], sets[1]) {
			t.Errorf("%s: the code has %v, the table of metrics %v", name, sets[0], sets[1])
		}
	}
}
