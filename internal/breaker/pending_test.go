package breaker_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
)

// post is a client whose three steps take their time.
type post struct {
	seals, sends           atomic.Int32
	sealing, away, opening time.Duration
	err                    error       // of every call ...
	fixed                  atomic.Bool // ... until this is set
}

func (p *post) Seal(context.Context, alipay.Request) alipay.Send {
	time.Sleep(p.sealing)
	p.seals.Add(1)
	return func(context.Context) func() (alipay.Reply, error) {
		p.sends.Add(1)
		time.Sleep(p.away)
		return func() (alipay.Reply, error) {
			time.Sleep(p.opening)
			if p.fixed.Load() {
				return alipay.Reply{}, nil
			}
			return alipay.Reply{}, p.err
		}
	}
}

// calls makes n calls at once and returns how long they took together.
func (p *post) calls(t *testing.T, g *breaker.Guard, n int) time.Duration {
	t.Helper()
	start := time.Now()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := g.Call(p).Do(context.Background(), query); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// A slot is held only while Alipay works: neither for a signature nor for opening an answer.
func TestSlotsAreForExchangesAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &post{sealing: time.Second, away: 2 * time.Second, opening: time.Second}
		g := breaker.New(breaker.Options{InFlight: 2})
		if took := p.calls(t, g, 3); took != 6*time.Second {
			t.Errorf("three calls took %s, want a signature, two exchanges and an opening: 6 s", took)
		}
	})
}

func TestFewAreSealedAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &post{away: 5 * time.Second}
		go p.calls(t, breaker.New(breaker.Options{InFlight: 4}), 20)
		time.Sleep(time.Second)
		synctest.Wait()
		if p.seals.Load() != 6 || p.sends.Load() != 4 {
			t.Errorf("%d sealed, %d of them sent, want 6 and 4", p.seals.Load(), p.sends.Load())
		}
		time.Sleep(time.Minute)
	})
}

// A timestamp is signed, and gateways refuse old ones.
func TestASealGrowsOld(t *testing.T) {
	for away, want := range map[time.Duration]int32{10*time.Second - 1: 2, 10 * time.Second: 3} {
		t.Run(away.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := &post{away: away}
				p.calls(t, breaker.New(breaker.Options{InFlight: 1}), 2)
				if got := p.seals.Load(); got != want {
					t.Errorf("two requests, the second %s after its seal, were sealed %d times, want %d", away, got, want)
				}
			})
		})
	}
}

// A signer that is slow is not asked twice, and its time is not a wait at a breaker or a limiter: it
// is part of the budget.
func TestASlowSignerCosts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &post{sealing: 20 * time.Second, err: fail(alipay.Transient)}
		g := breaker.New(breaker.Options{MinAttempts: 2, MaxTrying: time.Minute, BackOff: time.Millisecond, BackOffMax: time.Millisecond})
		rep, _ := g.Call(p).Do(t.Context(), query)
		if rep.Attempts != 4 || p.seals.Load() != 4 {
			t.Errorf("%d attempts with %d seals, want 4 and 4: 20 s apart, for a minute from the first", rep.Attempts, p.seals.Load())
		}
	})
}

// A request that is sealed again is not sent if its life ends meanwhile.
func TestLifeEndsDuringASeal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &post{sealing: 3 * time.Second, away: 12 * time.Second}
		g := breaker.New(breaker.Options{InFlight: 1})
		go p.calls(t, g, 1)
		time.Sleep(time.Second)
		c := g.Call(p)
		c.Until(time.Now().Add(16 * time.Second)) // its turn comes after 14 s, its second seal is there after 17
		if _, err := c.Do(t.Context(), create); !errors.Is(err, alipay.ErrLate) || p.sends.Load() != 1 {
			t.Errorf("%v, and %d sent, want the other one alone", err, p.sends.Load())
		}
	})
}

// A signer that panics blocks no slot.
func TestPanicOfASeal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := breaker.New(breaker.Options{InFlight: 2})
		for range 10 {
			func() {
				defer func() { _ = recover() }()
				_, _ = g.Call(sealPanics{}).Do(t.Context(), query)
			}()
		}
		p := &post{}
		p.calls(t, g, 5)
		if s := g.Stats(); p.sends.Load() != 5 || s.InFlight != 0 {
			t.Errorf("%d of 5 sent, %d in flight", p.sends.Load(), s.InFlight)
		}
	})
}

type sealPanics struct{}

func (sealPanics) Seal(context.Context, alipay.Request) alipay.Send { panic("bug") }
