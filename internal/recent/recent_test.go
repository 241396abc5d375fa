package recent_test

import (
	"testing"

	"alipay-kafka-bridge/internal/recent"
)

func TestTheLastKeysAreRemembered(t *testing.T) {
	m := recent.NewMap[int, string](10)
	for i := range 1000 {
		m.Set(i, "v")
		for back := range min(i+1, 10) {
			if _, ok := m.Get(i - back); !ok {
				t.Fatalf("after %d keys, number %d before the last is forgotten", i+1, back)
			}
		}
		if m.Len() > 20 {
			t.Fatalf("%d keys are remembered, want 20 at most", m.Len())
		}
	}
	if _, ok := m.Get(900); ok {
		t.Error("a key that was met long ago is still remembered")
	}
}

// A key that is set again is kept, also when its first generation is forgotten.
func TestAKeyThatIsMetAgainIsKept(t *testing.T) {
	m := recent.NewMap[int, int](10)
	for i := range 100 {
		m.Set(i+1, i)
		m.Set(0, i)
		if v, ok := m.Get(0); !ok || v != i {
			t.Fatalf("round %d: got %d, %v", i, v, ok)
		}
	}
}
