//go:build integration

package integration_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/simulator"
)

// TestMainJob: events in by the bridge's own command, results out to a consumer that is not
// ours, through a real broker and a real registry.
func TestMainJob(t *testing.T) {
	tw := newTown(t, 4, 20*time.Millisecond)
	lines := `{"event_id":"65f456aa-d6cf-4718-9699-08f6c0301b21","event_type":"CREATED","occurred_at":"2026-11-01T09:17:00Z","order_no":"T1","total":{"minor":8800,"currency":"CNY"},"subject":"Longjing","buyer_user_id":"2088102146225135"}
{"event_id":"e2","event_type":"QUERY_REQUESTED","occurred_at":"2026-11-01T09:18:00Z","order_no":"T1"}
{"event_id":"e3","event_type":"CREATED","occurred_at":"2026-11-01T09:17:00Z","order_no":"T2","subject":"no price"}
{"event_id":"e4","event_type":"SHIPPED","occurred_at":"2026-11-01T09:19:00Z","order_no":"T1"}
`
	file := filepath.Join(tw.dir, "events.jsonl")
	must(t, os.WriteFile(file, []byte(lines), 0o600))
	p := tw.run("a")
	tw.command("send", "-c", tw.settings, file)
	got := map[string]map[string]any{}
	for _, l := range readCount(t, 3, tw.topic("results")) {
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
	snapshots := readCount(t, 1, tw.topic("snapshots"))
	if s := snapshots[0].Value; s["status"] != "WAIT_BUYER_PAY" || s["total_amount"].(map[string]any)["minor"] != 8800.0 {
		t.Errorf("snapshot = %v", s)
	}
	if dead := readCount(t, 1, tw.topic("events.dlq")); dead[0].Key != "T2" {
		t.Errorf("dead letter = %+v", dead[0])
	}
	if j := readCount(t, 2, tw.topic("journal")); len(j) == 0 {
		t.Error("the skip is not in the journal")
	}
	p.stop(t)
}

// TestKilledThreeTimes: kill -9 with 200 calls or more in flight, three times.
func TestKilledThreeTimes(t *testing.T) {
	tw := newTown(t, 8, time.Second)
	events := orders(4000)
	tw.send(events)
	const kills, inFlight, batch = 3, 2 * 256, 1000
	repeats := 0
	for range kills {
		p := tw.run("a")
		await(t, "200 calls in flight", time.Minute, func() bool { return tw.inFlight.Load() >= 200 })
		enough := tw.sim.Totals().Executions + rand.IntN(500) // anywhere in its work
		await(t, "some more effects", time.Minute, func() bool { return tw.sim.Totals().Executions >= enough })
		await(t, "200 calls in flight", time.Minute, func() bool { return tw.inFlight.Load() >= 200 })
		n := tw.inFlight.Load()
		p.kill()
		t.Logf("killed at %d calls in flight", n)
		await(t, "the simulator is done with what was in flight", time.Minute, func() bool { return tw.inFlight.Load() == 0 })
		all := tw.executions()
		t.Logf("%d requests repeated since the kill before", all-repeats)
		if all-repeats > inFlight+batch {
			t.Errorf("%d repeats after a kill, want at most %d", all-repeats, inFlight+batch)
		}
		repeats = all
	}
	p := tw.run("a")
	wantEachOnce(t, events, tw.results(len(events), 3*time.Minute))
	p.stop(t)
	if n := tw.executions(); n == 0 || n > kills*(inFlight+batch) {
		t.Errorf("%d requests were repeated, want some and at most %d", n, kills*(inFlight+batch))
	} else {
		t.Logf("%d of %d requests were repeats", n, len(tw.sim.Journal().Requests))
	}
}

// TestTwoSlots: a second instance joins, leaves, joins again and is killed.
func TestTwoSlots(t *testing.T) {
	tw := newTown(t, 8, 200*time.Millisecond)
	events := orders(6000)
	tw.send(events)
	a := tw.run("a")
	await(t, "a works", time.Minute, func() bool { return tw.sim.Totals().Executions > 300 })
	b := tw.run("b")
	tw.bothWork(b)
	b.stop(t)
	if n := tw.executions(); n != 0 {
		t.Errorf("joining and leaving repeated %d requests", n)
	}
	b = tw.run("b")
	tw.bothWork(b)
	b.kill()
	wantEachOnce(t, events, tw.results(len(events), 3*time.Minute))
	tw.executions()
	a.stop(t)
}

// bothWork waits until a second instance has its partitions and some hundred effects came since.
func (tw *town) bothWork(second *process) {
	tw.t.Helper()
	await(tw.t, "the second instance has partitions", time.Minute, func() bool { return strings.Contains(second.log.String(), "partitions assigned") })
	enough := tw.sim.Totals().Executions + 400
	await(tw.t, "both work", time.Minute, func() bool { return tw.sim.Totals().Executions >= enough })
}

// TestLostAnswersOnRealKafka: requests and answers are lost at random; nothing takes effect
// twice, and no create is repeated without a query before it.
func TestLostAnswersOnRealKafka(t *testing.T) {
	tw := newTown(t, 4, 20*time.Millisecond,
		simulator.CutBefore(simulator.TradeCreate).Probability(0.03), simulator.CutAfter(simulator.TradeCreate).Probability(0.03),
		simulator.CutBefore(simulator.HKOrderSync).Probability(0.03), simulator.CutAfter(simulator.HKOrderSync).Probability(0.03))
	events := orders(600)
	tw.send(events)
	p := tw.run("a")
	wantEachOnce(t, events, tw.results(len(events), 3*time.Minute))
	p.stop(t)
	tw.executions()
	unknown := map[string]bool{}
	for _, r := range tw.sim.Journal().Requests {
		switch {
		case r.Method == simulator.TradeQuery:
			delete(unknown, r.OrderNo)
		case r.Method == simulator.TradeCreate && unknown[r.OrderNo]:
			t.Errorf("%s was created again without asking", r.OrderNo)
		case r.Method == simulator.TradeCreate && r.Verdict == "LOST":
			unknown[r.OrderNo] = true
		}
	}
}

// TestBrokerRestart: the broker dies without warning and comes back.
func TestBrokerRestart(t *testing.T) {
	tw := newTown(t, 4, 100*time.Millisecond)
	events := orders(3000)
	tw.send(events)
	p := tw.run("a")
	await(t, "it works", time.Minute, func() bool { return tw.sim.Totals().Executions > 300 })
	script(t, "kill")
	script(t, "resume")
	wantEachOnce(t, events, tw.results(len(events), 3*time.Minute))
	p.stop(t)
	tw.executions()
}

// readCount reads topics by the foreign reader until n records are there.
func readCount(t *testing.T, n int, topics ...string) []line {
	t.Helper()
	var lines []line
	await(t, "records in "+topics[0], time.Minute, func() bool {
		lines = read(t, topics...)
		return len(lines) >= n
	})
	return lines
}
