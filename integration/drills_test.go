//go:build integration

package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
	"alipay-kafka-bridge/internal/simulator/standalone"
)

// renewedToken is the token that the simulator accepts for its second merchant.
const renewedToken = "renewed-token"

// named returns events as orders does, of orders of their own.
func named(name string, n int) []order.Event {
	events := orders(n)
	for i := range events {
		events[i].ID = order.EventID(name) + events[i].ID
		events[i].OrderNo = alipay.OutTradeNo(name) + events[i].OrderNo
		if events[i].TradeNo != "" {
			events[i].TradeNo = alipay.TradeNo(strings.Replace(string(events[i].TradeNo), "20260131", fmt.Sprintf("2026%04d", name[0]), 1))
		}
	}
	return events
}

// resultsOf returns the results of orders whose numbers begin with the name.
func resultsOf(name string, results []order.Result) []order.Result {
	return slices.DeleteFunc(slices.Clone(results), func(r order.Result) bool { return !strings.HasPrefix(string(r.OrderNo), name) })
}

// report logs the lines of the bridge since it had written a number of bytes, and checks that they
// are few.
func (p *process) report(t *testing.T, from, most int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.log.String()[from:]), "\n")
	for i, l := range lines {
		if i < 2*most {
			t.Log(l)
		}
	}
	if len(lines) > most {
		t.Errorf("%d lines in the log, want at most %d", len(lines), most)
	}
}

// awaitStart waits for all lines that a start writes, so that none of them counts as one of what follows. They are those of an
// environment with so many partitions of observations.
func (p *process) awaitStart(t *testing.T, prefix string, partitions int) {
	t.Helper()
	p.awaitLines(t, 1, `ready"?[=:]true`)
	p.awaitLines(t, partitions, "trade status is restored")
	p.awaitAssigned(t, prefix)
}

// awaitAssigned waits until the pipelines of calls and of trade status have partitions.
func (p *process) awaitAssigned(t *testing.T, prefix string) {
	t.Helper()
	for _, group := range []string{"group", "group-status"} {
		p.awaitLines(t, 1, `partitions assigned.*group"?[=:]"?`+prefix+group+`["\s]`)
	}
}

// awaitLines waits until so many lines of the log match.
func (p *process) awaitLines(t *testing.T, n int, line string) {
	t.Helper()
	written := regexp.MustCompile(line)
	await(t, fmt.Sprintf("%d lines %s", n, line), patience, func() bool { return len(written.FindAllString(p.log.String(), -1)) >= n })
}

// once checks that no event has two results, and returns the events that have one.
func once(t *testing.T, results []order.Result) map[order.EventID]bool {
	t.Helper()
	seen := map[order.EventID]bool{}
	for _, r := range results {
		if seen[r.EventID] {
			t.Errorf("event %s has two results", r.EventID)
		}
		seen[r.EventID] = true
		if r.Outcome != order.OutcomeApplied {
			t.Errorf("event %s: outcome %s, reason %s, sub_code %s: %s", r.EventID, r.Outcome, r.Reason, r.SubCode, r.Message)
		}
	}
	return seen
}

// TestDrillInputCreatedAgain: the input topic is deleted and created again under load. What had
// taken effect has its result, and each event of the new topic has one.
func TestDrillInputCreatedAgain(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 4, 100*time.Millisecond)
	p := e.run("a")
	p.awaitStart(t, e.prefix, 4)
	e.send(named("A", 1000))
	results := e.collect()
	await(t, "it works", patience, func() bool { return e.sim.Totals().Executions > 200 })
	from := len(p.log.String())
	e.deleteTopic(e.topic("events"))
	e.createTopic(e.topic("events"), 4)
	began := time.Now()
	events := named("B", 1000)
	e.send(events)
	results.until("B", 1)
	t.Logf("the first result of the new topic came after %v", time.Since(began).Round(100*time.Millisecond))
	results.until("B", len(events))
	took := time.Since(began)
	results.poll(2 * time.Second) // a result too many would come now
	checkEachOnce(t, events, resultsOf("B", results.results))
	p.stop(t)
	e.checkExecutions()

	seen, without := once(t, results.results), 0
	for _, x := range e.sim.Journal().Executions {
		if no, is := strings.CutPrefix(x.OrderNo, "AT"); is && !seen[order.EventID(fmt.Sprint("At", strings.TrimLeft(no[:5], "0")+no[5:]))] {
			without++
		}
	}
	if without > 0 {
		t.Errorf("%d events of the old topic took effect and have no result", without)
	}
	t.Logf("lost, doubled, wrongly ended: none unless it says so above; all %d results of the new topic after %v; %d events of the old one had been handled",
		len(events), took.Round(100*time.Millisecond), len(resultsOf("A", results.results)))
	p.report(t, from, 24)
}

