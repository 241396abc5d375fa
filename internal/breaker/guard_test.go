package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// server answers as its function says and counts.
type server struct {
	mu      sync.Mutex
	calls   int
	current int
	most    int
	latency time.Duration
	answer  func(call int) error
}

func (s *server) Seal(context.Context, alipay.Request) alipay.Send {
	return func(ctx context.Context) func() (alipay.Reply, error) {
		rep, err := s.send(ctx)
		return func() (alipay.Reply, error) { return rep, err }
	}
}

func (s *server) send(ctx context.Context) (alipay.Reply, error) {
	s.mu.Lock()
	s.calls++
	n := s.calls
	s.current++
	s.most = max(s.most, s.current)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.current--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		return alipay.Reply{}, fail(alipay.Ambiguous)
	}
	if s.answer == nil {
		return alipay.Reply{}, nil
	}
	return alipay.Reply{}, s.answer(n)
}

// downFor answers nothing of use for so long.
func downFor(d time.Duration) *server {
	up := time.Now().Add(d)
	return &server{answer: func(int) error {
		if time.Now().Before(up) {
			return fail(alipay.Transient)
		}
		return nil
	}}
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func fail(c alipay.Class) error { return &alipay.Error{Class: c} }

var (
	query  = &alipay.TradeQuery{OutTradeNo: "o1"}
	create = &alipay.TradeCreate{OutTradeNo: "o1"}
)

func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

func TestRetriesByClass(t *testing.T) {
	for _, tt := range []struct {
		name  string
		class alipay.Class
		req   alipay.Request
		calls int
	}{
		{"a refusal is final", alipay.Rejected, query, 1},
		{"an acceptance is final", alipay.Accepted, create, 1},
		{"trouble with keys is for a person", alipay.Misconfigured, query, 1},
		{"transient: until the budget is spent", alipay.Transient, create, 5},
		{"throttled: until the budget is spent", alipay.Throttled, create, 5},
		{"ambiguous and repeatable: again", alipay.Ambiguous, query, 5},
		{"untrusted and repeatable: again", alipay.Untrusted, query, 5},
		{"ambiguous create: the caller has to ask first", alipay.Ambiguous, create, 1},
		{"untrusted create: the caller has to ask first", alipay.Untrusted, create, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{answer: func(int) error { return fail(tt.class) }}
				g := breaker.New(breaker.Options{MaxTrying: time.Millisecond, MinAttempts: 5})
				rep, err := g.Call(s).Do(t.Context(), tt.req)
				if alipay.ClassOf(err) != tt.class || s.calls != tt.calls || rep.Attempts != tt.calls {
					t.Errorf("%v after %d calls, reply says %d; want %d", err, s.calls, rep.Attempts, tt.calls)
				}
			})
		})
	}
}

// Both must be spent: the number of attempts and the time.
func TestBudgetNeedsAttemptsAndTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{answer: func(int) error { return fail(alipay.Transient) }}
		g := breaker.New(breaker.Options{MaxTrying: 10 * time.Minute, MinAttempts: 3, Consecutive: 1 << 30, MinRequests: 1 << 30})
		start := time.Now()
		_, err := g.Call(s).Do(t.Context(), query)
		if d := time.Since(start); d < 10*time.Minute || d > 11*time.Minute || err == nil {
			t.Errorf("gave up after %v with %v", d, err)
		}
	})
}

// One budget for all requests of an event.
func TestBudgetIsShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
		c := breaker.New(breaker.Options{MaxTrying: time.Second, MinAttempts: 3}).Call(s)
		for range 3 {
			if c.Exhausted() {
				t.Fatal("exhausted early")
			}
			_, _ = c.Do(t.Context(), create)
			time.Sleep(time.Second)
		}
		if !c.Exhausted() {
			t.Error("not exhausted after three requests")
		}
	})
}

