package breaker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// trustLog collects the calls of OnTrust.
type trustLog struct {
	mu   sync.Mutex
	seen []bool
}

func (l *trustLog) add(trusted bool, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, trusted)
	if !trusted && why == nil {
		panic("a loss has a reason")
	}
}

func (l *trustLog) is(want ...bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.seen) == fmt.Sprint(want)
}

// orderQuery asks for one of many orders.
func orderQuery(i int) *alipay.TradeQuery {
	return &alipay.TradeQuery{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("o", i))}
}

// After answers of three different orders that are not provably Alipay's the app waits, and one attempt at a time probes. No
// order is given up meanwhile, however long it lasts; when an answer can be believed, all go on.
func TestUntrustedAnswersStopTheApp(t *testing.T) {
	for _, orders := range []int{3, 4, 300} {
		t.Run(fmt.Sprint(orders, " orders"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				right := time.Now().Add(3 * time.Hour)
				s := &server{latency: 20 * time.Millisecond, answer: func(int) error {
					if time.Now().Before(right) {
						return fail(alipay.Untrusted)
					}
					return nil
				}}
				log := &trustLog{}
				g := breaker.New(breaker.Options{OnTrust: log.add})
				var wg sync.WaitGroup
				for i := range orders {
					wg.Go(func() {
						if _, err := g.Call(s).Do(t.Context(), orderQuery(i)); err != nil {
							t.Errorf("order %d was given up: %v", i, err)
						}
					})
				}
				time.Sleep(time.Minute)
				if !log.is(false) || !g.Stats().Untrusted {
					t.Errorf("changes after a minute: %v, stats %+v", log.seen, g.Stats())
				}
				wg.Wait()
				if took := time.Since(right); !log.is(false, true) || took > time.Minute || g.Stats().Untrusted {
					t.Errorf("changes %v; all were through %v after the answers were right", log.seen, took)
				}
				if n, most := s.count(), 300+orders+3*3600/10+10; n > most {
					t.Errorf("%d calls, want at most %d: a probe each ten seconds", n, most)
				}
			})
		})
	}
}

// The answers of one order alone, or of few between believed ones, stop nobody else: that order is given up in the end.
func TestUntrustedAnswersOfFewOrders(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bad := &server{answer: func(int) error { return fail(alipay.Untrusted) }}
		good := &server{}
		log := &trustLog{}
		g := breaker.New(breaker.Options{OnTrust: log.add})
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := g.Call(bad).Do(t.Context(), orderQuery(1)); alipay.ClassOf(err) != alipay.Untrusted {
				t.Errorf("%v", err)
			}
		}()
		for range 100 {
			if _, err := g.Call(good).Do(t.Context(), orderQuery(2)); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
		}
		<-done
		if d := time.Since(start); d > 20*time.Minute || !log.is() {
			t.Errorf("given up after %v, changes %v", d, log.seen)
		}
		for i := range 20 { // each is followed by an answer that is believed
			ctx := t.Context()
			_, _ = g.Call(bad).Do(ctx, &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("x", i))})
			_, _ = g.Call(good).Do(ctx, orderQuery(2))
		}
		if !log.is() {
			t.Errorf("changes %v", log.seen)
		}
	})
}

// Answers that fail in one way and then in another are not those of a rotated key: budgets and breaker deal with them.
func TestMixedAnswersAreNotUntrusted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{answer: func(n int) error {
			if n%3 == 0 {
				return &alipay.Error{Class: alipay.Ambiguous, HTTPStatus: 200}
			}
			return fail(alipay.Untrusted)
		}}
		log := &trustLog{}
		g := breaker.New(breaker.Options{OnTrust: log.add, Consecutive: 1 << 30, MinRequests: 1 << 30})
		for i := range 60 {
			_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint(i))})
		}
		if !log.is() {
			t.Errorf("changes %v", log.seen)
		}
	})
}

// A gateway whose answers begin to fail in other ways is one for the breaker and the budgets: no order waits for ever.
func TestOtherFailuresEndTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		began := time.Now()
		s := &server{answer: func(int) error {
			if time.Since(began) < time.Hour {
				return fail(alipay.Untrusted)
			}
			return &alipay.Error{Class: alipay.Ambiguous, HTTPStatus: 200}
		}}
		log := &trustLog{}
		g := breaker.New(breaker.Options{OnTrust: log.add, Consecutive: 1 << 30, MinRequests: 1 << 30})
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if _, err := g.Call(s).Do(t.Context(), orderQuery(i)); alipay.ClassOf(err) != alipay.Ambiguous {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); !log.is(false, true) || took < time.Hour+14*time.Minute || took > time.Hour+20*time.Minute {
			t.Errorf("changes %v, given up after %v", log.seen, took)
		}
	})
}