// TestDrillResultsCreatedAgain: the results topic is deleted while calls are under way, and created
// again later. Their results, and those of later events, come then, each once. Meanwhile skipped
// events go on to their topic.
func TestDrillResultsCreatedAgain(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 4, 100*time.Millisecond)
	settled := named("A", 400)
	p := e.run("a")
	p.awaitStart(t, e.prefix, 4)
	e.send(settled)
	old := e.collect()
	old.until("A", len(settled))
	checkEachOnce(t, settled, old.results)
	old.cl.Close()

	meanwhile := named("B", 400)
	from := len(p.log.String())
	e.turn.Lock() // no answer comes before the topic is gone
	e.send(meanwhile)
	await(t, "100 calls in flight", patience, func() bool { return e.inFlight.Load() >= 100 })
	e.deleteTopic(e.topic("results"))
	e.turn.Unlock()
	skipped := orders(2)[:1]
	skipped[0].ID, skipped[0].OrderNo, skipped[0].Type, skipped[0].Total = "skip", "S1", order.TypeShipped, nil
	began := time.Now()
	e.send(skipped)
	journal := e.client(kgo.ConsumeTopics(e.topic("journal")), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	await(t, "the skip is in the journal", patience, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return slices.ContainsFunc(journal.PollFetches(ctx).Records(), func(r *kgo.Record) bool { return strings.Contains(string(r.Value), "unmapped") })
	})
	t.Logf("without the results topic, the skip was in the journal after %v", time.Since(began).Round(100*time.Millisecond))

	e.createTopic(e.topic("results"), 4)
	began = time.Now()
	events := named("C", 400)
	e.send(events)
	results := e.collect()
	results.until("B", len(meanwhile))
	results.until("C", len(events))
	took := time.Since(began)
	results.poll(2 * time.Second)
	checkEachOnce(t, meanwhile, resultsOf("B", results.results))
	checkEachOnce(t, events, resultsOf("C", results.results))
	p.stop(t)
	e.checkExecutions()
	if n := len(results.results); n != len(meanwhile)+len(events) {
		t.Errorf("%d results in the new topic, want %d", n, len(meanwhile)+len(events))
	}
	t.Logf("lost, doubled, wrongly ended: none unless it says so above; all %d results %v after the topic was there again", len(results.results), took.Round(100*time.Millisecond))
	p.report(t, from, 12)
}

// TestDrillTokenExpired: Alipay refuses the token of one merchant under load. The other merchants go
// on; this one's events wait and succeed after its file was replaced.
func TestDrillTokenExpired(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 4, 50*time.Millisecond)
	file := filepath.Join(e.dir, "token")
	must(t, os.WriteFile(file, []byte("expired-token"), 0o600))
	text, err := os.ReadFile(e.settings)
	must(t, err)
	yaml := strings.Replace(string(text), "  shop-hk: {", "  shop-token: {app: main, channel: TRADE, app_auth_token_file: token}\n  shop-hk: {", 1)
	yaml = strings.Replace(yaml, "accounts: [shop-trade,", "accounts: [shop-token, shop-trade,", 1)
	must(t, os.WriteFile(e.settings, []byte(yaml), 0o600))

	waiting, others := named("W", 2000), named("O", 2000)
	waiting = slices.DeleteFunc(waiting, func(ev order.Event) bool { return ev.Type != order.TypeCreated })
	var events []order.Event
	for i := range others {
		if i < len(waiting) {
			waiting[i].Account = "shop-token"
			events = append(events, waiting[i])
		}
		events = append(events, others[i])
	}
	e.send(events)
	p := e.run("a")
	results := e.collect()
	began := time.Now()
	results.until("O", len(others))
	t.Logf("the results of %d events of the other merchants came within %v", len(others), time.Since(began).Round(100*time.Millisecond))
	if n := len(resultsOf("W", results.results)); n != 0 {
		t.Errorf("%d results of the merchant whose token is refused", n)
	}
	must(t, os.WriteFile(file, []byte(renewedToken), 0o600))
	began = time.Now()
	results.until("W", len(waiting))
	t.Logf("%d events that waited have their results %v after the new token", len(waiting), time.Since(began).Round(100*time.Millisecond))
	results.poll(2 * time.Second)
	checkEachOnce(t, events, results.results)
	p.stop(t)
	e.checkExecutions()
	p.report(t, 0, 20)
}

// TestDrillClock: the clock of the gateways is ten minutes ahead for a while, under load.
func TestDrillClock(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 4, 100*time.Millisecond)
	events := named("A", 1500)
	p := e.run("a")
	p.awaitStart(t, e.prefix, 4)
	e.send(events)
	results := e.collect()
	results.until("A", 200)
	from := len(p.log.String())
	e.ahead.Store(int64(10 * time.Minute))
	results.poll(10 * time.Second)
	t.Logf("ten seconds later there were %d results", len(results.results))
	e.ahead.Store(0)
	began := time.Now()
	results.until("A", len(events))
	t.Logf("all %d results came %v after the clock was right again", len(events), time.Since(began).Round(100*time.Millisecond))
	results.poll(2 * time.Second)
	checkEachOnce(t, events, results.results)
	p.stop(t)
	e.checkExecutions()
	p.report(t, from, 20)
}

