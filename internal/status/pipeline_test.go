package status_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/integrity"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status"
	"alipay-kafka-bridge/internal/status/state"
	"alipay-kafka-bridge/internal/status/store"
)

func TestOneRecordForEachChange(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start("a")
		late := notified("1", "TRADE_CLOSED")
		late.Late = true
		r.observe(created("1"), notified("1", "TRADE_SUCCESS"), notified("1", "TRADE_SUCCESS"), notified("1", "WAIT_BUYER_PAY"), late, notified("1", "TRADE_FINISHED"))
		r.await("shop/1", "3 FINISHED")
		if got, want := r.story("shop/1"), []string{"1 PENDING", "2 PAID", "3 FINISHED"}; !slices.Equal(got, want) {
			r.t.Errorf("%q, want %q", got, want)
		}
		for _, rec := range r.seen(outTopic) {
			headers := map[string]string{}
			for _, h := range rec.Headers {
				headers[h.Key] = string(h.Value)
			}
			if headers[status.HeaderState] == "" || headers[status.HeaderVersion] == "" {
				r.t.Errorf("headers %q", headers)
			}
		}
		asked := r.seen(sweepTopic)
		if len(asked) != 1 || string(asked[0].Key) != "shop/1" {
			r.t.Fatalf("%d queries for a late notification, want 1", len(asked))
		}
		ev, err := r.codec.DecodeEvent(r.t.Context(), sweepTopic, asked[0].Value)
		must(r.t, err)
		if ev.Type != order.TypeQueryRequested || ev.OrderNo != "1" || ev.TradeNo != "T1" || ev.Account != "shop" || ev.Channel != order.ChannelTrade {
			r.t.Errorf("asked with %+v", ev)
		}
	})
}

// The state of a partition is in the partition of the same number.
func TestStatusHasThePartitionOfItsObservations(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start("a")
		for i := range 20 {
			r.observe(created(fmt.Sprint(i)))
		}
		r.await("shop/19", "1 PENDING")
		in, used := map[string]int32{}, map[int32]bool{}
		for _, rec := range r.seen(inTopic) {
			in[string(rec.Key)] = rec.Partition
		}
		for _, rec := range r.seen(outTopic) {
			used[rec.Partition] = true
			if rec.Partition != in[string(rec.Key)] {
				r.t.Errorf("%s: partition %d, its observation is in %d", rec.Key, rec.Partition, in[string(rec.Key)])
			}
		}
		if len(used) != partitions {
			r.t.Errorf("partitions %v", used)
		}
	})
}

// A restart goes on from the store; without it, or with one of another life of the topic, from the topic.
func TestRestart(t *testing.T) {
	for name, spoil := range map[string]func(r *rig){
		"store":      func(*rig) {},
		"no store":   func(r *rig) { must(r.t, os.RemoveAll(r.folders["a"])); delete(r.folders, "a") },
		"other slot": func(r *rig) { r.folders["a"] = r.folders["b"] },
		"damaged": func(r *rig) {
			files, err := os.ReadDir(r.folders["a"])
			must(r.t, err)
			for _, f := range files {
				if strings.HasSuffix(f.Name(), ".log") || strings.HasPrefix(f.Name(), "MANIFEST") {
					must(r.t, os.WriteFile(r.folders["a"]+"/"+f.Name(), []byte("not what it was"), 0o600))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				b := r.start("b") // has an older state of the order
				r.observe(created("1"))
				r.await("shop/1", "1 PENDING")
				b.stop()
				a := r.start("a")
				r.observe(notified("1", "TRADE_SUCCESS"))
				r.await("shop/1", "2 PAID")
				a.stop()
				spoil(r)
				r.start("a")
				r.observe(notified("1", "TRADE_SUCCESS"), notified("1", "TRADE_FINISHED"), created("2"))
				r.await("shop/1", "3 FINISHED")
				r.await("shop/2", "1 PENDING")
				if got := r.story("shop/1"); len(got) != 3 {
					r.t.Errorf("%q", got)
				}
			})
		})
	}
}

// A restart reads only what the store does not have.
func TestRestartReadsTheTailOnly(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.start("a")
		for i := range 50 {
			r.observe(created(fmt.Sprint(i)))
		}
		r.await("shop/49", "1 PENDING")
		a.stop()
		r.log.text.Reset()
		r.start("a")
		r.observe(notified("49", "TRADE_SUCCESS"))
		r.await("shop/49", "2 PAID")
		restored := 0
		for line := range strings.Lines(r.log.String()) {
			if strings.Contains(line, "trade status is restored") {
				restored++
				if !strings.Contains(line, " records=0 ") {
					r.t.Error(line)
				}
			}
		}
		if restored != partitions {
			r.t.Errorf("%d partitions were restored", restored)
		}
	})
}

