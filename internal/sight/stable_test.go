package sight

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAnOffsetIsStuckWhileItStandsStill: a producer with one transaction after another is not stuck, and neither is a
// partition without records behind.
func TestAnOffsetIsStuckWhileItStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stable
		if _, known := s.of("in", 0, time.Now()); known {
			t.Error("known before it was asked for")
		}
		for i, step := range []struct {
			stable, high int64
			want         time.Duration
		}{
			{10, 10, 0},                 // all is stable
			{10, 15, 0},                 // a transaction is open
			{10, 20, 10 * time.Second},  // it is still open
			{15, 25, 0},                 // it ended, and another is open
			{15, 25, 10 * time.Second},  // that one stays
			{15, 99, 20 * time.Second},  //
			{99, 99, 0},                 // it was aborted
			{99, 120, 0},                // a new one, at the same offset
			{99, 120, 10 * time.Second}, //
		} {
			s.Note("in", 0, step.stable, step.high)
			if got, known := s.of("in", 0, time.Now()); !known || got != step.want {
				t.Errorf("step %d: %v, want %v", i, got, step.want)
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(50 * time.Second) // no broker answers: the transaction may have ended long ago
		if got, known := s.of("in", 0, time.Now()); !known || got != 10*time.Second {
			t.Errorf("%v, %t; want what was seen last", got, known)
		}
		time.Sleep(time.Second)
		if _, known := s.of("in", 0, time.Now()); known {
			t.Error("an old answer says nothing about now")
		}
	})
}
