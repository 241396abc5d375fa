package consume_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/consume/look"
)

// Requests that are kept have a bound in bytes, which merchants of one pool share: those of three
// merchants wait, the others go on, and afterwards all have their result.
func TestKeptRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		o := earliest
		o.MaxBytes, o.Started = 8<<20, map[string]int{"app": 100}
		const each = 2<<10 + 24<<10 + 2*1000 // of a request
		const bound = 8 << 20 / 16 / each
		r.putEach(0, 200, "sent1", 1000)
		s := r.startShared(o)
		time.Sleep(5 * time.Minute)
		counted, held := s.KeptBytes()
		if n := counted / each; counted != held || n < bound/2 || n > bound+100 { // and those that run when the bound is reached
			t.Errorf("%d requests are kept of one merchant, want %d to %d; %d bytes are counted, %d held", n, bound/2, bound+100, counted, held)
		}
		r.putEach(1, 200, "sent2", 1000)
		r.putEach(1, 200, "sent", 1000)
		for i := range 10 {
			r.putEach(0, 20, fmt.Sprintf("free%d", i), 1000)
		}
		time.Sleep(5 * time.Minute)
		more, held := s.KeptBytes()
		if n := (more - counted) / each; more != held || n < bound/3 || n > bound {
			t.Errorf("%d requests more are kept of two more merchants, want %d to %d; %d bytes are counted, %d held", n, bound/3, bound, more, held)
		}
		if n := r.results("free0") + r.results("free9"); n != 40 {
			t.Errorf("%d of 40 results of others; %+v", n, s.Stats())
		}
		other := r.start(setup{options: o, slot: "b"})
		time.Sleep(2 * time.Minute)
		if counted, held := s.KeptBytes(); counted != held {
			t.Errorf("%d bytes are counted after a revoke, %d held", counted, held)
		}
		_ = other.stop()
		s.fixed.Store(true)
		time.Sleep(10 * time.Minute)
		if n := r.results("sent1") + r.results("sent2") + r.results("sent"); n != 600 {
			t.Errorf("%d of 600 results afterwards; %+v", n, s.Stats())
		}
		if counted, held := s.KeptBytes(); counted != 0 || held != 0 {
			t.Errorf("at the end %d bytes are counted, %d held", counted, held)
		}
		_ = s.stop()
	})
}

// A handling that keeps no request holds no memory for one.
func TestOneAttemptKeepsNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.putEach(0, 5, "held", 1000)
		s := r.startShared(earliest)
		time.Sleep(10 * time.Minute)
		if counted, held := s.KeptBytes(); counted != 0 || held != 0 || s.Look(10).Records[0].Cause != look.Retry {
			t.Errorf("%d bytes are counted, %d held: %+v", counted, held, s.Look(10).Records)
		}
		_ = s.stop()
	})
}
