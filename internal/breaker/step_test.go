package breaker_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// steps adds up how long calls were at each step.
type steps struct {
	mu   sync.Mutex
	took map[breaker.Step]time.Duration
}

func (s *steps) left(_ context.Context, m alipay.Method, step breaker.Step, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.took == nil {
		s.took = map[breaker.Step]time.Duration{}
	}
	if m != alipay.MethodTradeQuery {
		panic("a step of another method: " + m)
	}
	s.took[step] += took
}

// A call shows what it waits for, at each step of its way.
func TestLook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var all steps
		s := &server{latency: 2 * time.Second, answer: func(n int) error {
			if n <= 2 {
				return &alipay.Error{Class: alipay.Throttled, RetryAfter: 5 * time.Second}
			}
			return nil
		}}
		g := breaker.New(breaker.Options{InFlight: 1, Rate: 0.1, Burst: 1, ThrottledBackOff: time.Millisecond, ThrottledMax: time.Millisecond, OnStep: all.left})
		began := time.Now()
		call := g.Call(s)
		if l := call.Look(); l != (breaker.Look{}) {
			t.Errorf("before it began: %+v", l)
		}
		go func() { _, _ = call.Do(t.Context(), query) }()
		check := func(after time.Duration, want breaker.Step, attempts int) breaker.Look {
			t.Helper()
			time.Sleep(time.Until(began.Add(after)))
			synctest.Wait()
			l := call.Look()
			if l.Step != want || l.Attempts != attempts || l.Method != alipay.MethodTradeQuery {
				t.Errorf("after %s: %s of %s with %d attempts, want %s with %d", after, l.Step, l.Method, l.Attempts, want, attempts)
			}
			return l
		}
		check(time.Second, breaker.StepExchange, 0)
		// The exchange ends after 2 s, the pause after 7 s, and the rate permits the next one after 10 s.
		l := check(3*time.Second, breaker.StepBackOff, 1)
		if l.Next != began.Add(7*time.Second) || l.First != began || alipay.ClassOf(l.Last) != alipay.Throttled || l.Since != began.Add(2*time.Second) {
			t.Errorf("in the pause: %+v", l)
		}
		if l := check(8*time.Second, breaker.StepRate, 1); !l.Next.IsZero() {
			t.Errorf("the pause is over, and the next try is said to be at %s", l.Next)
		}
		other := g.Call(s)
		go func() { _, _ = other.Do(t.Context(), query) }()
		check(11*time.Second, breaker.StepExchange, 1)
		check(time.Minute, breaker.StepNone, 3)
		if l := call.Look(); l.Last != nil {
			t.Errorf("after a success the last error is %v", l.Last)
		}
		if took := all.took[breaker.StepExchange]; took < 6*time.Second {
			t.Errorf("exchanges took %s; all: %v", took, maps.Collect(maps.All(all.took)))
		}
	})
}

// What waits for an open breaker says so, and what waits for a slot, too.
func TestLookAtGates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{latency: time.Second, answer: func(int) error { return fail(alipay.Transient) }}
		g := breaker.New(breaker.Options{InFlight: 1, Consecutive: 1, Open: time.Minute})
		first, second := g.Call(s), g.Call(s)
		go func() { _, _ = first.Do(t.Context(), query) }()
		synctest.Wait()
		go func() { _, _ = second.Do(t.Context(), query) }()
		synctest.Wait()
		if l := second.Look(); l.Step != breaker.StepSlot {
			t.Errorf("while another call has the only slot: %s", l.Step)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if l := first.Look(); l.Step != breaker.StepBreaker || l.Attempts != 1 {
			t.Errorf("at the open breaker: %s after %d attempts", l.Step, l.Attempts)
		}
	})
}
