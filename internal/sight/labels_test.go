package sight

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
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
	steps = append(steps, metrics.StepQueue, metrics.StepResolve)
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

// TestDeletedRecordsAreSeen: of the reasons for which the engine stops a partition, those that speak of deleted records
// are lost input, and no other is.
func TestDeletedRecordsAreSeen(t *testing.T) {
	files, err := filepath.Glob("../consume/*.go")
	if err != nil {
		t.Fatal(err)
	}
	lost := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\be\.stop\(p, "([^";]*)([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
			lost[m[1]] = strings.Contains(m[1]+m[2], recordsDeleted)
		}
	}
	want := map[string]bool{
		"a record was deleted before its turn came":                           true,
		"records were deleted before they were read":                          true,
		"its position does not exist in the topic any more":                   true,
		"its committed position was changed by someone else while we held it": false,
		"the accepted position is not the committed one":                      false,
		"this bridge did not write the committed position for this partition": false,
		"a compressed batch is larger than the bridge accepts":                false,
	}
	if !maps.Equal(lost, want) {
		t.Errorf("reasons, and whether they are lost input: %v", lost)
	}
}

// reasonForm is the declaration of a reason in the code.
var reasonForm = regexp.MustCompile(`(?m)^(?:const )?\s*[rR]eason[A-Z]\w*\s*= "([a-z_]+)"`)

// TestEveryReasonOfADeadLetterIsCounted: a reason that the set lacks would be _other, and the first dead letter of
// that kind would raise no alert.
func TestEveryReasonOfADeadLetterIsCounted(t *testing.T) {
	noLetter := []string{ // reasons of skips and results
		"conflict", "trade_closed", "tombstone", "no_trade_no", "partial_refund", "no_query_api", "no_status", "not_terminal", "no_biz_type", "unmapped", "account_stopped",
		"start", "accepted_loss", "accepted_position", "topic_found_again", // entries of the journal
	}
	found := map[string]bool{"panic": true, "too_large": true, "unpublishable": true} // internal/consume names them where they are used
	for _, dir := range []string{"avro", "handle", "order", "consume"} {
		files, err := filepath.Glob("../" + dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range reasonForm.FindAllSubmatch(text, -1) {
				if reason := string(m[1]); !slices.Contains(noLetter, reason) {
					found[reason] = true
				}
			}
		}
	}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, metrics.DeadReasons()) {
		t.Errorf("the code has %v, the table of metrics %v", got, metrics.DeadReasons())
	}
}
