package app

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/app/apptest"
)

// TestDeadLettersAreCounted: one line at once, then one a minute with the number, for each reason.
func TestDeadLettersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log apptest.Buffer
		tx := newObservedTransactor(nil, slog.New(slog.NewTextHandler(&log, nil)))
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

// TestADeadLetterOfTheEngineIsLogged: the transactor sees what became visible.
func TestADeadLetterOfTheEngineIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startKafka()
		p := w.start(lifeSettings)
		w.send("o1", "stranger")
		w.send("o2", "stranger")
		w.wantResults("o1=INVALID", "o2=INVALID")
		time.Sleep(2 * time.Minute)
		p.stop()
		apptest.NoError(t, <-p.ended)
		said, total := p.log.Take(), 0
		for _, line := range strings.Split(said, "records became dead letters")[1:] {
			var n int
			_, err := fmt.Sscanf(line, `" pipeline=calls count=%d reason=unknown_account topic=order-events.dlq remedy=`, &n)
			apptest.NoError(t, err)
			total += n
		}
		if total != 2 {
			t.Errorf("%d dead letters are logged, want 2:\n%s", total, said)
		}
	})
}
