package consume_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/consume/look"
)

// What an operator asks for of a record that waits: since when, how many attempts, the last
// class and code, and when it is tried again.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var tries atomic.Int32
		began := time.Now()
		o := earliest
		o.Started = map[string]int{"app": 2}
		s := setup{options: o, latency: func(key, _ string) time.Duration {
			if key == "slow" || key == "slow2" {
				return time.Hour
			}
			return 0
		}, handle: func(in consume.Input) (consume.Outcome, error) {
			if string(in.Key) == "held" {
				return consume.Outcome{}, fmt.Errorf("permission missing after %d tries", tries.Add(1))
			}
			return consume.Outcome{Records: []*kgo.Record{result(in)}}, nil
		}}
		s.wrapPrepare = func(inner consume.PrepareFunc) consume.PrepareFunc {
			return func(ctx context.Context, in consume.Input) (consume.Task, error) {
				if string(in.Key) == "unreadable" {
					return consume.Task{}, errors.New("registry is down")
				}
				task, err := inner(ctx, in)
				if string(in.Key) == "held" {
					task.Pool = consume.Pool{App: "other"} // the first one is full soon
					task.Facts = func() look.Facts {
						return look.Facts{Account: "shop", OrderNo: "held", Cause: look.Person, Attempts: int(tries.Load()), Class: "MISCONFIGURED", Code: "isv.insufficient-permissions"}
					}
				}
				return task, err
			}
		}
		e := r.start(s)
		r.put(3, "held", "0")
		r.put(3, "held", "1")
		r.put(3, "held", "2")
		r.eventually("tried three times", func() bool { return tries.Load() == 3 })
		time.Sleep(time.Second)
		r.put(2, "slow", "0")
		time.Sleep(time.Second)
		r.put(2, "slow2", "0")
		time.Sleep(time.Second)
		r.put(1, "queued", "0")
		time.Sleep(time.Second)
		r.put(0, "unreadable", "0")
		time.Sleep(time.Second)

		all := e.Look(100)
		got := all.Records
		want := []look.Record{
			{Topic: "in", Partition: 3, Facts: look.Facts{Account: "shop", OrderNo: "held", Cause: look.Person, Attempts: int(tries.Load()), Class: "MISCONFIGURED", Code: "isv.insufficient-permissions"}, Behind: 2},
			{Topic: "in", Partition: 2, Facts: look.Facts{Cause: look.Calling}},
			{Topic: "in", Partition: 2, Offset: 1, Facts: look.Facts{Cause: look.Calling}},
			{Topic: "in", Partition: 1, Facts: look.Facts{Cause: look.Ready}},
			{Topic: "in", Partition: 0, Facts: look.Facts{Cause: look.Unread}},
		}
		wantLag := map[look.Cause]int64{look.Person: 1, look.OwnOrder: 2, look.Calling: 2, look.Ready: 1, look.Unread: 1}
		if len(all.Topics) != 1 || !maps.Equal(nonZero(all.Topics[0].Lag), wantLag) {
			t.Errorf("lag %v, want %v", all.Topics, wantLag)
		}
		if p := all.Partitions[3]; p.Topic != "in" || p.Partition != 3 || p.State != "open" || p.Head != 0 || !p.HeadSince.Equal(got[0].Since) || p.Waiting != 3 {
			t.Errorf("partition 3: %+v", p)
		}
		if o := all.Oldest[0]; o != (look.Oldest{Account: "shop", Cause: look.Person, Since: got[0].Since}) {
			t.Errorf("the oldest: %+v", o)
		}
		if len(got) != len(want) {
			t.Fatalf("%d records wait, want %d: %+v", len(got), len(want), got)
		}
		for i, w := range want {
			g := got[i]
			if g.Since.Before(began) || g.Since.After(time.Now()) || i > 0 && !g.Since.After(got[i-1].Since) {
				t.Errorf("%d: since %v", i, g.Since)
			}
			if held, later := w.Cause == look.Person, g.Next.After(time.Now()); held != later || held == g.Next.IsZero() {
				t.Errorf("%d: next try at %v", i, g.Next)
			}
			g.Since, g.Next = time.Time{}, time.Time{}
			if g != w {
				t.Errorf("got %+v\nwant %+v", g, w)
			}
		}
		for _, limit := range []int{-1, 0, 1, 2, 4} {
			first := e.Look(limit).Records
			if len(first) != max(limit, 0) {
				t.Fatalf("limit %d: %d records", limit, len(first))
			}
			for i := range first {
				if first[i].Partition != want[i].Partition || first[i].Offset != want[i].Offset {
					t.Errorf("limit %d: %+v is at %d", limit, first[i], i)
				}
			}
		}
		e.wire.cut()
	})
}

// Look may be called before, during and after Run.
func TestLookAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(400, 40)
		e := r.start(setup{options: earliest, latency: fixed(20 * time.Millisecond)})
		most := 0
		for range 50 {
			most = max(most, len(e.Look(7).Records))
			time.Sleep(10 * time.Millisecond)
		}
		r.wantEachOnce(400, 40)
		if got := e.Look(7).Records; len(got) != 0 || most != 7 {
			t.Errorf("at most %d waited, %d at the end", most, len(got))
		}
		_ = e.stop()
		if got := e.Look(7).Records; len(got) != 0 {
			t.Errorf("%d wait after the end", len(got))
		}
	})
}

func nonZero(lag map[look.Cause]int64) map[look.Cause]int64 {
	out := maps.Clone(lag)
	maps.DeleteFunc(out, func(_ look.Cause, n int64) bool { return n == 0 })
	return out
}
