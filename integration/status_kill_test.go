//go:build integration

package integration_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
	"alipay-kafka-bridge/internal/status/state"
)

const (
	busyOrders = 150              // their notifications are sent again and again while processes are killed
	lostOrders = 30               // their notifications are taken, and deleted before they are merged
	killTime   = 20 * time.Second // of a round
	maxRounds  = 3                // until both windows were hit

	maxDeliveries = 8 // of a notification: then Alipay gives up
)

// TestStatusKilled: the receiver and the process of trade status are killed at random moments under load. What was
// answered with success is in the topic, each version is there once, and what was deleted before it was merged is found by
// the sweep.
func TestStatusKilled(t *testing.T) {
	e := newStatusEnvironment(t)
	calls := e.start("c", "calls,queries")
	running, stopBuyers := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = e.sim.Run(running) })
	defer work.Wait()
	defer stopBuyers()
	e.sendCreates(0, busyOrders)
	await(t, "all trades exist", patience, func() bool { return e.sim.Totals().Executions >= busyOrders })
	restored := 0
	for round := 0; round < maxRounds && (restored == 0 || e.checkTaken() == 0); round++ {
		restored += e.killUnderLoad(t, round)
	}

	// The process of trade status reads nothing while payments are notified, and then their observations are deleted.
	notify, status := e.start("n", "notify"), e.start("s", "status")
	e.sendCreates(busyOrders, busyOrders+lostOrders)
	await(t, "the status of the new orders", 3*time.Minute, func() bool { return len(e.states(busyOrders)) == lostOrders })
	restored += restoredBehind(status)
	status.kill()
	for i := busyOrders; i < busyOrders+lostOrders; i++ {
		must(t, e.sim.Pay(killedOrder(i)))
	}
	await(t, "all notifications are taken", 3*time.Minute, e.taken())
	e.deleteObservations()
	status = e.start("s", "status", "--accept-loss")
	await(t, "the sweep finds the payments", 3*time.Minute, func() bool {
		found := 0
		for _, s := range e.states(busyOrders) {
			if s.State == state.Paid && s.Cause == order.ObservedInSweep {
				found++
			}
		}
		return found == lostOrders
	})
	t.Logf("W12: %d payments were found by the sweep after their observations were deleted", lostOrders)
	for _, p := range []*process{status, notify, calls} {
		p.stop(t)
	}
	restored += restoredBehind(status)
	e.checkVersions()
	unanswered := e.checkTaken()
	t.Logf("W9: %d notifications were taken without an answer; W14: %d restores were behind the topic", unanswered, restored)
	if unanswered == 0 || restored == 0 {
		t.Error("no kill came between a record and its answer, or none between a commit and the disk")
	}
}

// statusEnvironment is an environment with notifications and trade status.
type statusEnvironment struct {
	*environment

	codecs *state.Codec
}

func newStatusEnvironment(t *testing.T) *statusEnvironment {
	t.Helper()
	e := &statusEnvironment{environment: &environment{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(brokers)}, security: fmt.Sprintf("brokers: [%q]", brokers)}}
	gateway := e.simulate(20 * time.Millisecond)
	e.codecs = state.NewCodec(e.codec)
	address := freeAddress(t)
	e.settings = filepath.Join(e.dir, "bridge.yaml")
	must(t, os.WriteFile(e.settings, fmt.Appendf(nil, `kafka: {%[1]s, group: %[3]sgroup, start: earliest, slot: a}
registry: {url: %[2]q}
topics:
  inputs: [{name: %[3]sevents, accounts: [shop-trade], default_account: shop-trade}]
  results: %[3]sresults
  snapshots: %[3]ssnapshots
  observations: %[3]sobservations
  notifications: %[3]snotifications
  status: %[3]sstatus
  sweep: %[3]ssweep
  journal: %[3]sjournal
  partitions: 4
apps:
  main: {kind: openapi, environment: simulator, url: %[4]q, app_id: "2021000000000001", private_key_file: private.pem, alipay_public_key_file: alipay.pem}
accounts:
  shop-trade: {app: main, channel: TRADE, auth_app_id: "2021000000000001", notify_url: "http://%[5]s/notify/shop-trade"}
notify: {listen: %[5]q}
status: {folder: %[6]q, ask_after: 10s, ask_rate: 100}
delivery: {settle_every: 20ms}
probes: {listen: ""}
metrics: {listen: ""}
admin: {listen: ""}
`, e.security, registry, e.prefix, gateway, address, filepath.Join(e.dir, "store")), 0o600))
	e.command("topics", "create", "--yes", "-c", e.settings)
	return e
}

