package breaker_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/breaker"
)

// faultySigner fails until it is fixed.
type faultySigner struct {
	asked int
	fixed bool
}

func (s *faultySigner) Public() crypto.PublicKey { return nil }

func (s *faultySigner) Sign(context.Context, []byte) ([]byte, error) {
	if !s.fixed {
		s.asked++
		return nil, errors.New("no session")
	}
	time.Sleep(time.Second)
	return []byte("signature"), nil
}

// TestFailingSignerIsLeftAlone: after five failures it is not called for five seconds; three probes
// that work end it. As many come at a time when the gateway's breaker probes.
func TestFailingSignerIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remote := &faultySigner{}
		var heard []string
		s := breaker.NewSigner(remote, func(from, to string) { heard = append(heard, fmt.Sprint(from, " ", to)) })
		for range 20 {
			if _, err := s.Sign(t.Context(), nil); err == nil {
				t.Fatal("signed")
			}
		}
		if remote.asked != 5 {
			t.Errorf("asked %d times, want 5", remote.asked)
		}
		remote.fixed = true
		if _, err := s.Sign(t.Context(), nil); err == nil {
			t.Error("asked while it is open")
		}
		time.Sleep(5*time.Second + time.Millisecond)
		var probes sync.WaitGroup
		for range 3 {
			probes.Go(func() {
				if sig, err := s.Sign(t.Context(), nil); string(sig) != "signature" || err != nil {
					t.Errorf("%q, %v", sig, err)
				}
			})
		}
		probes.Wait()
		if want := []string{"closed open", "open half-open", "half-open closed"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q", heard)
		}
		if _, ok := s.(interface{ Public() crypto.PublicKey }); !ok {
			t.Error("the public half is hidden")
		}
	})
}
