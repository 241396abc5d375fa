//go:build integration

package integration_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestPythonProducer: the bridge understands events of a team with its own library and its own
// schema (another namespace, one field less, one more), which the registry has accepted.
func TestPythonProducer(t *testing.T) {
	e := newEnvironment(t, 2, 0)
	var events strings.Builder
	for i := range 20 {
		fmt.Fprintf(&events, `{"event_id":"py%d","event_type":"CREATED","occurred_at":"2026-11-01T09:17:%02d.250+00:00","order_no":"P%d","total":{"minor":%d,"currency":"CNY"},`+
			`"subject":"\u9f99\u4e95","buyer_user_id":"2088102146225135","loyalty_tier":"gold"}`+"\n", i, i, i, 100+i)
	}
	scriptWith(t, events.String(), nil, "produce", e.topic("events"), "--schema", "../schemas/order_event.avsc",
		"--namespace", "com.example.shop", "--without", "operator_id", "--extra", "loyalty_tier")
	p := e.run("a")
	results := e.results(20)
	p.stop(t)
	for _, r := range results {
		if r.Outcome != "APPLIED" {
			t.Errorf("%s: %s %s", r.EventID, r.Outcome, r.Message)
		}
	}
	if len(results) != 20 {
		t.Errorf("%d results, want 20", len(results))
	}
	for i := range 20 {
		if n := e.sim.Tally(fmt.Sprintf("P%d", i)).Executions; n != 1 {
			t.Errorf("order P%d took effect %d times", i, n)
		}
	}
	// Both schemas are versions of one subject and are compatible.
	if out := e.command("schemas", "check", "-c", e.settings); !strings.Contains(out, "operator_id is not written") {
		t.Errorf("schemas check says:\n%s", out)
	}
}
