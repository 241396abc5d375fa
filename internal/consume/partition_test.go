package consume_test

import (
	"testing"

	"alipay-kafka-bridge/internal/consume"
)

// The life of an assignment, and nothing else. A partition that was given up must never be read
// again, and one whose position is not known must never be settled.
func TestOnlyTheseChangesOfState(t *testing.T) {
	allowed := map[[2]string]bool{
		{"assigned", "restoring"}: true, // its position is known
		{"assigned", "stopped"}:   true, // its position is not to be trusted
		{"assigned", "gone"}:      true, // revoked before it was read
		{"restoring", "open"}:     true,
		{"restoring", "draining"}: true,
		{"restoring", "stopped"}:  true,
		{"open", "draining"}:      true,
		{"open", "stopped"}:       true,
		{"draining", "gone"}:      true,
		{"draining", "stopped"}:   true, // its dead letter is refused in the last settle
		{"stopped", "gone"}:       true,
	}
	for _, from := range consume.States() {
		for _, to := range consume.States() {
			t.Run(from+" to "+to, func(t *testing.T) {
				panicked, _ := consume.Change(from, to)
				if got, want := panicked == nil, allowed[[2]string{from, to}]; got != want {
					t.Errorf("allowed = %v, want %v (%v)", got, want, panicked)
				}
			})
		}
	}
}

// Each end of an assignment ends the waits of its handlings.
func TestAnEndingStateEndsHandlings(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"assigned", "restoring", false},
		{"restoring", "open", false},
		{"open", "draining", true},
		{"open", "stopped", true},
		{"assigned", "gone", true},
	} {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			if _, got := consume.Change(tt.from, tt.to); got != tt.want {
				t.Errorf("ended = %v, want %v", got, tt.want)
			}
		})
	}
}
