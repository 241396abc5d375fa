package pause_test

import (
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/consume/pause"
)

// The pauses grow from the shortest to the longest; several failures of one try begin one pause.
func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *pause.BackOff
		if b.Due() {
			t.Error("nothing is due")
		}
		for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
			b = b.Again(time.Now())
			b.Read = true
			if b = b.Again(time.Now()); !b.Read {
				t.Error("another pause begins while one lasts")
			}
			time.Sleep(want*time.Second - 1)
			if b.Due() {
				t.Errorf("due before %d s are over", want)
			}
			if time.Sleep(time.Nanosecond); !b.Due() {
				t.Errorf("not due after %d s", want)
			}
		}
	})
}