// Observations that no part of the bridge has written change nothing, and stop nothing.
func TestStrangersObservations(t *testing.T) {
	inBubble(t, func(r *rig) {
		refused := map[string]int{}
		a := r.start("a", func(o *status.Options) { o.Refused = func(reason string) { refused[reason]++ } })
		good, err := r.encoder.Observation(r.t.Context(), created("1"))
		must(r.t, err)
		misplaced := *good
		misplaced.Key = []byte("shop/2")
		for _, rec := range []*kgo.Record{{Topic: inTopic, Key: []byte("shop/1"), Value: []byte("no frame")}, {Topic: inTopic, Key: []byte("shop/1")}, &misplaced} {
			must(r.t, r.sender.ProduceSync(r.t.Context(), rec).FirstErr())
		}
		r.observe(created("1"))
		r.await("shop/1", "1 PENDING")
		if got := r.story("shop/2"); got != nil {
			r.t.Errorf("%q", got)
		}
		a.stop()
		for _, want := range []string{"undecodable", "key_mismatch"} {
			if !strings.Contains(r.log.String(), "reason="+want) || refused[want] != 1 {
				r.t.Errorf("%d times %s:\n%s", refused[want], want, r.log)
			}
		}
		// What is refused may be handled again: it counts once its offset is committed.
		out := a.pipeline.Refuse(consume.Input{Record: &kgo.Record{Topic: inTopic}}, "panic", os.ErrInvalid)
		if refused["panic"] != 0 {
			r.t.Error("counted before it is committed")
		}
		a.pipeline.Settled(consume.Settlement{Outcomes: []consume.SettledOutcome{{Note: out.Note}}})
		if refused["panic"] != 1 {
			r.t.Errorf("committed, and counted %d times", refused["panic"])
		}
	})
}

// An order of which nothing is heard is asked for on a growing schedule, and at last unresolved. The queries continue
// the trace of its create.
func TestSweep(t *testing.T) {
	inBubble(t, func(r *rig) {
		began := time.Now()
		a := r.start("a", func(o *status.Options) { o.Schedule.Until = 2 * time.Hour })
		o := created("1")
		r.observe(o, created("2"), notified("2", "TRADE_SUCCESS"))
		r.await("shop/1", "1 PENDING")
		time.Sleep(10 * time.Minute)
		a.stop() // over the round at 18 minutes, which is then made up once
		time.Sleep(10 * time.Minute)
		r.start("a", func(o *status.Options) { o.Schedule.Until = 2 * time.Hour })
		time.Sleep(3 * time.Hour)
		var ages []string
		ids := map[string]bool{}
		for _, rec := range r.seen(sweepTopic) {
			ev, err := r.codec.DecodeEvent(r.t.Context(), sweepTopic, rec.Value)
			must(r.t, err)
			ages = append(ages, fmt.Sprint(ev.OrderNo, " ", ev.OccurredAt.Sub(began).Round(time.Minute)))
			ids[string(ev.ID)] = true
			if tp := rec.Headers[len(rec.Headers)-1]; tp.Key != "traceparent" || string(tp.Value) != o.CreateTraceparent {
				r.t.Errorf("traceparent %s", tp.Value)
			}
		}
		if want := []string{"1 2m0s", "1 6m0s", "1 20m0s", "1 54m0s"}; !slices.Equal(ages, want) || len(ids) != 4 {
			r.t.Errorf("asked at %q with %d ids, want %q", ages, len(ids), want)
		}
		r.await("shop/1", "2 PENDING unresolved")
		if got := r.story("shop/2"); !slices.Equal(got, []string{"1 PENDING", "2 PAID"}) {
			r.t.Errorf("%q", got)
		}
	})
}

// After an outage, or a restart with an empty store, a process asks for a bounded number of orders in a second.
func TestSweepHasNoBurst(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.start("a")
		for i := range 200 {
			r.observe(created(fmt.Sprint(i)))
		}
		r.await("shop/199", "1 PENDING")
		a.stop()
		time.Sleep(time.Hour)
		delete(r.folders, "a")
		r.start("a")
		time.Sleep(5 * time.Minute)
		perSecond := map[int64]int{}
		for _, rec := range r.seen(sweepTopic) {
			perSecond[rec.Timestamp.Unix()]++
		}
		total := 0
		for s, n := range perSecond {
			if total += n; n > 2*10 { // a second of the clock may have parts of two ticks
				r.t.Errorf("%d queries in second %d", n, s)
			}
		}
		if total != 200 {
			r.t.Errorf("%d queries, want 200: the missed rounds once", total)
		}
	})
}

