package telemetry_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/telemetry"
)

// TestATroubleCannotFloodTheLog: 100 lines a second for five minutes, equal and different ones, become
// a few, and none is lost from the counts.
func TestATroubleCannotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l, err := telemetry.NewLogger(&b, "text", slog.LevelInfo, nil)
		if err != nil {
			t.Fatal(err)
		}
		calls := l.With("pipeline", "calls")
		for i := range 5 * 60 * 50 {
			calls.Warn("fetch failed; trying again", "topic", "", "partition", 0, "error", fmt.Errorf("dial %d", i))
			calls.Warn("event waits", "offset", i)
			time.Sleep(20*time.Millisecond + time.Microsecond)
		}
		l.With("pipeline", "queries").Warn("fetch failed; trying again", "topic", "", "partition", 0, "error", errors.New("other"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		said := b.String()
		equal, repeated := strings.Count(said, "msg=\"fetch failed"), 0
		for _, line := range strings.Split(said, "repeated=")[1:] {
			var n int
			_, _ = fmt.Sscan(line, &n)
			repeated += n
		}
		if first := 1; equal != 7 || repeated != 5*60*50-first {
			t.Errorf("%d lines with %d repetitions, want 7 (the first, five minutes, another pipeline) with %d:\n%s", equal, repeated, 5*60*50-1, said)
		}
		different, omitted := strings.Count(said, "msg=\"event waits"), 0
		for _, line := range strings.Split(said, "message=\"event waits\" count=")[1:] {
			var n int
			_, _ = fmt.Sscan(line, &n)
			omitted += n
		}
		if different > 6*20 || different+omitted != 5*60*50 {
			t.Errorf("%d different lines and %d left out, want %d together", different, omitted, 5*60*50)
		}
	})
}

// TestEachStoppedPartitionHasItsLine: errors that differ are what a person must see.
func TestEachStoppedPartitionHasItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l, _ := telemetry.NewLogger(&b, "json", slog.LevelInfo, nil)
		for i := range 100 {
			l.Error("partition stopped", "partition", i)
			l.Debug("not shown", "n", i)
		}
		time.Sleep(time.Hour)
		if n := strings.Count(b.String(), "\n"); n != 100 {
			t.Errorf("%d lines, want 100", n)
		}
	})
}
