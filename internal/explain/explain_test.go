package explain_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/admin"
	"alipay-kafka-bridge/internal/avro"
	"alipay-kafka-bridge/internal/check"
	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/explain"
	"alipay-kafka-bridge/internal/metrics"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/status"
	"alipay-kafka-bridge/schemas"
)

// find returns the one or more entries of a kind for a word.
func find(t *testing.T, k explain.Kind, what string) []explain.Entry {
	t.Helper()
	var found []explain.Entry
	for _, e := range explain.Find(what) {
		if e.Kind == k {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		t.Errorf("%s %q cannot be explained", k, what)
	}
	return found
}

func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEveryAlert: with the whole of its runbook.
func TestEveryAlert(t *testing.T) {
	rules, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1)
	if len(all) < 20 {
		t.Fatalf("%d alerts", len(all))
	}
	for _, m := range all {
		for _, e := range find(t, explain.Alert, m[1]) {
			for _, part := range []string{"Meaning. ", "What happens to money. ", "First step. ", "Find the cause. ", "Fix. ", "Never do. ", "Metrics: "} {
				if !strings.Contains(e.Text, part) {
					t.Errorf("%s: no %q", m[1], part)
				}
			}
		}
	}
}

// TestEveryCode: each row of codes.md, with the meaning of its class.
func TestEveryCode(t *testing.T) {
	n := 0
	for line := range strings.Lines(page(t, "codes.md")) {
		c := strings.Split(line, "|")
		if len(c) < 6 || strings.HasPrefix(c[1], "---") || c[1] == " code " {
			continue
		}
		n++
		what, class := strings.Trim(c[2], " `"), strings.TrimSpace(c[3])
		if len(c) < 8 || !strings.Contains(c[2], "`") { // the row of a code that no table has
			what = strings.TrimSpace(c[1])
		}
		for _, one := range strings.Split(what, ", ") {
			found := find(t, explain.Code, one)
			if !slices.ContainsFunc(found, func(e explain.Entry) bool {
				return len(e.See) == 1 && e.See[0].Name == class && slices.Contains(e.Fields, explain.Field{Name: "class", Text: class})
			}) {
				t.Errorf("%s: no entry with class %s and its meaning", one, class)
			}
		}
	}
	if n < 140 {
		t.Errorf("%d codes, want at least 140", n)
	}
	if got := find(t, explain.Code, "system_error"); len(got) < 4 {
		t.Errorf("system_error, without prefix and capitals: %d entries", len(got))
	}
	if got := explain.Find("40004 ACQ.TRADE_NOT_EXIST"); len(got) != 4 {
		t.Errorf("a code with its sub_code: %d entries, want 4", len(got))
	}
}

// TestEveryMetric: under the names of its series, too, and with the alerts that use it.
func TestEveryMetric(t *testing.T) {
	for _, m := range metrics.All() {
		e := find(t, explain.Metric, m.Prometheus())
		if len(e) != 1 || !slices.Contains(e[0].Fields, explain.Field{Name: "meaning", Text: m.Help}) {
			t.Errorf("%s: %+v", m.Prometheus(), e)
		}
		if m.Kind == metrics.Histogram {
			find(t, explain.Metric, m.Prometheus()+"_bucket")
		}
	}
	if e := find(t, explain.Metric, "bridge_stalled"); !slices.Contains(e[0].Fields, explain.Field{Name: "alerts", Text: "BridgeStalled"}) {
		t.Errorf("bridge_stalled: %+v", e[0].Fields)
	}
}

