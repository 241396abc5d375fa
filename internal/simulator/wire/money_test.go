package wire

import "testing"

func TestYuan(t *testing.T) {
	for text, want := range map[string]Fen{"0.01": 1, "1": 100, "1.5": 150, "88.88": 8888, "100000000": 10_000_000_000} {
		t.Run(text, func(t *testing.T) {
			if got, err := ParseYuan(text); err != nil || got != want {
				t.Errorf("got %d, %v, want %d", got, err, want)
			}
		})
	}
	for _, text := range []string{"", ".5", "1.", "01", "-1", "1e2", "1.005", "NaN", " 1", "1,5", "9999999999999"} {
		t.Run("not "+text, func(t *testing.T) {
			if got, err := ParseYuan(text); err == nil {
				t.Errorf("%q = %d, want an error", text, got)
			}
		})
	}
	if got := Fen(-5).String(); got != "-0.05" {
		t.Errorf("-5 fen = %s", got)
	}
}