// Waiting at an open breaker is not trying: after any outage the event is still called.
func TestOutageSpendsNoBudget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := downFor(2 * time.Hour)
		g := breaker.New(breaker.Options{MinAttempts: 15, MaxTrying: 15 * time.Minute})
		var wg sync.WaitGroup
		var failed atomic.Int32
		for range 300 {
			wg.Go(func() {
				if _, err := g.Call(s).Do(t.Context(), query); err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		if failed.Load() > 0 {
			t.Errorf("%d of 300 events given up in an outage", failed.Load())
		}
		// Ten to trip, those under way, then three probes each ten seconds at the most.
		if n, most := s.count()-300, 10+256+3*2*360+300; n > most {
			t.Errorf("%d calls into the outage, want at most %d", n, most)
		}
	})
}

// Orders so few that they have made their attempts before the breaker opens go on as long as it
// is open: a pause after a probe is not part of the budget either.
func TestOutageOfFewOrdersSpendsNoBudget(t *testing.T) {
	for _, orders := range []int{1, 2, 3, 20} {
		bubble(t, func(t *testing.T) {
			s := downFor(2 * time.Hour)
			g := breaker.New(breaker.Options{})
			var wg sync.WaitGroup
			for i := range orders {
				wg.Go(func() {
					q := &alipay.TradeQuery{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("o", i))}
					if _, err := g.Call(s).Do(t.Context(), q); err != nil {
						t.Errorf("one of %d orders given up", orders)
					}
				})
			}
			wg.Wait()
		})
	}
}

// Half open admits only its probes; then the number at a time ramps up.
func TestHalfOpenAndRamp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		s := &server{latency: 100 * time.Millisecond, answer: func(int) error {
			if down.Load() {
				return fail(alipay.Transient)
			}
			return nil
		}}
		g := breaker.New(breaker.Options{InFlight: 100})
		for range 500 {
			go func() { _, _ = g.Call(s).Do(t.Context(), query) }()
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if st := g.Stats(); st.Breakers[query.Method()] != "open" {
			t.Fatalf("breaker is %s", st.Breakers[query.Method()])
		}
		down.Store(false)
		before := s.count()
		s.mu.Lock()
		s.most = 0
		s.mu.Unlock()
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		s.mu.Lock()
		most := s.most
		s.mu.Unlock()
		if n := s.count() - before; most > 20 || n == 0 {
			t.Errorf("%d calls, %d at a time just after the outage", n, most)
		}
		time.Sleep(2 * time.Minute)
	})
}

// Slots bound attempts, are never held across a wait, and one method's outage leaves the
// others theirs.
func TestSlotsAreNotHeldAcrossWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{latency: 50 * time.Millisecond, answer: func(int) error { return nil }}
		dead := &server{answer: func(int) error { return fail(alipay.Transient) }}
		g := breaker.New(breaker.Options{InFlight: 8})
		ctx, cancel := context.WithCancel(t.Context())
		for range 100 {
			go func() { _, _ = g.Call(dead).Do(ctx, query) }()
		}
		time.Sleep(5 * time.Second)
		start := time.Now()
		var wg sync.WaitGroup
		for range 80 {
			wg.Go(func() { _, _ = g.Call(s).Do(ctx, create) })
		}
		wg.Wait()
		if d := time.Since(start); d > 600*time.Millisecond || s.most != 8 {
			t.Errorf("80 calls of 50 ms took %v, %d at a time; want half a second with 8", d, s.most)
		}
		cancel()
		time.Sleep(time.Minute)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for ask, want := range map[time.Duration]time.Duration{time.Minute * 3: time.Minute * 3, time.Hour: 10 * time.Minute} {
		t.Run(ask.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var at []time.Time
				s := &server{answer: func(n int) error {
					at = append(at, time.Now())
					if n == 1 {
						return &alipay.Error{Class: alipay.Throttled, RetryAfter: ask}
					}
					return nil
				}}
				if _, err := breaker.New(breaker.Options{}).Call(s).Do(t.Context(), query); err != nil {
					t.Fatal(err)
				}
				if d := at[1].Sub(at[0]); d < want || d > want+time.Minute {
					t.Errorf("asked for %v, waited %v, want %v", ask, d, want)
				}
			})
		})
	}
}

func TestRateLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		g := breaker.New(breaker.Options{Rate: 100})
		start := time.Now()
		var wg sync.WaitGroup
		for range 201 {
			wg.Go(func() { _, _ = g.Call(s).Do(t.Context(), query) })
		}
		wg.Wait()
		if d := time.Since(start); d < 2*time.Second || d > 2100*time.Millisecond {
			t.Errorf("201 calls at 100/s took %v", d)
		}
	})
}

// An end of the context stops waits at once, and never an attempt under way.
func TestEndOfContext(t *testing.T) {
	cause := errors.New("revoked")
	t.Run("in an attempt", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			s := &server{latency: 2 * time.Second}
			time.AfterFunc(time.Second, func() { cancel(cause) })
			if rep, err := breaker.New(breaker.Options{}).Call(s).Do(ctx, create); err != nil || rep.Attempts != 1 {
				t.Errorf("%+v, %v: the outcome of an attempt was thrown away", rep, err)
			}
		})
	})
	t.Run("in a pause", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			s := &server{answer: func(int) error { return &alipay.Error{Class: alipay.Throttled, RetryAfter: time.Hour} }}
			time.AfterFunc(time.Second, func() { cancel(cause) })
			start := time.Now()
			if _, err := breaker.New(breaker.Options{}).Call(s).Do(ctx, create); !errors.Is(err, cause) || time.Since(start) > 2*time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	})
	t.Run("before a slot", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := &server{latency: 10 * time.Second}
			g := breaker.New(breaker.Options{InFlight: 1})
			go func() { _, _ = g.Call(s).Do(t.Context(), create) }()
			synctest.Wait()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(cause) })
			if _, err := g.Call(s).Do(ctx, create); !errors.Is(err, cause) || s.count() != 1 {
				t.Errorf("%v after %d calls", err, s.count())
			}
			time.Sleep(time.Minute)
		})
	})
	t.Run("before an open breaker", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := &server{answer: func(int) error { return fail(alipay.Transient) }}
			g := breaker.New(breaker.Options{Consecutive: 1, Open: time.Hour})
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { cancel(cause) })
			if _, err := g.Call(s).Do(ctx, query); !errors.Is(err, cause) || s.calls != 1 {
				t.Errorf("%v after %d calls", err, s.calls)
			}
		})
	})
}

// Every attempt has a deadline of its own, even if the client ignores it.
func TestAttemptDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{latency: time.Hour}
		start := time.Now()
		_, err := breaker.New(breaker.Options{AttemptTimeout: 15 * time.Second}).Call(s).Do(t.Context(), create)
		if d := time.Since(start); d != 15*time.Second || alipay.ClassOf(err) != alipay.Ambiguous {
			t.Errorf("%v after %v", err, d)
		}
	})
}

// An outcome that says nothing about Alipay's health neither opens a breaker nor is a success.
func TestUntrustedAndMisconfiguredAreNeutral(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{answer: func(int) error { return fail(alipay.Misconfigured) }}
		g := breaker.New(breaker.Options{})
		for range 100 {
			_, _ = g.Call(s).Do(t.Context(), query)
		}
		if st := g.Stats(); st.Breakers[query.Method()] != "closed" {
			t.Errorf("breaker is %s", st.Breakers[query.Method()])
		}
	})
}

type panicking struct{}

func (panicking) Seal(context.Context, alipay.Request) alipay.Send {
	return func(context.Context) func() (alipay.Reply, error) { panic("bug") }
}

// A panic gives slot and breaker pass back.
func TestPanicGivesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := breaker.New(breaker.Options{InFlight: 1})
		func() {
			defer func() { _ = recover() }()
			_, _ = g.Call(panicking{}).Do(t.Context(), query)
		}()
		s := &server{}
		if _, err := g.Call(s).Do(t.Context(), query); err != nil || s.calls != 1 {
			t.Errorf("%v, %d calls after a panic", err, s.calls)
		}
	})
}
