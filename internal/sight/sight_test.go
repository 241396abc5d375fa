package sight

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/app/apptest"
)

// TestDeadLettersAreCounted: one line at once, then one a minute with the number, for each reason.
func TestDeadLettersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log apptest.Buffer
		tx := New(nil, nil).NewPipeline("calls", "g", nil, slog.New(slog.NewTextHandler(&log, nil))).Tx
		for range 300 {
			tx.letters.Add(deadLetters{"dead", "invalid"}, 2)
			time.Sleep(time.Second + time.Millisecond) // not in step with the minutes
		}
		tx.letters.Add(deadLetters{"dead", "panic"}, 1)
		time.Sleep(time.Hour)
		tx.letters.Add(deadLetters{"dead", "invalid"}, 1)
		time.Sleep(time.Hour)
		said := log.Take()
		lines := strings.Split(strings.TrimSpace(said), "\n")
		if len(lines) != 8 || !strings.Contains(lines[0], `msg="records became dead letters" count=2 reason=invalid topic=dead`) || !strings.Contains(lines[7], "count=1 reason=invalid") || strings.Count(said, "count=120") != 4 {
			t.Errorf("lines:\n%s", said)
		}
	})
}

// TestAllAccountsWait: only answers of all accounts that were called say that nothing moves.
func TestAllAccountsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewAccounts()
		if _, all := w.AllWait(); all {
			t.Error("nothing was called")
		}
		w.note("main", "a", &alipay.Error{Class: alipay.Misconfigured})
		first := time.Now()
		time.Sleep(time.Second)
		w.note("main", "a", &alipay.Error{Class: alipay.Misconfigured})
		if since, all := w.AllWait(); !all || !since.Equal(first) {
			t.Errorf("one of one: %v, %v", since, all)
		}
		w.note("main", "b", nil)
		if _, all := w.AllWait(); all {
			t.Error("b works")
		}
		w.note("main", "b", &alipay.Error{Class: alipay.Misconfigured})
		if since, all := w.AllWait(); !all || !since.Equal(time.Now()) {
			t.Errorf("both: %v, %v", since, all)
		}
		// What waits is tried every minute. When nothing is called any more, nothing waits here.
		time.Sleep(stoppedFor - time.Second)
		if _, all := w.AllWait(); !all || w.of("b").stopped.IsZero() {
			t.Error("b waits no more, while it may still be tried")
		}
		time.Sleep(time.Second)
		if _, all := w.AllWait(); all || !w.of("b").stopped.IsZero() {
			t.Error("b waits, and nothing is tried")
		}
	})
}

// TestABreakerHasTwoLines: one when it opens, with the error that opened it, and one when it closes;
// failing probes are counted.
func TestABreakerHasTwoLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log apptest.Buffer
		b := newBreakers(slog.New(slog.NewTextHandler(&log, nil)).With("app", "main"), 10*time.Second)
		b.failed("m", errors.New("connection refused"))
		b.changed("m", "closed", "open")
		for range 20 {
			time.Sleep(10 * time.Second)
			b.changed("m", "open", "half-open")
			b.failed("m", nil)
			b.changed("m", "half-open", "open")
		}
		if left := time.Until(b.status("calls", "m", "open").Probe); left != 10*time.Second {
			t.Errorf("it probes in %s, want 10 s", left)
		}
		if at := b.status("calls", "m", "half-open").Probe; !at.IsZero() {
			t.Errorf("it probes at %s, although it probes now", at)
		}
		b.changed(alipay.Method("other"), "closed", "open")
		b.changed("m", "half-open", "closed")
		lines := strings.Split(strings.TrimSpace(log.Take()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], `app=main method=m error="connection refused"`) || !strings.Contains(lines[1], "method=other") || !strings.Contains(lines[2], "failures=21 seconds=200") {
			t.Errorf("lines:\n%s", strings.Join(lines, "\n"))
		}
	})
}