// Orders are forgotten: refused creates soon, others when refunds are over. Versions then begin anew.
func TestRetention(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start("a", func(o *status.Options) { o.Keep.Failed, o.Keep.Rest = time.Hour, 3*time.Hour })
		refused := created("1")
		refused.Outcome, refused.TradeNo = order.OutcomeRejected, ""
		r.observe(refused, created("2"), notified("2", "TRADE_FINISHED"))
		r.await("shop/1", "1 FAILED")
		time.Sleep(2 * time.Hour)
		r.await("shop/1", "tombstone")
		if got := r.story("shop/2"); got[len(got)-1] == "tombstone" {
			r.t.Errorf("%q", got)
		}
		time.Sleep(2 * time.Hour)
		r.await("shop/2", "tombstone")
		r.observe(created("1"))
		r.await("shop/1", "1 PENDING")
		if got := r.story("shop/1"); len(got) != 3 {
			r.t.Errorf("%q: a decision is merged once", got)
		}
	})
}

// A value of trade-status that cannot be read keeps no other order of its partition from being asked for or counted.
func TestUnreadableTradeStatus(t *testing.T) {
	inBubble(t, func(r *rig) {
		cl, err := kgo.NewClient(append(r.client(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		must(r.t, err)
		defer cl.Close()
		for n := range int32(partitions) {
			must(r.t, cl.ProduceSync(r.t.Context(), &kgo.Record{Topic: outTopic, Partition: n, Key: []byte("shop/0"), Value: []byte("no frame")}).FirstErr())
		}
		a := r.start("a")
		r.observe(created("1"), notified("2", "TRADE_SUCCESS"))
		time.Sleep(5 * time.Minute)
		if got := a.pipeline.Orders(0); got.Asked != 1 || got.Held != 1 || !got.Complete {
			r.t.Errorf("asked for %d orders, counted %d held, complete %v, want 1, 1, true", got.Asked, got.Held, got.Complete)
		}
		if n := strings.Count(r.log.String(), "cannot be read; the sweep"); n != partitions {
			r.t.Errorf("%d lines, want one for each:\n%s", n, r.log)
		}
	})
}

// The sweep logs that it cannot do its work once, not every second.
func TestSweepWithoutItsTopic(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.start("a", func(o *status.Options) { o.Topics.Sweep = "missing" })
		r.observe(created("1"))
		time.Sleep(5 * time.Minute)
		if n := strings.Count(r.log.String(), "the sweep cannot"); n != 1 || a.pipeline.Orders(0).Asked != 0 {
			r.t.Errorf("%d lines, want 1:\n%s", n, r.log)
		}
	})
}

// TestC4_OnlySealedObservations: with a key, an observation that a stranger wrote decides nothing.
func TestC4_OnlySealedObservations(t *testing.T) {
	inBubble(t, func(r *rig) {
		var err error
		r.keys, err = integrity.New(strings.Repeat("k", 32))
		must(r.t, err)
		r.start("a", func(o *status.Options) { o.Encoder = r.encoder.WithKeys(r.keys) })
		r.observe(created("1"), notified("1", "TRADE_SUCCESS")) // a stranger's
		r.encoder = r.encoder.WithKeys(r.keys)
		r.observe(created("1"))
		r.await("shop/1", "1 PENDING")
		time.Sleep(2 * time.Minute)
		if n := strings.Count(r.log.String(), "reason=not_sealed"); n != 2 || !strings.Contains(r.log.String(), "count=1 ") {
			r.t.Errorf("%d lines, want 2:\n%s", n, r.log)
		}
	})
}

// A store that cannot be opened now holds up trade status alone, and only until it can.
func TestStoreThatCannotBeOpenedYet(t *testing.T) {
	inBubble(t, func(r *rig) {
		began := time.Now()
		a := r.start("a", func(o *status.Options) {
			open := o.OpenStore
			o.OpenStore = func() (*store.Store, error) {
				if time.Since(began) < time.Minute {
					return nil, os.ErrPermission
				}
				return open()
			}
		})
		r.observe(created("1"))
		time.Sleep(30 * time.Second)
		if got := a.pipeline.Store(); !got.Failing || got.Open {
			r.t.Errorf("while it cannot be opened: %+v", got)
		}
		r.await("shop/1", "1 PENDING")
		if got := a.pipeline.Store(); got.Failing || !got.Open || got.Bytes == 0 || !got.Emptied.IsZero() {
			r.t.Errorf("then: %+v", got)
		}
		if time.Since(began) < time.Minute || !strings.Contains(r.log.String(), "permission denied") {
			r.t.Errorf("after %v:\n%s", time.Since(began), r.log)
		}
	})
}

// Orders that are held or unresolved are known, also those of an earlier life, until they are not any more.
func TestOrdersForAPerson(t *testing.T) {
	inBubble(t, func(r *rig) {
		other := func(no string) order.Observation {
			o := notified(no, "TRADE_SUCCESS")
			o.Total = yuan(99)
			return o
		}
		short := func(o *status.Options) { o.Schedule.Until = 10 * time.Minute }
		a := r.start("a", short)
		r.observe(created("1"), other("1"), created("2"), other("2"), created("3"), created("4"), notified("4", "TRADE_SUCCESS"))
		time.Sleep(5 * time.Minute)
		more := other("1") // news, and the order is held as before
		more.AlipayStatus = "TRADE_FINISHED"
		r.observe(more)
		time.Sleep(5 * time.Minute)
		r.await("shop/3", "2 PENDING unresolved")
		want := func(b *bridge, held, unresolved int, oldest ...string) {
			r.t.Helper()
			time.Sleep(10 * time.Second)
			got := b.pipeline.Orders(2)
			var names []string
			for _, s := range got.Oldest {
				names = append(names, string(s.OrderNo))
			}
			if got.Held != held || got.Unresolved != unresolved || !got.Complete || got.Partitions != partitions || !slices.Equal(names, oldest) {
				r.t.Errorf("%d held, %d unresolved, complete %v, %d partitions, %q", got.Held, got.Unresolved, got.Complete, got.Partitions, names)
			}
		}
		want(a, 2, 1, "1", "2")
		if got := a.pipeline.Orders(0).Asked; got != 2 {
			r.t.Errorf("asked %d times, want after 2 and 6 minutes", got)
		}
		oldest := func(b *bridge) string {
			since := b.pipeline.Orders(0).Since
			return fmt.Sprint(len(since), time.Since(since[status.Wait{Account: "shop", State: state.Held}]).Round(time.Minute), time.Since(since[status.Wait{Account: "shop", State: state.Pending}]).Round(time.Minute))
		}
		if got, want := oldest(a), "2 10m0s 0s"; got != want {
			r.t.Errorf("the oldest held and unresolved wait for %s, want %s", got, want)
		}
		a.stop()
		a = r.start("a", short)
		want(a, 2, 1, "2", "1") // the store knows the last change only
		accepted := created("1")
		accepted.Kind, accepted.CauseID, accepted.Outcome, accepted.CreateEventID = order.Accepted, "a person", "", ""
		r.observe(accepted, notified("3", "TRADE_SUCCESS"))
		r.await("shop/1", "4 FINISHED amount_mismatch")
		want(a, 1, 0, "2")
	})
}

// A flood of held orders is counted up to a limit, and the count says that there are more. Once it is over, the others are
// found.
func TestOrdersForAPersonAreBounded(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.start("a")
		for i := range 4000 {
			o := notified(fmt.Sprint(i), "TRADE_SUCCESS") // not created here
			rec, err := r.encoder.Observation(r.t.Context(), o)
			must(r.t, err)
			r.sender.Produce(r.t.Context(), rec, nil)
		}
		must(r.t, r.sender.Flush(r.t.Context()))
		time.Sleep(2 * time.Minute)
		if got := a.pipeline.Orders(5); got.Held != 1000*partitions || got.Complete || len(got.Oldest) != 5 {
			r.t.Errorf("%d held, complete %v, %d named", got.Held, got.Complete, len(got.Oldest))
		}
		for i := range 3900 { // the creates of nearly all were only slow
			rec, err := r.encoder.Observation(r.t.Context(), created(fmt.Sprint(i)))
			must(r.t, err)
			r.sender.Produce(r.t.Context(), rec, nil)
		}
		must(r.t, r.sender.Flush(r.t.Context()))
		time.Sleep(2 * time.Minute)
		if got := a.pipeline.Orders(5); got.Held != 100 || !got.Complete {
			r.t.Errorf("then: %d held, complete %v", got.Held, got.Complete)
		}
	})
}
