package budget_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"alipay-kafka-bridge/internal/budget"
)

func TestWorkStaysWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(100)
		var now, most atomic.Int64
		end := make(chan struct{})
		for i := range 50 {
			n := 10 + i
			go func() {
				if err := b.Use(t.Context(), n, func() {
					most.Store(max(most.Load(), now.Add(int64(n))))
					<-end
					now.Add(int64(-n))
				}); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		if now.Load() == 0 {
			t.Error("no work runs")
		}
		close(end)
		synctest.Wait()
		if most.Load() > 100 || now.Load() != 0 {
			t.Errorf("%d bytes were in use at once, %d still are; want at most 100, and 0", most.Load(), now.Load())
		}
	})
}

// What needs more than there is runs alone, and what panics gives its share back.
func TestTooMuchRunsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(100)
		func() {
			defer func() { _ = recover() }()
			_ = b.Use(t.Context(), 100, func() { panic("in work") })
		}()
		end := make(chan struct{})
		go func() { _ = b.Use(t.Context(), 1_000, func() { <-end }) }()
		synctest.Wait()
		why := errors.New("given up")
		ctx, cancel := context.WithCancelCause(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- b.Use(ctx, 1, func() { t.Error("ran with no bytes left") }) }()
		synctest.Wait()
		cancel(why)
		if err := <-ran; !errors.Is(err, why) {
			t.Errorf("error %v, want the cause", err)
		}
		close(end)
		if err := b.Use(t.Context(), 100, func() {}); err != nil {
			t.Error(err)
		}
	})
}