// TestEverySetting: each row of settings.md by its path, as the page writes it and as people do.
func TestEverySetting(t *testing.T) {
	at, n := "", 0
	for line := range strings.Lines(page(t, "settings.md")) {
		if title, is := strings.CutPrefix(strings.TrimSpace(line), "## "); is {
			at = title + "."
			if title == "Top level" {
				at = ""
			}
			continue
		}
		row := strings.Split(line, "|")
		if len(row) < 6 || row[1] == " key " || strings.HasPrefix(row[1], "---") {
			continue
		}
		n++
		key, _, _ := strings.Cut(strings.Trim(strings.TrimSpace(row[1]), "`["), "]")
		path := at + key
		written := strings.NewReplacer("NAME", "my-own", "[]", "[12]").Replace(path)
		for _, p := range []string{path, written} {
			found := find(t, explain.Setting, p)
			if len(found) != 1 || found[0].Name != path {
				t.Errorf("%s: %+v", p, found)
			}
		}
	}
	if n < 150 {
		t.Errorf("%d settings", n)
	}
	if got := find(t, explain.Setting, "apps.main"); len(got) != 1 || got[0].Name != "apps" {
		t.Errorf("apps.main: %+v", got)
	}
}

// TestLastKeys: a setting may be named by its last keys, where nothing else has that name.
func TestLastKeys(t *testing.T) {
	if got := find(t, explain.Setting, "in_flight"); len(got) != 2 {
		t.Errorf("in_flight: %d settings, want those of an app and of its queries", len(got))
	}
	if got := find(t, explain.Setting, "queries.rate"); len(got) != 1 || got[0].Name != "apps.NAME.queries.rate" {
		t.Errorf("queries.rate: %+v", got)
	}
}

// TestEveryWordOfTheCode: classes, outcomes, reasons and causes have a row in reasons.md, and no row is
// left over.
func TestEveryWordOfTheCode(t *testing.T) {
	reasons := slices.Concat(metrics.DeadReasons(), []string{
		avro.ReasonSchemaRefused, "tombstone", "conflict", "trade_closed", "expires_at", order.ReasonAccountStopped,
		consume.ReasonStart, consume.ReasonAcceptedPosition, consume.ReasonAcceptedLoss, consume.ReasonFoundAgain,
		status.ReasonNoNews, status.ReasonTombstone, "sweep",
	}, metrics.ObservationReasons(), metrics.Verdicts(), metrics.Anomalies())
	for _, row := range order.DefaultMapping() {
		if row.Do == order.Skip {
			reasons = append(reasons, row.Word)
		}
	}
	reasons = append(reasons, order.ReasonUnmapped)
	words := map[explain.Kind][]string{explain.Reason: reasons, explain.Cause: metrics.Causes()}
	for _, c := range metrics.Classes() {
		words[explain.Class] = append(words[explain.Class], strings.ToUpper(c))
	}
	for _, o := range metrics.Outcomes() {
		words[explain.Outcome] = append(words[explain.Outcome], strings.ToUpper(o))
	}
	for k, want := range words {
		slices.Sort(want)
		got := explain.Names(k)
		slices.Sort(got)
		if !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("%s: docs/reasons.md has %v, the code %v", k, got, want)
		}
	}
	for _, m := range admin.Meanings() {
		if e := find(t, explain.Cause, m[0]); !slices.Contains(e[0].Fields, explain.Field{Name: "meaning", Text: m[1]}) {
			t.Errorf("%s: the status page says %q, docs/reasons.md %+v", m[0], m[1], e[0].Fields)
		}
	}
}

// TestEveryFinding: the kinds of findings have a row in findings.md, and no row is left over.
func TestEveryFinding(t *testing.T) {
	got := explain.Names(explain.Finding)
	slices.Sort(got)
	if want := check.IDs(); !slices.Equal(got, want) {
		t.Errorf("docs/findings.md has %v, the code %v", got, want)
	}
	if e := find(t, explain.Finding, "Topic_Missing"); len(e) != 1 || len(e[0].Fields) < 2 {
		t.Errorf("topic_missing: %+v", e)
	}
}

