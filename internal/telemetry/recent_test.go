package telemetry_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/telemetry"
)

// TestRecent: warnings and errors are kept, the last first, with their attributes, and within bounds.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var recent telemetry.Recent
		log, err := telemetry.NewLogger(io.Discard, "text", slog.LevelInfo, &recent)
		if err != nil {
			t.Fatal(err)
		}
		log = log.With("pipeline", "calls")
		log.Info("nothing notable")
		log.Warn("first", "a", 1)
		log.With("b", "x").Error("second", "text", strings.Repeat("é", 1000))
		lines := recent.Lines()
		if len(lines) != 2 || lines[1].Text != "first pipeline=calls a=1" || lines[1].Level != slog.LevelWarn || !lines[1].At.Equal(time.Now()) {
			t.Fatalf("%+v", lines)
		}
		if l := lines[0]; !strings.HasPrefix(l.Text, "second pipeline=calls b=x text=é") || len(l.Text) > 510 || !strings.HasSuffix(l.Text, "é...") {
			t.Errorf("%d bytes: %s", len(l.Text), l.Text)
		}
		for i := range 60 {
			log.Warn("many", "n", i)
			time.Sleep(time.Minute)
		}
		lines = recent.Lines()
		if len(lines) != 50 || lines[0].Text != "many pipeline=calls n=59" || lines[49].Text != fmt.Sprint("many pipeline=calls n=", 10) {
			t.Errorf("%d lines from %s to %s", len(lines), lines[0].Text, lines[len(lines)-1].Text)
		}
	})
}
