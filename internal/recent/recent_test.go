package recent_test

import (
	"testing"

	"alipay-kafka-bridge/internal/recent"
)

func TestRecentKeysAreKept(t *testing.T) {
	m := recent.NewMap[int, string](10)
	for i := range 1000 {
		m.Set(i, "v")
		for back := range min(i+1, 10) {
			if _, ok := m.Get(i - back); !ok {
				t.Fatalf("after %d keys: the key %d before the last one is gone", i+1, back)
			}
		}
		if m.Len() > 20 {
			t.Fatalf("%d keys are kept, want at most 20", m.Len())
		}
	}
	if _, ok := m.Get(900); ok {
		t.Error("an old key is still kept")
	}
}

// A key that is set again stays when the generation of its first value is dropped.
func TestAKeySetAgainIsKept(t *testing.T) {
	m := recent.NewMap[int, int](10)
	for i := range 100 {
		m.Set(i+1, i)
		m.Set(0, i)
		if v, ok := m.Get(0); !ok || v != i {
			t.Fatalf("round %d: got %d, %v", i, v, ok)
		}
	}
}
