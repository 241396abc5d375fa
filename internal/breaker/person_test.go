package breaker_test

import (
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// Time in which a person had to act is no trying, however long it was and in how many attempts.
func TestWaitingForAPersonIsNoTrying(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fixed := time.Now().Add(5 * time.Hour)
		throttled := 0
		s := &server{latency: time.Millisecond, answer: func(int) error {
			if time.Now().Before(fixed) {
				return fail(alipay.Misconfigured)
			}
			if throttled++; throttled <= 8 {
				return fail(alipay.Throttled)
			}
			return nil
		}}
		c := breaker.New(breaker.Options{}).Call(s)
		for time.Now().Before(fixed) {
			if _, err := c.Do(t.Context(), create); alipay.ClassOf(err) != alipay.Misconfigured {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // as a lane does
		}
		if c.Exhausted() {
			t.Error("exhausted before the first try of its own")
		}
		if rep, err := c.Do(t.Context(), create); err != nil || rep.Attempts != 309 {
			t.Errorf("%v after %d attempts, want success after 309: 300 while a person had to act", err, rep.Attempts)
		}
	})
}

// An event whose outcomes alternate between work for a person and an unknown outcome ends.
func TestAlternatingOutcomesEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{latency: time.Millisecond, answer: func(n int) error {
			if n%2 == 1 {
				return fail(alipay.Misconfigured)
			}
			return fail(alipay.Ambiguous)
		}}
		c := breaker.New(breaker.Options{Consecutive: 1 << 30, MinRequests: 1 << 30}).Call(s)
		start := time.Now()
		for !c.Exhausted() {
			if _, err := c.Do(t.Context(), create); alipay.ClassOf(err) == alipay.Misconfigured {
				time.Sleep(time.Minute)
			}
			if time.Since(start) > time.Hour {
				t.Fatal("not exhausted after an hour")
			}
		}
		if d := time.Since(start); d < 15*time.Minute {
			t.Errorf("exhausted after %v", d)
		}
	})
}
