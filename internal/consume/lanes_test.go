package consume_test

import (
	"fmt"
	"slices"
	"testing"

	"alipay-kafka-bridge/internal/consume"
)

// TestK10_TopicsTakeTurns: a topic with a thousand lanes waiting leaves every second start
// to the other one, and each topic's own order stays.
func TestK10_TopicsTakeTurns(t *testing.T) {
	var flood []string
	for i := range 1000 {
		flood = append(flood, fmt.Sprint("flood-", i))
	}
	got := consume.StartOrder(append(flood, "quiet-0", "quiet-1", "quiet-2"))
	want := []string{"flood-0", "quiet-0", "flood-1", "quiet-1", "flood-2", "quiet-2", "flood-3"}
	if !slices.Equal(got[:len(want)], want) || len(got) != 1003 {
		t.Errorf("%d started, first %q, want %q", len(got), got[:len(want)], want)
	}
}

// TestK10_ATopicHasItsShare: handlings that wait stay started. One topic's may fill a pool; what
// another topic has to start does not wait for their end.
func TestK10_ATopicHasItsShare(t *testing.T) {
	if n := consume.StartedNextTo(1024, 1000); n != 512 {
		t.Errorf("%d started next to a full pool, want half of its size", n)
	}
}

// A lane whose head changes while it waits may belong to a pool that had its turn.
func TestLanesThatChangeTheirPoolStart(t *testing.T) {
	for range 50 { // pools have no order
		if !consume.StartedInAnotherPool() {
			t.Fatal("not started")
		}
	}
}

// What a handling makes of its record counts like the record.
func TestNeedsOfHandlingsAreBounded(t *testing.T) {
	const maxBytes = 4 << 20 // a quarter of it is for handlings
	if n, left := consume.StartedWithNeeds(maxBytes, 0); n != 100 || left != 0 {
		t.Errorf("%d start without needs, want all; %d bytes are counted after their end", n, left)
	}
	n, left := consume.StartedWithNeeds(maxBytes, 200<<10)
	if n < 2 || n > 10 || left != 0 { // 1 MiB, and half as much for the second pool
		t.Errorf("%d start that need 200 KiB each, want 2 to 10; %d bytes are counted after their end", n, left)
	}
}
