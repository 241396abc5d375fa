//go:build integration

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"alipay-kafka-bridge/internal/simulator"
)

// TestMainJob: `bridge send` produces events, and a consumer that is not ours reads the results,
// through a real broker and a real registry.
func TestMainJob(t *testing.T) {
	e := newEnvironment(t, 4, 20*time.Millisecond)
	lines := `{"event_id":"65f456aa-d6cf-4718-9699-08f6c0301b21","event_type":"CREATED","occurred_at":"2026-11-01T09:17:00Z","order_no":"T1","total":{"minor":8800,"currency":"CNY"},"subject":"Longjing","buyer_user_id":"2088102146225135"}
{"event_id":"e2","event_type":"QUERY_REQUESTED","occurred_at":"2026-11-01T09:18:00Z","order_no":"T1"}
{"event_id":"e3","event_type":"CREATED","occurred_at":"2026-11-01T09:17:00Z","order_no":"T2","subject":"no price"}
{"event_id":"e4","event_type":"SHIPPED","occurred_at":"2026-11-01T09:19:00Z","order_no":"T1"}
`
	file := filepath.Join(e.dir, "events.jsonl")
	must(t, os.WriteFile(file, []byte(lines), 0o600))
	p := e.run("a")
	e.command("send", "-c", e.settings, file)
	got := map[string]map[string]any{}
	for _, l := range readCount(t, 3, e.topic("results")) {
		got[l.Value["event_id"].(string)] = l.Value
		if l.Key != "shop-trade/"+l.Value["order_no"].(string) {
			t.Errorf("key = %s", l.Key)
		}
	}
	for id, want := range map[string]string{"65f456aa-d6cf-4718-9699-08f6c0301b21": "APPLIED", "e2": "APPLIED", "e3": "INVALID"} {
		if got[id]["outcome"] != want {
			t.Errorf("%s: %v", id, got[id])
		}
	}
	snapshots := readCount(t, 1, e.topic("snapshots"))
	if s := snapshots[0].Value; s["status"] != "WAIT_BUYER_PAY" || s["total_amount"].(map[string]any)["minor"] != 8800.0 {
		t.Errorf("snapshot = %v", s)
	}
	if dead := readCount(t, 1, e.topic("events.dlq")); dead[0].Key != "T2" {
		t.Errorf("dead letter = %+v", dead[0])
	}
	if j := readCount(t, 2, e.topic("journal")); len(j) == 0 {
		t.Error("the skip is not in the journal")
	}
	p.stop(t)
	e.checkAudit(4)

	// Someone moves the offset of the group over an event that no one has handled.
	e.send(orders(2)[:1])
	adm := kadm.NewClient(e.client())
	ends, err := adm.ListEndOffsets(t.Context(), e.topic("events"))
	must(t, err)
	must(t, adm.CommitAllOffsets(t.Context(), e.topic("group"), ends.Offsets()))
	path, err := binary()
	must(t, err)
	out, err := exec.CommandContext(t.Context(), path, "audit", "-c", e.settings, "-o", "table").Output()
	if !strings.Contains(string(out), "5 events = 2 results + 1 skip + 1 dead letter + 1 unaccounted") || !strings.Contains(fmt.Sprint(err), "exit status 3") {
		t.Errorf("audit: %v\n%s", err, out)
	}
}

// TestKilledThreeTimes: kill -9 with 200 calls or more in flight, three times.
func TestKilledThreeTimes(t *testing.T) {
	e := newEnvironment(t, 8, time.Second)
	events := orders(4000)
	e.send(events)
	const kills, inFlight, batch = 3, 2 * 256, 1000
	repeats := 0
	for range kills {
		p := e.run("a")
		await(t, "200 calls in flight", patience, func() bool { return e.inFlight.Load() >= 200 })
		enough := e.sim.Totals().Executions + rand.IntN(500) // anywhere in its work
		await(t, "some more effects", patience, func() bool { return e.sim.Totals().Executions >= enough })
		await(t, "200 calls in flight", patience, func() bool { return e.inFlight.Load() >= 200 })
		n := e.inFlight.Load()
		p.kill()
		t.Logf("killed at %d calls in flight", n)
		await(t, "the simulator has finished the calls in flight", patience, func() bool { return e.inFlight.Load() == 0 })
		all := e.checkExecutions()
		t.Logf("%d requests repeated since the previous kill", all-repeats)
		if all-repeats > inFlight+batch {
			t.Errorf("%d repeats after a kill, want at most %d", all-repeats, inFlight+batch)
		}
		repeats = all
	}
	p := e.run("a")
	checkEachOnce(t, events, e.results(len(events)))
	p.stop(t)
	e.checkAudit(len(events))
	if n := e.checkExecutions(); n == 0 || n > kills*(inFlight+batch) {
		t.Errorf("%d requests were repeated, want some and at most %d", n, kills*(inFlight+batch))
	} else {
		t.Logf("%d of %d requests were repeats", n, len(e.sim.Journal().Requests))
	}
}

