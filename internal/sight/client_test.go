package sight

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/alipay"
	"alipay-kafka-bridge/internal/breaker"
	"alipay-kafka-bridge/internal/produce"
)

// ends is a client whose calls all end with one error.
type ends struct{ err error }

func (e ends) Seal(context.Context, alipay.Request) alipay.Send {
	return func(context.Context) func() (alipay.Reply, error) {
		return func() (alipay.Reply, error) { return alipay.Reply{}, e.err }
	}
}

// scrape is what a scrape has that is not 0, without comments.
func scrape(s *Sight) (lines []string) {
	w := httptest.NewRecorder()
	s.MetricsHandler(s.metrics).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "bridge_") && !strings.HasSuffix(line, " 0\n") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// TestARequestThatIsNotSignedIsNoExchange: nothing was sent, so it is no attempt, and has no duration.
func TestARequestThatIsNotSignedIsNoExchange(t *testing.T) {
	for _, unsent := range []bool{false, true} {
		s, _ := watched(t, busy(1, 1), 1)
		p := s.NewPipeline("calls", "g", nil, slog.New(slog.DiscardHandler))
		p.Guard("main", breaker.Options{})
		c := p.Client("main", "shop-0", ends{&alipay.Error{Class: alipay.Transient, Unsent: unsent}})
		_, _ = c.Seal(t.Context(), &alipay.TradeCreate{})(t.Context())()
		all := strings.Join(scrape(s), "\n")
		if counted := strings.Contains(all, "bridge_attempts_total{"); counted == unsent {
			t.Errorf("not sent %v: counted as an attempt %v", unsent, counted)
		}
		if timed := strings.Contains(all, "bridge_attempt_duration_seconds_count{"); timed == unsent {
			t.Errorf("not sent %v: its duration was noted %v", unsent, timed)
		}
		if s.Accounts.of("shop-0").err == nil {
			t.Errorf("not sent %v: the status does not know about it", unsent)
		}
	}
}

// TestFencesAreCountedByWhatTheySay: the first sight of another producer is not yet a second process, and is
// counted too, because a process that finds its slot taken ends before the next scrape.
func TestFencesAreCountedByWhatTheySay(t *testing.T) {
	s, _ := watched(t, busy(1, 1), 1)
	tx := s.pipelines[0].Tx
	for _, err := range []error{nil, produce.ErrFenced, fmt.Errorf("x: %w", produce.ErrOtherProducer), fmt.Errorf("x: %w", produce.ErrSlotTaken), context.Canceled} {
		tx.fenced(t.Context(), err)
	}
	got := 0
	for _, line := range scrape(s) {
		if strings.HasPrefix(line, "bridge_fenced_total{") {
			got++
			for _, reason := range []string{"generation", "producer", "slot"} {
				if strings.Contains(line, `"`+reason+`"`) && !strings.HasSuffix(line, " 1") {
					t.Error(line)
				}
			}
		}
	}
	if got != 3 {
		t.Errorf("%d kinds were counted, want 3", got)
	}
}
