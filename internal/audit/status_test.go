package audit

import "testing"

func TestStatusProofsCanFail(t *testing.T) {
	right := []Version{{"a", 1, "PENDING"}, {"b", 1, "HELD"}, {"a", 2, "PAID"}, {"b", 2, "PENDING"}, {"a", 3, "HELD"}, {"a", 4, "PARTIALLY_REFUNDED"}, {"a", 5, "REFUNDED"}}
	if p := VersionsInTurn(right); len(p.Violations) > 0 || p.Text != "trade status: 2 orders, 7 versions, none missing, none twice, none goes back" {
		t.Errorf("%+v", p)
	}
	for name, wrong := range map[string][]Version{
		"no first":      {{"a", 2, "PAID"}},
		"a gap":         {{"a", 1, "PENDING"}, {"a", 3, "PAID"}},
		"twice":         {{"a", 1, "PENDING"}, {"a", 1, "PENDING"}},
		"goes back":     {{"a", 1, "PAID"}, {"a", 2, "PENDING"}},
		"back by HELD":  {{"a", 1, "CLOSED"}, {"a", 2, "HELD"}, {"a", 3, "PAID"}},
		"refund undone": {{"a", 1, "PARTIALLY_REFUNDED"}, {"a", 2, "PAID"}},
	} {
		if p := VersionsInTurn(wrong); len(p.Violations) != 1 {
			t.Errorf("%s: %q", name, p.Violations)
		}
	}
	if p := NotificationsKept([]string{"n", "m"}, map[string]int{"n": 2, "m": 1}); len(p.Violations) > 0 {
		t.Error(p.Violations)
	}
	if p := NotificationsKept([]string{"n", "m"}, map[string]int{"n": 2}); len(p.Violations) != 1 {
		t.Errorf("%+v", p)
	}
}