// start starts a process that runs some parts.
func (e *environment) start(slot, only string, flags ...string) *process {
	e.t.Helper()
	path, err := binary()
	must(e.t, err)
	p := &process{cmd: exec.Command(path, append([]string{"run", "-c", e.settings, "--slot", slot, "--only", only}, flags...)...), log: &lockedBuffer{}}
	p.cmd.Stderr = p.log
	must(e.t, p.cmd.Start())
	e.t.Cleanup(func() {
		p.kill()
		if e.t.Failed() {
			e.t.Logf("the end of the log of %s:\n%s", only, p.log.String()[max(0, len(p.log.String())-4000):])
		}
	})
	return p
}

func killedOrder(i int) string { return fmt.Sprintf("K%06d", i) }

func (e *statusEnvironment) sendCreates(from, to int) {
	e.t.Helper()
	var events []order.Event
	for i := from; i < to; i++ {
		events = append(events, order.Event{
			ID: order.EventID(fmt.Sprint("k", i)), Type: order.TypeCreated, OccurredAt: time.Now(), OrderNo: alipay.OutTradeNo(killedOrder(i)), Account: "shop-trade",
			Channel: order.ChannelAccount, Total: &alipay.Money{Minor: 10_000, Currency: "CNY"}, Subject: "tea", BuyerUserID: "2088102146225135",
		})
	}
	e.send(events)
}

// killUnderLoad kills both processes at random moments while buyers pay and get refunds, and Alipay repeats what was not
// answered. It returns how many restores were behind the topic.
func (e *statusEnvironment) killUnderLoad(t *testing.T, round int) int {
	t.Helper()
	var restored, kills atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), killTime)
	defer cancel()
	var work sync.WaitGroup
	for slot, only := range map[string]string{"n": "notify", "s": "status"} {
		work.Go(func() {
			for ctx.Err() == nil {
				p := e.start(slot, only)
				ready := map[string]string{"notify": "notifications are received", "status": "trade status is restored"}[only]
				for range 500 { // or it is killed while it starts
					if p.logged(ready) || !wait(ctx, 20*time.Millisecond) {
						break
					}
				}
				wait(ctx, time.Duration(rand.IntN(map[string]int{"notify": 500, "status": 1500}[only]))*time.Millisecond)
				p.kill()
				kills.Add(1)
				restored.Add(int64(restoredBehind(p)))
			}
		})
	}
	for i := 0; ctx.Err() == nil; i++ {
		if no := killedOrder(i % busyOrders); i < busyOrders && round == 0 {
			must(t, e.sim.Pay(no))
		} else {
			must(t, e.sim.Refund(no, 1))
		}
		if i%20 == 0 {
			e.repeat()
		}
		wait(ctx, 5*time.Millisecond)
	}
	work.Wait()
	t.Logf("%d kills", kills.Load())
	return int(restored.Load())
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// repeat has some notifications sent again, sooner than Alipay would: those that were not answered, and some that were, so
// that the receiver always has work.
func (e *statusEnvironment) repeat() {
	e.t.Helper()
	for _, n := range e.sim.Notifications() {
		if len(n.Deliveries) > 0 && (!n.Done && rand.IntN(3) == 0 || rand.IntN(20) == 0) {
			must(e.t, e.sim.SendAgain(n.ID))
		}
	}
}

// taken returns a function that reports whether all notifications were answered with success, and no further delivery
// follows: it would make another observation. Those that were not answered so are sent again, but never while a delivery
// is under way, which would then be followed by one too many.
func (e *statusEnvironment) taken() func() bool {
	again := map[string]int{} // how many deliveries a notification had when it was sent again
	return func() bool {
		open := 0
		for _, n := range e.sim.Notifications() {
			if n.Done && n.Due.IsZero() {
				continue
			}
			open++
			planned := n.Due.After(time.Now())
			givenUp := n.Due.IsZero() && len(n.Deliveries) >= maxDeliveries // with fewer, one is under way
			if (planned || givenUp) && len(n.Deliveries) > again[n.ID] {
				again[n.ID] = len(n.Deliveries)
				must(e.t, e.sim.SendAgain(n.ID))
			}
		}
		return open == 0
	}
}

