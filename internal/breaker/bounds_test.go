package breaker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// mixed makes calls one after another, of which the given ones fail, and returns the breaker's state.
func mixed(t *testing.T, g *breaker.Guard, calls int, fails func(i int) bool) string {
	t.Helper()
	good, bad := &server{}, &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
	for i := range calls {
		s := good
		if fails(i) {
			s = bad
		}
		_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint(i))})
	}
	return g.Stats().Breakers[alipay.MethodTradeCreate]
}

// The share of failures opens a breaker from exactly so many calls and exactly such a share on.
func TestRatioOfFailures(t *testing.T) {
	for _, tt := range []struct {
		calls, failures int
		want            string
	}{{20, 10, "open"}, {20, 9, "closed"}, {19, 19, "closed"}, {20, 20, "open"}, {100, 49, "closed"}} {
		t.Run(fmt.Sprint(tt.failures, " of ", tt.calls), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := breaker.New(breaker.Options{Consecutive: 1 << 30})
				got := mixed(t, g, tt.calls, func(i int) bool { return i >= tt.calls-tt.failures })
				if got != tt.want {
					t.Errorf("breaker is %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// The window slides: failures close together count together, and those of longer ago do not.
func TestWindowSlides(t *testing.T) {
	for _, tt := range []struct {
		first, pause time.Duration
		want         string
	}{{0, 15 * time.Second, "closed"}, {8 * time.Second, 4 * time.Second, "open"}} {
		t.Run(fmt.Sprint(tt.first, tt.pause), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := breaker.New(breaker.Options{Consecutive: 1 << 30})
				all := func(int) bool { return true }
				mixed(t, g, 1, func(int) bool { return false }) // the breaker begins here
				time.Sleep(tt.first)
				mixed(t, g, 12, all)
				time.Sleep(tt.pause)
				if got := mixed(t, g, 12, all); got != tt.want {
					t.Errorf("12 failures and 12 more after %s: breaker is %s, want %s", tt.pause, got, tt.want)
				}
			})
		})
	}
}

// outage makes failures until the breaker is open, and returns when a probe may begin.
func outage(t *testing.T, g *breaker.Guard) {
	t.Helper()
	bad := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
	for i := range 10 {
		_, _ = g.Call(bad).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("bad", i))})
	}
	if got := g.Stats().Breakers[alipay.MethodTradeCreate]; got != "open" {
		t.Fatalf("breaker is %s", got)
	}
}

// The ramp begins when the breaker closes, however long its probes took, and grows evenly.
func TestRampGrowsFromTheClosing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{latency: 8 * time.Second}
		g := breaker.New(breaker.Options{InFlight: 100})
		outage(t, g)
		for i := range 3 {
			go func() {
				_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("probe", i))})
			}()
		}
		for g.Stats().Breakers[alipay.MethodTradeCreate] != "closed" {
			time.Sleep(time.Millisecond)
		}
		quick := &server{latency: 100 * time.Millisecond}
		for i := range 3000 {
			go func() {
				_, _ = g.Call(quick).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("n", i))})
			}()
		}
		most := func(d time.Duration) int {
			quick.mu.Lock()
			quick.most = 0
			quick.mu.Unlock()
			time.Sleep(d)
			synctest.Wait()
			quick.mu.Lock()
			defer quick.mu.Unlock()
			return quick.most
		}
		if n := most(time.Second); n > 10 {
			t.Errorf("%d at a time in the first second, want at most 10", n)
		}
		n := 0
		for range 3 { // one waiter at a time asks, 20 times a second
			n = most(time.Second)
		}
		if n < 4 || n > 40 {
			t.Errorf("%d at a time after four seconds, want some of the 40", n)
		}
		time.Sleep(5 * time.Minute)
		if c := quick.count(); c != 3000 {
			t.Errorf("%d of 3000 calls came through", c)
		}
	})
}

// afterOutage returns a guard of four slots whose ramp permits three for ten seconds.
func afterOutage(t *testing.T) *breaker.Guard {
	t.Helper()
	g := breaker.New(breaker.Options{InFlight: 4, AttemptTimeout: time.Minute})
	outage(t, g)
	for range 3 {
		_, _ = g.Call(&post{}).Do(t.Context(), create)
	}
	return g
}

