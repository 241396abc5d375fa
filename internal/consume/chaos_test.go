package consume_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"alipay-kafka-bridge/internal/produce"
)

// Kills, stops, starts and faults of the cluster in a random order, with little memory: every event
// has one result, in order. Every other seed has an inline engine.
func TestEverythingAtOnce(t *testing.T) {
	for seed := range 8 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				rnd := rand.New(rand.NewPCG(uint64(seed), 99))
				const n, keys = 2000, 150
				r.send(n, keys)
				o := earliest
				o.RevokeBound = 4 * time.Second
				o.Started = map[string]int{"app": 60}
				o.MaxBytes, o.Inline = 3000, seed%2 == 1
				begin := func(slot string, s uint64) *engine {
					f := &flaky{before: 1, after: 2, limit: 1 << 30, rnd: rand.New(rand.NewPCG(s, 5))}
					return r.start(setup{options: o, latency: spread, slot: slot, wrap: func(tx *produce.Transactor) committer {
						f.Transactor = tx
						return f
					}})
				}
				live := map[string]*engine{"a": begin("a", 1), "b": begin("b", 2)}
				for step := range 12 {
					time.Sleep(time.Duration(200+rnd.IntN(4000)) * time.Millisecond)
					slot := []string{"a", "b", "c"}[rnd.IntN(3)]
					e := live[slot]
					switch rnd.IntN(7) {
					case 0: // kill -9
						if e != nil && len(live) > 1 {
							e.wire.cut()
							e.cancel()
							delete(live, slot)
						}
					case 1:
						if e != nil && len(live) > 1 {
							_ = e.stop()
							delete(live, slot)
						}
					case 2:
						if e == nil {
							live[slot] = begin(slot, uint64(seed*100+step))
						}
					case 3:
						r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: "g", TopLevel: true, Err: kerr.UnknownMemberID, Count: 1})
					case 4:
						r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Topic: "in", Partitions: []int32{int32(rnd.IntN(parts))}, Err: []*kerr.Error{kerr.InvalidTxnState, kerr.TopicAuthorizationFailed, kerr.CoordinatorNotAvailable, kerr.RebalanceInProgress}[rnd.IntN(4)], Count: 1 + rnd.IntN(3)})
					case 5:
						r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: "g", TopLevel: true, Err: kerr.UnknownMemberID, Count: 1, When: func(req kmsg.Request) bool { return req.(*kmsg.JoinGroupRequest).MemberID != "" }})
					case 6:
						r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.NotLeaderForPartition, kerr.UnknownServerError}[rnd.IntN(3)], Count: 1 + rnd.IntN(2)})
					}
				}
				time.Sleep(5 * time.Minute)
				r.overlapsOver()
				r.mu.Lock()
				r.overlaps = 0 // a killed process goes on for a while
				r.mu.Unlock()
				r.wantEachOnce(n, keys)
				for slot, e := range live {
					if counted, held := e.HeldBytes(); counted != held {
						t.Errorf("%s: %d bytes are counted, %d held", slot, counted, held)
					}
					_ = e.stop()
				}
				if t.Failed() {
					t.Log(r.logs.String()[max(0, r.logs.Len()-4000):])
				}
			})
		})
	}
}
