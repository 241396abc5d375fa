package wire

import "testing"

func TestYuan(t *testing.T) {
	for text, want := range map[string]Fen{"0.01": 1, "1": 100, "1.5": 150, "88.88": 8888, "100000000": 10_000_000_000} {
		if got, err := ParseYuan(text); err != nil || got != want {
			t.Errorf("%s = %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ".5", "1.", "01", "-1", "1e2", "1.005", "NaN", " 1", "1,5", "9999999999999"} {
		if got, err := ParseYuan(text); err == nil {
			t.Errorf("%q = %d", text, got)
		}
	}
	if got := Fen(-5).String(); got != "-0.05" {
		t.Errorf("negative = %s", got)
	}
}