// While the ramp permits three, a fourth neither passes nor signs; and of four that sign at one moment, three pass.
func TestFullRamp(t *testing.T) {
	for name, sealing := range map[string]time.Duration{"one after another": 0, "at one moment": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := afterOutage(t)
				p := &post{sealing: sealing, away: 5 * time.Second}
				for range 4 {
					go func() { _, _ = g.Call(p).Do(t.Context(), create) }()
					if sealing == 0 {
						synctest.Wait()
					}
				}
				time.Sleep(4 * time.Second)
				synctest.Wait()
				if n := p.seals.Load(); p.sends.Load() != 3 || sealing == 0 && n != 3 {
					t.Errorf("%d sealed, %d sent, want 3 and 3", n, p.sends.Load())
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// The budget ends exactly when its time has passed.
func TestBudgetEndsOnTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
		c := breaker.New(breaker.Options{MaxTrying: time.Minute, MinAttempts: 1}).Call(s)
		_, _ = c.Do(t.Context(), create)
		time.Sleep(time.Minute - 1)
		if c.Exhausted() {
			t.Error("exhausted a nanosecond early")
		}
		time.Sleep(time.Nanosecond)
		if !c.Exhausted() {
			t.Error("not exhausted after exactly its time")
		}
	})
}

// The wait before the first exchange is not time of the budget, which begins with that exchange.
func TestWaitBeforeTheFirstExchangeIsNoBudget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := breaker.New(breaker.Options{InFlight: 1, MaxTrying: 10 * time.Second, MinAttempts: 1, AttemptTimeout: time.Hour})
		long := &post{away: 20 * time.Second}
		go func() { _, _ = g.Call(long).Do(context.Background(), query) }()
		synctest.Wait()
		s := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
		c := g.Call(s)
		_, _ = c.Do(t.Context(), create) // waits 20 s for the slot
		time.Sleep(10 * time.Second)
		if !c.Exhausted() {
			t.Error("not exhausted 10 s after its first exchange")
		}
	})
}

// pauses returns how long a call paused after each of its attempts.
func pauses(t *testing.T, class alipay.Class, o breaker.Options) []time.Duration {
	t.Helper()
	o.Consecutive, o.MinRequests = 1<<30, 1<<30
	var at []time.Time
	s := &server{answer: func(int) error { at = append(at, time.Now()); return fail(class) }}
	_, _ = breaker.New(o).Call(s).Do(t.Context(), query)
	var list []time.Duration
	for i := range len(at) - 1 {
		list = append(list, at[i+1].Sub(at[i]))
	}
	return list
}

// Pauses grow to their limit and stay there, for throttling and for the rest.
func TestPausesHaveALimit(t *testing.T) {
	for _, tt := range []struct {
		name  string
		class alipay.Class
		o     breaker.Options
		limit time.Duration
	}{
		{"transient by default", alipay.Transient, breaker.Options{}, 30 * time.Second},
		{"throttled by default", alipay.Throttled, breaker.Options{}, time.Minute},
		{"transient as set", alipay.Transient, breaker.Options{BackOffMax: 4 * time.Second}, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tt.o.MaxTrying, tt.o.MinAttempts = 6*time.Hour, 1
				list := pauses(t, tt.class, tt.o)
				longest := time.Duration(0)
				for _, d := range list {
					longest = max(longest, d)
				}
				// Hundreds of even draws: the longest is near the limit.
				if longest > tt.limit || longest < tt.limit*8/10 {
					t.Errorf("the longest of %d pauses took %v, the limit is %v", len(list), longest, tt.limit)
				}
			})
		})
	}
}

// Trouble of another kind does not begin the back-off of an event anew.
func TestBackOffSurvivesAnotherTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var at []time.Time
		s := &server{answer: func(n int) error {
			at = append(at, time.Now())
			if n%2 == 0 {
				return fail(alipay.Throttled)
			}
			return fail(alipay.Transient)
		}}
		o := breaker.Options{MaxTrying: 3 * time.Hour, MinAttempts: 1, Consecutive: 1 << 30, MinRequests: 1 << 30}
		_, _ = breaker.New(o).Call(s).Do(t.Context(), query)
		if n := len(at); n > 1000 { // some 500: 15 s and 30 s in turn, on average
			t.Errorf("%d attempts in three hours: the pauses do not grow", n)
		}
	})
}
