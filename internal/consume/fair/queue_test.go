package fair_test

import (
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/consume/fair"
)

// drain pops while anything may start.
func drain(q *fair.Queue[string], may func(topic string) bool) (got []string) {
	for v := q.Pop(may); v != ""; v = q.Pop(may) {
		got = append(got, v)
	}
	return got
}

func all(string) bool { return true }

// Topics take turns; within one the first to come is the first to start, also after it was empty.
func TestTopicsTakeTurns(t *testing.T) {
	var q fair.Queue[string]
	for range 2 {
		for _, v := range []string{"a1", "a2", "a3", "b1", "c1", "c2"} {
			q.Push(v[:1], v)
		}
		if got, want := strings.Join(drain(&q, all), " "), "a1 b1 c1 a2 c2 a3"; got != want {
			t.Errorf("started %s, want %s", got, want)
		}
	}
}

// A topic that may not start now holds up no other, and keeps its place and its order.
func TestATopicThatMayNotStartKeepsItsPlace(t *testing.T) {
	var q fair.Queue[string]
	for _, v := range []string{"a1", "a2", "b1", "b2"} {
		q.Push(v[:1], v)
	}
	if got, want := drain(&q, func(topic string) bool { return topic == "b" }), []string{"b1", "b2"}; !slices.Equal(got, want) {
		t.Errorf("started %q, want %q", got, want)
	}
	q.Push("b", "b3")
	if got, want := drain(&q, all), []string{"a1", "b3", "a2"}; !slices.Equal(got, want) {
		t.Errorf("started %q, want %q", got, want)
	}
}

// An empty queue has nothing to start, and asks for no topic.
func TestAnEmptyQueue(t *testing.T) {
	var q fair.Queue[string]
	q.Push("a", "a1")
	drain(&q, all)
	if v := q.Pop(func(topic string) bool { t.Errorf("asked for %s", topic); return true }); v != "" {
		t.Errorf("started %q", v)
	}
}
