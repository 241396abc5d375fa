package breaker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// TestK11_OneOrderOpensNoBreaker: however often one event fails, its app and method stay open
// for the others; three orders that fail in a row are an outage.
func TestK11_OneOrderOpensNoBreaker(t *testing.T) {
	for _, tt := range []struct {
		orders int
		want   string
	}{{1, "closed"}, {2, "closed"}, {3, "open"}} {
		t.Run(fmt.Sprint(tt.orders, " orders"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
				g := breaker.New(breaker.Options{})
				for i := range 12 {
					_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("o", i%tt.orders))})
					time.Sleep(time.Second) // so slowly that the ratio never sees enough of them
				}
				if got := g.Stats().Breakers[alipay.MethodTradeCreate]; got != tt.want {
					t.Errorf("%d orders failed 12 times: breaker is %s, want %s", tt.orders, got, tt.want)
				}
			})
		})
	}
}

// TestK11_ASuccessEndsTheStreak: what failed before it does not count.
func TestK11_ASuccessEndsTheStreak(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failing := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
		g := breaker.New(breaker.Options{})
		call := func(s *server, no string) {
			_, _ = g.Call(s).Do(context.Background(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(no)})
			time.Sleep(time.Second)
		}
		call(failing, "o1")
		call(failing, "o2")
		call(&server{}, "o4")
		for range 12 {
			call(failing, "o3")
		}
		if got := g.Stats().Breakers[alipay.MethodTradeCreate]; got != "closed" {
			t.Errorf("breaker is %s", got)
		}
	})
}

// TestK11_AnOutageOfFewOrders: two orders that fail for a minute, and no success: no one is
// there to be protected, and an open breaker spares their budgets.
func TestK11_AnOutageOfFewOrders(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
		g := breaker.New(breaker.Options{})
		for i := range 12 {
			_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("o", i%2))})
			time.Sleep(10 * time.Second)
		}
		if got := g.Stats().Breakers[alipay.MethodTradeCreate]; got == "closed" {
			t.Error("breaker is closed after two minutes of failures")
		}
	})
}

// TestK11_ALongStreakIsAMinute: to the nanosecond, so that the budgets of few orders last as long as they should.
func TestK11_ALongStreakIsAMinute(t *testing.T) {
	for pause, want := range map[time.Duration]string{time.Minute - 1: "closed", time.Minute: "open"} {
		bubble(t, func(t *testing.T) {
			s := &server{answer: func(int) error { return fail(alipay.Ambiguous) }}
			g := breaker.New(breaker.Options{})
			for i := range 10 {
				if i == 9 {
					time.Sleep(pause)
				}
				_, _ = g.Call(s).Do(t.Context(), &alipay.TradeCreate{OutTradeNo: alipay.OutTradeNo(fmt.Sprint("o", i%2))})
			}
			if got := g.Stats().Breakers[alipay.MethodTradeCreate]; got != want {
				t.Errorf("two orders that fail for %v: breaker is %s, want %s", pause, got, want)
			}
		})
	}
}
