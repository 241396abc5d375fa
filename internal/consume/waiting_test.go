package consume_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
)

// refused is the error of a handling that knows why there is no outcome.
type refused struct{ attempts int }

func (refused) Error() string { return "permission missing" }
func (r refused) WaitFacts() consume.WaitFacts {
	return consume.WaitFacts{Attempts: r.attempts, Class: "MISCONFIGURED", Code: "isv.insufficient-permissions"}
}

// What an operator asks for of a record that waits: since when, how many attempts, the last
// class and code, and when it is tried again.
func TestWaitingRecords(t *testing.T) {
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
				return consume.Outcome{}, fmt.Errorf("create: %w", refused{int(tries.Add(1))})
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

		got := e.Waiting(100)
		want := []consume.WaitingRecord{
			{Topic: "in", Partition: 3, Key: "held", State: consume.WaitHeld, WaitFacts: consume.WaitFacts{Attempts: int(tries.Load()), Class: "MISCONFIGURED", Code: "isv.insufficient-permissions"}, Behind: 2},
			{Topic: "in", Partition: 2, Key: "slow", State: consume.WaitRunning},
			{Topic: "in", Partition: 2, Offset: 1, Key: "slow2", State: consume.WaitRunning},
			{Topic: "in", Partition: 1, Key: "queued", State: consume.WaitQueued},
			{Topic: "in", Partition: 0, Key: "unreadable", State: consume.WaitReading},
		}
		if len(got) != len(want) {
			t.Fatalf("%d records wait, want %d: %+v", len(got), len(want), got)
		}
		for i, w := range want {
			g := got[i]
			if g.Since.Before(began) || g.Since.After(time.Now()) || i > 0 && !g.Since.After(got[i-1].Since) {
				t.Errorf("%s: since %v", w.Key, g.Since)
			}
			if held, later := w.State == consume.WaitHeld, g.Next.After(time.Now()); held != later || held == g.Next.IsZero() {
				t.Errorf("%s: next try at %v", w.Key, g.Next)
			}
			g.Since, g.Next = time.Time{}, time.Time{}
			if g != w {
				t.Errorf("got %+v\nwant %+v", g, w)
			}
		}
		for _, limit := range []int{-1, 0, 1, 2, 4} {
			first := e.Waiting(limit)
			if len(first) != max(limit, 0) {
				t.Fatalf("limit %d: %d records", limit, len(first))
			}
			for i := range first {
				if first[i].Key != want[i].Key {
					t.Errorf("limit %d: %s is at %d, want %s", limit, first[i].Key, i, want[i].Key)
				}
			}
		}
		e.wire.cut()
	})
}

// Waiting may be called before, during and after Run.
func TestWaitingAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.send(400, 40)
		e := r.start(setup{options: earliest, latency: fixed(20 * time.Millisecond)})
		most := 0
		for range 50 {
			most = max(most, len(e.Waiting(7)))
			time.Sleep(10 * time.Millisecond)
		}
		r.wantEachOnce(400, 40)
		if got := e.Waiting(7); len(got) != 0 || most != 7 {
			t.Errorf("at most %d waited, %d at the end", most, len(got))
		}
		_ = e.stop()
		if got := e.Waiting(7); len(got) != 0 {
			t.Errorf("%d wait after the end", len(got))
		}
	})
}