var restoredRecords = regexp.MustCompile(`trade status is restored.*?records"?[=:](\d+)`)

// restoredBehind counts the partitions that a process restored whose store lacked committed records.
func restoredBehind(p *process) int {
	behind := 0
	for _, m := range restoredRecords.FindAllStringSubmatch(p.log.String(), -1) {
		if n, _ := strconv.Atoi(m[1]); n > 0 {
			behind++
		}
	}
	return behind
}

// committed returns the committed records of a topic.
func (e *statusEnvironment) committed(topic string) []*kgo.Record {
	e.t.Helper()
	adm := kadm.NewClient(e.client())
	ends, err := adm.ListCommittedOffsets(e.t.Context(), topic)
	must(e.t, err)
	from := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	starts, err := adm.ListStartOffsets(e.t.Context(), topic)
	must(e.t, err)
	ends.Each(func(o kadm.ListedOffset) {
		if first, _ := starts.Lookup(topic, o.Partition); first.Offset < o.Offset {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(left) == 0 {
		return nil
	}
	cl := e.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer cl.Close()
	var out []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(e.t.Context())
		must(e.t, fetches.Err())
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
		}
	}
	return out
}

// states returns the last states of the orders from a number on.
func (e *statusEnvironment) states(from int) map[string]state.Status {
	e.t.Helper()
	out := map[string]state.Status{}
	for _, r := range e.committed(e.topic("status")) {
		s, err := asked(e.t.Context(), func() (state.Status, error) { return e.codecs.Decode(e.t.Context(), r.Topic, r.Value) })
		must(e.t, err)
		if string(s.OrderNo) >= killedOrder(from) {
			out[s.Key()] = s
		}
	}
	return out
}

// deleteObservations deletes all observations, as retention would that is too short.
func (e *statusEnvironment) deleteObservations() {
	e.t.Helper()
	adm := kadm.NewClient(e.client())
	ends, err := adm.ListEndOffsets(e.t.Context(), e.topic("observations"))
	must(e.t, err)
	deleted, err := adm.DeleteRecords(e.t.Context(), ends.Offsets())
	must(e.t, err)
	must(e.t, deleted.Error())
}

// checkVersions checks that each version of each order is there once, in its turn.
func (e *statusEnvironment) checkVersions() {
	e.t.Helper()
	last, bad, all := map[string]int64{}, 0, 0
	for _, r := range e.committed(e.topic("status")) {
		s, err := asked(e.t.Context(), func() (state.Status, error) { return e.codecs.Decode(e.t.Context(), r.Topic, r.Value) })
		must(e.t, err)
		if all++; s.Version != last[s.Key()]+1 {
			if bad++; bad < 10 {
				e.t.Errorf("%s: version %d after %d", s.Key(), s.Version, last[s.Key()])
			}
		}
		last[s.Key()] = s.Version
	}
	if len(last) != busyOrders+lostOrders {
		e.t.Errorf("%d orders have a status, want %d", len(last), busyOrders+lostOrders)
	}
	e.t.Logf("%d versions of %d orders", all, len(last))
}

// checkTaken checks that what was answered with success is in the topic. It returns how many notifications are there
// although their sender got no answer.
func (e *statusEnvironment) checkTaken() (unanswered int) {
	e.t.Helper()
	published := map[string]int{}
	for _, r := range e.committed(e.topic("notifications")) {
		for _, h := range r.Headers {
			if h.Key == records.HeaderEventID {
				published[string(h.Value)]++
			}
		}
	}
	answered, failed := 0, 0
	for _, n := range e.sim.Notifications() {
		taken := 0
		for _, d := range n.Deliveries {
			if d.Err == "" && d.Body == "success" {
				taken++
			} else {
				failed++
			}
		}
		answered += taken
		if taken > published[n.ID] {
			e.t.Errorf("notification %s was answered success %d times and is %d times in its topic", n.ID, taken, published[n.ID])
		}
		unanswered += max(0, published[n.ID]-taken)
	}
	e.t.Logf("%d deliveries were answered success, %d were not; %d notifications are in their topic", answered, failed, len(slices.Collect(maps.Keys(published))))
	return unanswered
}