// TestEveryState: each state that a trade status can have is explained, with what it means for shipping.
func TestEveryState(t *testing.T) {
	var schema struct {
		Fields []struct {
			Name string
			Type json.RawMessage
		}
	}
	var state struct{ Symbols []string }
	if err := json.Unmarshal([]byte(schemas.TradeStatus), &schema); err != nil {
		t.Fatal(err)
	}
	for _, f := range schema.Fields {
		if f.Name == "state" {
			if err := json.Unmarshal(f.Type, &state); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := explain.Names(explain.State)
	slices.Sort(got)
	slices.Sort(state.Symbols)
	if !slices.Equal(got, state.Symbols) {
		t.Errorf("docs/consumers.md has %v, the schema %v", got, state.Symbols)
	}
	if e := find(t, explain.State, "held"); len(e) != 1 || !slices.Contains(e[0].Fields, explain.Field{Name: "shipping", Text: "no"}) {
		t.Errorf("HELD: %+v", e)
	}
}

// TestReasonsOfTheSweep: the sweep puts a word before outcomes and reasons.
func TestReasonsOfTheSweep(t *testing.T) {
	for what, names := range map[string][]string{"sweep_rejected": {"sweep", "REJECTED", "REJECTED"}, "SWEEP_undecided": {"sweep", "undecided"}, "sweep_": nil, "sweep_nonsense": nil} {
		var got []string
		for _, e := range explain.Find(what) {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, names) {
			t.Errorf("%s: %v, want %v", what, got, names)
		}
	}
	for _, reason := range []string{status.ReasonKeyMismatch, status.ReasonNotSealed, status.ReasonUndecodable, status.ReasonUnreadable} {
		if !slices.Contains(metrics.ObservationReasons(), reason) {
			t.Errorf("%s is not counted", reason)
		}
	}
}

// TestRunbooksNameWhatExists: settings and flags of other words in the runbooks can be explained in turn.
func TestRunbooksNameWhatExists(t *testing.T) {
	n := 0
	for _, m := range regexp.MustCompile("`([a-z_]+\\.[a-z_.]+)`").FindAllStringSubmatch(page(t, "runbooks.md")+page(t, "reasons.md"), -1) {
		name := m[1]
		if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".md") {
			continue
		}
		n++
		if len(explain.Find(name)) == 0 && len(explain.Find("apps.NAME."+name)) == 0 {
			t.Errorf("%s: no such setting", name)
		}
	}
	if n < 5 {
		t.Errorf("%d settings found", n)
	}
}

func TestClosest(t *testing.T) {
	for typed, want := range map[string]string{
		"BridgeLat": "BridgeLate", "ACQ.SYSTEM_EROR": "ACQ.SYSTEM_ERROR", "undecidde": "undecided",
		"bridge_lag_record": "bridge_lag_records", "apps.main.in_fligt": "apps.NAME.in_flight", "in_fligth": "apps.NAME.in_flight", "WindowFull": "BridgeWindowFull",
	} {
		if got := explain.Closest(typed); !slices.Contains(got, want) || len(got) > 3 {
			t.Errorf("%s: %v, want %s", typed, got, want)
		}
		if found := explain.Find(typed); len(found) > 0 {
			t.Errorf("%s: found %+v", typed, found)
		}
	}
	for _, typed := range []string{"", "nothing-like-it", strings.Repeat("x", 1<<20)} {
		if got := explain.Closest(typed); len(got) > 0 {
			t.Errorf("%.20q: %v", typed, got)
		}
	}
}

// TestLinesFit: what is printed fits a terminal of 80 columns, and has no marks of links or bold letters.
func TestLinesFit(t *testing.T) {
	for _, e := range explain.All() {
		text := e.String()
		for line := range strings.Lines(text) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "(docs/") {
				t.Errorf("%s: %d columns: %s", e.Name, n, line)
			}
		}
		if strings.Contains(text, "**") || strings.Contains(text, "](") {
			t.Errorf("%s: Markdown is left:\n%s", e.Name, text)
		}
	}
}
