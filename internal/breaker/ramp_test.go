package breaker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// slowSigner is a server whose requests take a thousandth of a second to sign, as with RSA.
type slowSigner struct{ *server }

func (s slowSigner) Seal(ctx context.Context, r alipay.Request) alipay.Send {
	time.Sleep(time.Millisecond)
	return s.server.Seal(ctx, r)
}

// What arrives at one moment after an outage keeps to the ramp, even though all of it finds room before it has signed.
func TestArrivalsAfterAnOutageKeepToTheRamp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		s := &server{latency: 200 * time.Millisecond, answer: func(int) error {
			if down.Load() {
				return fail(alipay.Transient)
			}
			return nil
		}}
		g := breaker.New(breaker.Options{InFlight: 256})
		ctx, cancel := context.WithCancel(t.Context())
		ask := func(ctx context.Context, no string) {
			_, _ = g.Call(slowSigner{s}).Do(ctx, &alipay.TradeQuery{OutTradeNo: alipay.OutTradeNo(no)})
		}
		for i := range 20 {
			go ask(ctx, fmt.Sprint(i))
		}
		reach := func(state string) {
			for g.Stats().Breakers[query.Method()] != state {
				time.Sleep(5 * time.Millisecond)
			}
		}
		reach("open")
		down.Store(false)
		reach("closed")
		time.Sleep(100 * time.Millisecond)
		cancel()
		time.Sleep(300 * time.Millisecond)
		s.mu.Lock()
		s.most = 0
		s.mu.Unlock()
		for i := range 300 {
			go ask(t.Context(), fmt.Sprint("n", i))
		}
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		s.mu.Lock()
		most := s.most
		s.mu.Unlock()
		if most > 40 || most == 0 {
			t.Errorf("%d at a time half a second after closing; the ramp permits some 15 of 256", most)
		}
		time.Sleep(5 * time.Minute)
		if n := s.count(); n < 300 {
			t.Errorf("%d calls: the rest never came through", n)
		}
	})
}

// Signed answers of a healthy Alipay never open a breaker, whatever they mean for their calls.
func TestHealthyAnswersNeverOpenABreaker(t *testing.T) {
	for _, sub := range []string{"ACQ.TRADE_HAS_SUCCESS", "ACQ.TRADE_HAS_CLOSE", "ACQ.CONTEXT_INCONSISTENT", "ACQ.NEVER_HEARD_OF"} {
		t.Run(sub, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := alipay.Classify(alipay.MethodTradeCreate, "40004", sub)
				s := &server{answer: func(int) error { return &alipay.Error{Class: c.Class, Healthy: c.Healthy, SubCode: sub} }}
				g := breaker.New(breaker.Options{})
				for i := range 100 {
					_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint(i))})
				}
				if st := g.Stats().Breakers[alipay.MethodTradeCreate]; st != "closed" {
					t.Errorf("the breaker is %s", st)
				}
			})
		})
	}
}
