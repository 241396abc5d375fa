//go:build integration

package integration_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/simulator"
)

// drillKafka: positions, records and topics that are not as they should be.
func drillKafka(t *testing.T) {
	s := newScene(t, []string{"a", "b"}, []string{"events", "halted", "window"}, []string{"good", "partner", "brief"}, map[string]string{
		"brief": ", retry: {back_off: 100ms, min_attempts: 1, max_trying: 1s}",
	})
	s.commitForeign("group", "halted", 1)
	s.loseRecords("halted", 0)
	token := filepath.Join(s.dir, "partner-token")
	s.replace(token, []byte("expired-token"))
	s.sim.AddFault(simulator.TooManyRequests(simulator.TradeCreate, 0).Order("briefONE").Always())
	p := s.bridge("a")
	s.watch("a")
	flows := []func(){s.flow("good", 500*time.Millisecond, 0), s.flow("partner", 1500*time.Millisecond, 0)}
	defer s.note()
	s.scraped(s.port["a"], 3, untilFires) // a counter that begins after its first event would not increase

	s.produce("events", 0, event("brief", "ONE"), time.Now())
	s.cl.Produce(t.Context(), &kgo.Record{Topic: s.topic("events"), Key: []byte("k"), Value: []byte("no record")}, nil)
	hangs := s.client(kgo.TransactionalID(s.prefix+"hangs"), kgo.TransactionTimeout(10*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, hangs.BeginTransaction())
	must(t, hangs.ProduceSync(t.Context(), &kgo.Record{Topic: s.topic("window"), Partition: 1, Value: []byte("open")}).FirstErr())
	for i := range 700 { // so many unfinished records, so far apart, do not fit into the text of a commit
		ev := event("partner", fmt.Sprint("WINDOW", i%10)) // ten orders: each may only have so many that wait
		ev.ID = order.EventID(fmt.Sprint("window", i))
		s.produce("window", 0, ev, time.Now())
	}
	for i := range 24_000 {
		ev := event("good", fmt.Sprint("SKIP", i))
		ev.Type, ev.Total = order.TypeShipped, nil
		s.produce("window", 0, ev, time.Now())
	}
	must(t, s.cl.Flush(t.Context()))
	stopped := []string{
		"BridgePartitionStopped critical kafka partition=1 topic=" + s.topic("halted"),
		"BridgeInputLost critical kafka partition=0 topic=" + s.topic("halted"),
		"- BridgePartitionStopped critical kafka partition=0 topic=" + s.topic("halted"),
		"BridgeAccountStopped critical merchant account=shop-partner app=partner reason=misconfigured",
		"- BridgeOldestWaiting critical merchant account=shop-partner app=partner cause=person",
		"BridgeWindowFull warning bridge partition=0 topic=" + s.topic("window"),
	}
	hanging := "BridgeHangingTransaction critical producer partition=1 topic=" + s.topic("window")
	letters := "BridgeDeadLetters warning producer reason=undecodable topic=" + s.topic("events.dlq")
	exhausted := "BridgeDeadLetters warning alipay reason=exhausted topic=" + s.topic("events.dlq")
	s.fires("records and positions", untilFires, append(stopped, letters, exhausted, hanging)...)

	s.deleteTopic(s.topic("results"))
	settling := append(stopped, letters, exhausted, hanging, "BridgeSettleFailing critical kafka "+s.instance("a")+" pipeline=calls",
		"- BridgeAuditLate warning bridge")
	s.fires("a topic is gone", untilFires, settling...)
	s.createTopic(s.topic("results"), 2)
	must(t, hangs.EndTransaction(t.Context(), kgo.TryAbort))
	s.replace(token, []byte(renewedToken))
	must(t, p.cmd.Process.Signal(syscall.SIGHUP))

	s.quiet(untilFires, stopped[1], strings.TrimPrefix(stopped[2], "- "), stopped[0])
	for _, stop := range flows {
		stop()
	}
	s.conflict()
	s.fires("two processes on one slot", untilFires, append(stopped[:3:3], "BridgeSlotConflict critical bridge",
		"BridgeAbsent warning bridge "+s.instance("a"))...) // the first one ends
}

// conflict starts a second process on the slot a, and lets both fence each other in the pipeline of calls. The alert counts what
// was scraped, and a process ends with its second fence: each gets its first one, and after a scrape the next event follows.
func (s *scene) conflict() {
	s.t.Helper()
	must(s.t, s.cl.Flush(s.sent))
	s.settled(s.t, "group", "events", 0) // or the first process would be fenced while the second one starts
	path, err := binary()
	must(s.t, err)
	// Only calls: where the sweep just asks for orders, the two would fence each other before the events below.
	second := s.launch(path, "a", []string{"--only", "calls"}, "METRICS_PORT="+s.port["b"])
	second.awaitLines(s.t, 1, `partitions assigned.*pipeline=calls`)
	owner := map[string]map[string]string{} // instance, label, value: a partition of each that is not stopped for good
	await(s.t, "both have partitions", patience, func() bool {
		clear(owner)
		parts, _ := s.query(fmt.Sprintf(`bridge_partition_stopped{topic=~"%[1]sevents|%[1]swindow"}`, s.prefix))
		for _, part := range parts {
			owner[part["instance"]] = part
		}
		return len(parts) == 4 && len(owner) == 2
	})
	for i, slot := range []string{"a", "b", "a"} {
		part := owner["127.0.0.1:"+s.port[slot]]
		partition, err := strconv.Atoi(part["partition"])
		must(s.t, err)
		s.produce(strings.TrimPrefix(part["topic"], s.prefix), int32(partition), event("good", fmt.Sprint("FENCE", i)), time.Now())
		must(s.t, s.cl.Flush(s.sent))
		if i < 2 {
			await(s.t, "a scraped fence of "+slot, patience, func() bool {
				_, n := s.query(fmt.Sprintf(`sum(bridge_fenced_total{pipeline="calls",reason="producer",%s}) == 1`, strings.Replace(s.instance(slot), "=", `="`, 1)+`"`))
				return len(n) == 1
			})
		}
	}
}

// loseRecords lets the bridge commit a position, and deletes records behind it.
func (s *scene) loseRecords(input string, partition int32) {
	s.t.Helper()
	skips := func(name string) {
		for i := range 3 {
			ev := event("good", fmt.Sprint(name, i))
			ev.Type, ev.Total = order.TypeShipped, nil
			s.produce(input, partition, ev, time.Now())
		}
		must(s.t, s.cl.Flush(s.sent))
	}
	skips("READ")
	adm := kadm.NewClient(s.cl)
	p := s.bridge("a")
	await(s.t, "a committed position", patience, func() bool {
		at, err := adm.FetchOffsets(s.sent, s.prefix+"group")
		o, ok := at.Lookup(s.topic(input), partition)
		return err == nil && ok && o.At == 3
	})
	p.stop(s.t)
	skips("LOST")
	var low kadm.Offsets
	low.AddOffset(s.topic(input), partition, 5, -1)
	deleted, err := adm.DeleteRecords(s.sent, low)
	must(s.t, err)
	must(s.t, deleted.Error())
}