// TestTwoSlots: a second instance joins, leaves, joins again and is killed.
func TestTwoSlots(t *testing.T) {
	e := newEnvironment(t, 8, 200*time.Millisecond)
	events := orders(20_000) // more than one instance handles before the other has joined twice
	e.send(events)
	a := e.run("a")
	await(t, "a works", patience, func() bool { return e.sim.Totals().Executions > 300 })
	b := e.run("b")
	e.awaitBoth(b, len(events))
	b.stop(t)
	if n := e.checkExecutions(); n != 0 {
		t.Errorf("joining and leaving repeated %d requests", n)
	}
	b = e.run("b")
	e.awaitBoth(b, len(events))
	b.kill()
	checkEachOnce(t, events, e.results(len(events)))
	e.checkExecutions()
	a.stop(t)
	e.checkAudit(len(events))
}

// awaitBoth waits until a second instance has its partitions, and then for 400 more executions.
func (e *environment) awaitBoth(second *process, sent int) {
	e.t.Helper()
	await(e.t, "the second instance has partitions", patience, func() bool { return second.logged("partitions assigned") })
	e.work(400, sent)
}

// work waits for so many more executions, or until all events that were sent have taken effect.
func (e *environment) work(more, sent int) {
	e.t.Helper()
	want := min(e.sim.Totals().Executions+more, sent)
	await(e.t, fmt.Sprintf("%d more executions", more), patience, func() bool { return e.sim.Totals().Executions >= want })
}

// TestLostAnswersOnRealKafka: requests and answers are lost at random. Nothing takes effect twice,
// and after a lost create there is a query before the next create.
func TestLostAnswersOnRealKafka(t *testing.T) {
	e := newEnvironment(t, 4, 20*time.Millisecond,
		simulator.CutBefore(simulator.TradeCreate).Probability(0.03), simulator.CutAfter(simulator.TradeCreate).Probability(0.03),
		simulator.CutBefore(simulator.HKOrderSync).Probability(0.03), simulator.CutAfter(simulator.HKOrderSync).Probability(0.03))
	events := orders(600)
	e.send(events)
	p := e.run("a")
	checkEachOnce(t, events, e.results(len(events)))
	p.stop(t)
	e.checkAudit(len(events))
	e.checkExecutions()
	unknown := map[string]bool{}
	for _, r := range e.sim.Journal().Requests {
		switch {
		case r.Method == simulator.TradeQuery:
			delete(unknown, r.OrderNo)
		case r.Method == simulator.TradeCreate && unknown[r.OrderNo]:
			t.Errorf("order %s: created again without a query", r.OrderNo)
		case r.Method == simulator.TradeCreate && r.Verdict == "LOST":
			unknown[r.OrderNo] = true
		}
	}
}

// TestBrokerRestart: the broker is killed and starts again.
func TestBrokerRestart(t *testing.T) {
	e := newEnvironment(t, 4, 100*time.Millisecond)
	events := orders(3000)
	e.send(events)
	p := e.run("a")
	await(t, "it works", patience, func() bool { return e.sim.Totals().Executions > 300 })
	script(t, "kill")
	script(t, "resume")
	checkEachOnce(t, events, e.results(len(events)))
	p.stop(t)
	e.checkAudit(len(events))
	e.checkExecutions()
}

// readCount reads topics with reader.py until there are n records.
func readCount(t *testing.T, n int, topics ...string) []line {
	t.Helper()
	var lines []line
	await(t, "records in "+topics[0], patience, func() bool {
		lines = read(t, topics...)
		return len(lines) >= n
	})
	return lines
}