// What shows nothing of the signatures neither begins nor ends the wait.
func TestOnlyAnswersShowTrust(t *testing.T) {
	bubble(t, func(t *testing.T) {
		class := alipay.Untrusted
		s := &server{answer: func(int) error { return fail(class) }}
		log := &trustLog{}
		g := breaker.New(breaker.Options{OnTrust: log.add, Consecutive: 1 << 30, MinRequests: 1 << 30})
		send := func(no string) {
			_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(no)})
		}
		for range 5 {
			send("the same")
		}
		send("second")
		class = alipay.Misconfigured
		send("a wrong key of ours")
		class = alipay.Ambiguous
		send("lost")
		if !log.is() {
			t.Errorf("changes %v after two orders", log.seen)
		}
		class = alipay.Untrusted
		send("third")
		class = alipay.Ambiguous
		send("lost again")
		if !log.is(false) {
			t.Errorf("changes %v: a lost answer does not show that one can be believed", log.seen)
		}
		class = alipay.Rejected
		send("refused")
		if !log.is(false, true) {
			t.Errorf("changes %v", log.seen)
		}
	})
}

// untrusted loses the trust of an app, with creates of three orders.
func untrusted(t *testing.T, g *breaker.Guard) {
	t.Helper()
	bad := &server{answer: func(int) error { return fail(alipay.Untrusted) }}
	for i := range 3 {
		_, _ = g.Call(bad).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint(i))})
	}
	if !g.Stats().Untrusted {
		t.Fatal("the app is still trusted")
	}
}

// While the app waits nothing is signed, and its probe is one alone, whichever methods ask at that moment.
func TestOneProbeOfAnApp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := breaker.New(breaker.Options{})
		untrusted(t, g)
		p := &post{sealing: time.Millisecond, away: 2 * time.Second, err: fail(alipay.Untrusted)}
		for _, r := range []alipay.Request{query, create, &alipay.ItemOrderQuery{OrderNo: "k"}} {
			go func() { _, _ = g.Call(p).Do(t.Context(), r) }()
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if n := p.seals.Load(); n != 0 {
			t.Errorf("%d requests were signed while nothing may be sent", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := p.sends.Load(); n != 1 {
			t.Errorf("%d probes at a time, want 1", n)
		}
		p.fixed.Store(true)
		time.Sleep(time.Hour)
	})
}

// As soon as one answer can be believed again, no call waits any more.
func TestTrustReturnsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := breaker.New(breaker.Options{})
		untrusted(t, g)
		began := time.Now()
		for range 2 {
			if _, err := g.Call(&server{}).Do(t.Context(), query); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("a probe and a call took %v, want the ten seconds before the probe", took)
		}
	})
}

// Three answers of another kind end the wait only if they come in a row.
func TestOtherAnswersInARowEndTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := breaker.New(breaker.Options{Consecutive: 1 << 30, MinRequests: 1 << 30})
		untrusted(t, g)
		other := &server{answer: func(int) error { return &alipay.Error{Class: alipay.Ambiguous, HTTPStatus: 200} }}
		bad := &server{answer: func(int) error { return fail(alipay.Untrusted) }}
		for i, s := range []*server{other, other, bad, other, other, other} {
			if !g.Stats().Untrusted {
				t.Fatalf("trusted after %d answers", i)
			}
			_, _ = g.Call(s).Do(t.Context(), create)
		}
		if g.Stats().Untrusted {
			t.Error("not trusted after three in a row")
		}
	})
}

// signed answers with a signed refusal of our rights: it is Alipay's, and says nothing of its health.
type signed struct{}

func (signed) Seal(context.Context, alipay.Request) alipay.Send {
	return func(context.Context) func() (alipay.Reply, error) {
		return func() (alipay.Reply, error) { return alipay.Reply{Verified: true}, fail(alipay.Misconfigured) }
	}
}

// Whatever a signed answer says, it shows that answers can be believed.
func TestASignedRefusalIsBelieved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := &trustLog{}
		g := breaker.New(breaker.Options{OnTrust: log.add})
		untrusted(t, g)
		_, _ = g.Call(signed{}).Do(t.Context(), query)
		if g.Stats().Untrusted || !log.is(false, true) {
			t.Errorf("%+v, changes %v", g.Stats(), log.seen)
		}
	})
}