// rotateKey makes the simulator sign the answers of the openapi app with the key of the next one. All
// trades stay.
func (e *environment) rotateKey(next standalone.GeneratedApp) {
	e.t.Helper()
	e.turn.Lock()
	defer e.turn.Unlock()
	e.options.Apps = slices.Clone(e.options.Apps)
	e.options.Apps[0].SigningKey = next.App.SigningKey
	sim, err := simulator.New(e.options)
	must(e.t, err)
	var state bytes.Buffer
	must(e.t, e.sim.Save(&state))
	must(e.t, sim.Restore(&state))
	e.before, e.sim = e.sim.Journal(), sim
}

// TestDrillKeyRotated: Alipay signs with another key without notice, under load. The app waits, the
// others go on; with the new key in its file everything succeeds.
func TestDrillKeyRotated(t *testing.T) {
	t.Parallel()
	e := newEnvironment(t, 4, 100*time.Millisecond)
	next, err := standalone.GenerateApp("next")
	must(t, err)
	events := named("A", 3000)
	p := e.run("a")
	p.awaitStart(t, e.prefix, 4)
	const before = 1000
	e.send(events[:before])
	results := e.collect()
	results.until("AT", 200)
	from := len(p.log.String())
	e.rotateKey(next)
	e.send(events[before:]) // however late their results are seen, these are answered under the new key
	believed := 0
	for _, x := range e.before.Executions {
		if x.Method == simulator.TradeCreate {
			believed++
		}
	}
	results.until("AH", len(events)/2)
	got := len(resultsOf("AT", results.results))
	t.Logf("all %d results of the other app came; of %d events of this app %d were answered under the old key and %d had results", len(events)/2, len(events)/2, believed, got)
	if got > believed || believed == len(events)/2 {
		t.Errorf("%d results, want at most %d, and fewer than %d", got, believed, len(events)/2)
	}
	must(t, os.WriteFile(filepath.Join(e.dir, "alipay.pem"), []byte(next.AlipayPublic), 0o600))
	began := time.Now()
	results.until("AT", len(events)/2)
	t.Logf("all results of the app came %v after its new key", time.Since(began).Round(100*time.Millisecond))
	results.poll(2 * time.Second)
	checkEachOnce(t, events, results.results)
	p.stop(t)
	e.checkExecutions()
	p.report(t, from, 20)
}

// withoutTransactions starts a broker of its own whose transaction state log cannot be made, because
// it needs more brokers than there are. It returns the broker's address.
func withoutTransactions(t *testing.T) string {
	t.Helper()
	ports := freePorts(t, 3)
	own := []string{"KAFKA_PORT=" + ports[0], "KAFKA_CONTROLLER_PORT=" + ports[1], "REGISTRY_PORT=" + ports[2]}
	t.Cleanup(func() {
		stop := exec.Command("./kafka.sh", "stop")
		stop.Env = append(os.Environ(), own...)
		_ = stop.Run()
	})
	scriptWith(t, "", own, "start")
	scriptWith(t, "", own, "kill")
	cache, err := os.UserCacheDir()
	must(t, err)
	file := filepath.Join(cache, "alipay-kafka-bridge", "run-"+ports[0]+"-"+ports[2], "server.properties")
	text, err := os.ReadFile(file)
	must(t, err)
	changed := bytes.Replace(text, []byte("transaction.state.log.replication.factor=1"), []byte("transaction.state.log.replication.factor=3"), 1)
	if bytes.Equal(changed, text) {
		t.Fatalf("%s does not set transaction.state.log.replication.factor", file)
	}
	must(t, os.WriteFile(file, changed, 0o600))
	scriptWith(t, "", own, "resume")
	return "127.0.0.1:" + ports[0]
}

// TestDrillNoTransactions: a cluster that cannot make its transaction state log. The bridge ends with
// what to do about it, and makes no call.
func TestDrillNoTransactions(t *testing.T) {
	t.Parallel()
	broker := withoutTransactions(t)
	e := &environment{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(broker)}, security: fmt.Sprintf("brokers: [%q]", broker)}
	e.write(e.simulate(time.Millisecond), 1)
	e.command("topics", "create", "--yes", "-c", e.settings)
	e.send(orders(20))
	began := time.Now()
	p := e.run("a")
	ended := make(chan error, 1)
	go func() { ended <- p.wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("bridge run ended with %v, want exit code 1", err)
		}
	case <-time.After(3 * time.Minute):
		t.Fatal("the bridge still runs")
	}
	t.Logf("it ended after %v", time.Since(began).Round(100*time.Millisecond))
	for _, want := range []string{"transaction.state.log.replication.factor", "makes no call without them"} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, p.log)
		}
	}
	if n := len(e.sim.Journal().Executions); n != 0 || e.sim.Totals().Requests != 0 {
		t.Errorf("the simulator counted %d requests, %d took effect", e.sim.Totals().Requests, n)
	}
}
