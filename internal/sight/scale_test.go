package sight

import (
	"math"
	"slices"
	"testing"
	"time"

	"alipay-kafka-bridge/internal/alipay"
)

// minutes repeats a sample for a minute.
func minutes(s sample) []sample { return slices.Repeat([]sample{s}, sampleWindow) }

func TestReplicasWanted(t *testing.T) {
	for _, tt := range []struct {
		name    string
		samples []sample
		want    float64
	}{
		{"starting", nil, 1},
		{"idle", minutes(sample{cpu: 0.01}), 0.01 / 0.7},
		{"steady, half used", minutes(sample{cpu: 0.35, finished: 100, parts: 8, ready: 5}), (0.35 + 5/(100/0.35*60)) / 0.7},
		{"an even backlog", minutes(sample{cpu: 0.7, finished: 700, parts: 8, ready: 120_000}), (0.7 + 2) / 0.7},
		{"processors are the limit", minutes(sample{cpu: 1, slots: 0.2, finished: 500, parts: 8, ready: 30_000}), (1 + 1) / 0.7},
		{"slots are the limit", minutes(sample{cpu: 0.2, slots: 1, finished: 500, parts: 8, ready: 0}), 1 / 0.7},
		{"a hot key: all of it is one partition", minutes(sample{cpu: 0.7, finished: 700, parts: 1, ready: 1_000_000}), 1},
		{"an outage: nothing could be handled", minutes(sample{cpu: 0.02, waiting: true}), 1},
		{"an outage with much unread", minutes(sample{cpu: 0.02, waiting: true, parts: 3, ready: 10}), 1},
		{"one partition is stopped, nothing else waits", minutes(sample{cpu: 0.05}), 0.05 / 0.7},
		{"a single sample", []sample{{cpu: 0.7, parts: 4}}, 1},
	} {
		if got := wanted(tt.samples); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %.3f, want %.3f", tt.name, got, tt.want)
		}
	}
}

// A slow or failing app does not count: more instances would press it harder.
func TestAnAppThatIsNotHealthy(t *testing.T) {
	var s scale
	exchange := func(n int, class alipay.Class, took time.Duration) {
		for range n {
			s.exchanged("main", class, took)
		}
	}
	if !s.apps["main"].healthy() {
		t.Error("an app without exchanges is not healthy")
	}
	for range 100 {
		exchange(1000, alipay.Done, 50*time.Millisecond)
		s.apps["main"].minute()
	}
	if n := len(s.apps["main"].usual); n != usualFor {
		t.Errorf("%d minutes are remembered", n)
	}
	exchange(990, alipay.Rejected, 150*time.Millisecond)
	exchange(9, alipay.Transient, 150*time.Millisecond)
	if !s.apps["main"].healthy() {
		t.Error("under 1 % failures and three times the latency: healthy")
	}
	exchange(3, alipay.Throttled, 50*time.Millisecond)
	if s.apps["main"].healthy() {
		t.Error("over 1 % failures: not healthy")
	}
	s.apps["main"].minute()
	exchange(1000, alipay.Done, 160*time.Millisecond)
	if s.apps["main"].healthy() {
		t.Error("over three times the latency: not healthy")
	}
}
