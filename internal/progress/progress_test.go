package progress_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alipay-kafka-bridge/internal/progress"
)

// shown is what a piece of work shows that takes so many steps of a while.
func shown(t *testing.T, o progress.Options, steps int, each time.Duration) string {
	t.Helper()
	var b bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		o.What, o.Thing = "sending", "event"
		bar := progress.Start(&b, o)
		bar.Total(int64(steps))
		for range steps {
			time.Sleep(each)
			bar.Add(1)
			synctest.Wait()
		}
		bar.End()
	})
	return b.String()
}

// What ends within a second shows nothing, in any mode.
func TestShortWorkIsSilent(t *testing.T) {
	for _, m := range progress.Modes() {
		if got := shown(t, progress.Options{Mode: progress.Mode(m)}, 10, 99*time.Millisecond); got != "" {
			t.Errorf("%s: %q", m, got)
		}
	}
}

// On a terminal one line is written again, and it is gone at the end.
func TestOneLineOnATerminal(t *testing.T) {
	got := shown(t, progress.Options{Terminal: true}, 30, 101*time.Millisecond)
	if strings.Contains(got, "\n") || !strings.HasSuffix(got, "\r\x1b[K") || !strings.HasPrefix(got, "\rsending, 11 of 30 events, 36 %, 9/s, 2s left\x1b[K") {
		t.Errorf("%q", got)
	}
	if n := strings.Count(got, "\r"); n != 10+1 {
		t.Errorf("%d lines in 2 s, want one each 200 ms and the end", n)
	}
	got = shown(t, progress.Options{Terminal: true, Width: 20}, 20, 101*time.Millisecond)
	for _, line := range strings.Split(got, "\r") {
		if len(strings.TrimSuffix(line, "\x1b[K")) > 19 {
			t.Errorf("too long for the terminal: %q", line)
		}
	}
}

// Elsewhere there is a line each five seconds or each five percent, without escapes.
func TestLinesOnAPipe(t *testing.T) {
	slow := shown(t, progress.Options{}, 1000, 29900*time.Microsecond) // 29.9 s, 3.3 % in a second
	if n := strings.Count(slow, "\n"); n != 14 || strings.ContainsAny(slow, "\r\x1b") {
		t.Errorf("%d lines, want one each 2 s, which is the first second with 5 %% more:\n%s", n, slow)
	}
	slower := shown(t, progress.Options{}, 1000, 249*time.Millisecond) // 249 s, 2 % in 5 s
	if n := strings.Count(slower, "\n"); n != 49 {
		t.Errorf("%d lines, want one each 5 s:\n%s", n, slower)
	}
	if got := shown(t, progress.Options{Mode: progress.None, Terminal: true}, 100, time.Second); got != "" {
		t.Errorf("none: %q", got)
	}
}

// Without a whole there is no percentage, and nothing is counted where there is nothing to count.
func TestUnknownWhole(t *testing.T) {
	var b bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		bar := progress.Start(&b, progress.Options{What: "checking"})
		time.Sleep(11 * time.Second)
		bar.End()
	})
	if got, want := b.String(), "checking, for 5s\nchecking, for 10s\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// An answer on the same terminal takes the place of the line.
func TestAnswersStandAbove(t *testing.T) {
	var b bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		bar := progress.Start(&b, progress.Options{Mode: progress.TTY, What: "reading"})
		time.Sleep(1300 * time.Millisecond)
		_, _ = bar.Above(&b).Write([]byte("answer\n"))
		bar.End()
	})
	if got, want := b.String(), "\rreading, for 1s\x1b[K\r\x1b[Kanswer\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var none *progress.Bar
	none.Add(1)
	none.Total(1)
	none.End()
	if none.Above(&b) != &b {
		t.Error("without progress a writer stays what it is")
	}
}
