package repo_test

import (
	"bytes"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"

	"alipay-kafka-bridge/internal/metrics"
)

const (
	alertsFile   = "deploy/prometheus/alerts.yaml"
	runbooksFile = "docs/runbooks.md"
)

// rule is one rule of Prometheus: an alert, or a record that others use.
type rule struct {
	Record        string            `yaml:"record"`
	Alert         string            `yaml:"alert"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for"`
	KeepFiringFor string            `yaml:"keep_firing_for"`
	Labels        map[string]string `yaml:"labels"`
	Annotations   map[string]string `yaml:"annotations"`
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	d := yaml.NewDecoder(bytes.NewReader(read(t, alertsFile)))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 30 {
		t.Fatalf("%s has %d rules", alertsFile, len(all))
	}
	return all
}

// foreign are metrics and labels of Prometheus itself and of its client library.
var (
	foreignMetrics = []string{"up", "process_start_time_seconds"}
	foreignLabels  = []string{"job", "instance", "le"}
)

var (
	selector  = regexp.MustCompile(`\b(bridge[_:][a-z0-9_:]+|up|process_start_time_seconds)\b(?:\{([^}]*)\})?`)
	matcher   = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	grouping  = regexp.MustCompile(`\b(?:by|on|group_left) \(([^)]*)\)`)
	reference = regexp.MustCompile(`\$labels\.([a-z_]+)`)
)

// labelsOf returns the labels that a metric or record may have, and whether there is one of that name.
func labelsOf(name string, all []rule) (labels []metrics.Label, known bool) {
	for _, m := range metrics.All() {
		if name == m.Prometheus() {
			return m.Labels, m.Kind != metrics.Histogram
		}
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if m.Kind == metrics.Histogram && name == m.Prometheus()+suffix {
				return m.Labels, true
			}
		}
	}
	for _, r := range all {
		if name == r.Record {
			for _, s := range selector.FindAllStringSubmatch(r.Expr, -1) {
				more, _ := labelsOf(s[1], all)
				labels = append(labels, more...)
			}
			return labels, true
		}
	}
	return nil, slices.Contains(foreignMetrics, name)
}

// TestAlertsUseMetricsThatExist: a misspelt name or label would be an alert that never fires.
func TestAlertsUseMetricsThatExist(t *testing.T) {
	all := rules(t)
	for _, r := range all {
		var labels []metrics.Label
		for _, s := range selector.FindAllStringSubmatch(r.Expr, -1) {
			own, known := labelsOf(s[1], all)
			if !known {
				t.Errorf("%s%s: there is no metric %s", r.Alert, r.Record, s[1])
			}
			labels = append(labels, own...)
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				if slices.Contains(foreignLabels, m[1]) {
					continue
				}
				i := slices.IndexFunc(own, func(l metrics.Label) bool { return l.Name == m[1] })
				if i < 0 {
					t.Errorf("%s%s: %s has no label %s", r.Alert, r.Record, s[1], m[1])
					continue
				}
				for value := range strings.SplitSeq(m[3], "|") {
					if own[i].Values != nil && !slices.Contains(own[i].Values, value) {
						t.Errorf("%s%s: label %s of %s has no value %q", r.Alert, r.Record, m[1], s[1], value)
					}
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(r.Expr, -1) {
			for name := range strings.SplitSeq(g[1], ",") {
				if name = strings.TrimSpace(name); name != "" && !hasLabel(labels, name) {
					t.Errorf("%s%s: none of its metrics has a label %s", r.Alert, r.Record, name)
				}
			}
		}
		for _, ref := range reference.FindAllStringSubmatch(strings.Join(slices.Collect(maps.Values(r.Annotations)), " "), -1) {
			if !hasLabel(labels, ref[1]) && !slices.Contains(foreignLabels, ref[1]) {
				t.Errorf("%s: none of its metrics has a label %s for its texts", r.Alert, ref[1])
			}
		}
	}
}

func hasLabel(labels []metrics.Label, name string) bool {
	return slices.Contains(foreignLabels, name) || slices.ContainsFunc(labels, func(l metrics.Label) bool { return l.Name == name })
}

// TestAlertsAreComplete: who is woken, whose fault it is, what it is, and where to read on.
func TestAlertsAreComplete(t *testing.T) {
	all := rules(t)
	boards := map[string]string{}
	for _, uid := range []string{"overview", "provider", "engine", "status"} {
		boards["bridge-"+uid] = string(read(t, "deploy/grafana/"+uid+".json"))
	}
	showsOne := func(board string, names []string) bool {
		shown := func(b string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(b, n) })
		}
		return shown(board) || !slices.ContainsFunc(slices.Collect(maps.Values(boards)), shown)
	}
	for _, r := range all {
		if r.Alert == "" {
			continue
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		if !slices.Contains([]string{"alipay", "kafka", "bridge", "producer", "merchant"}, r.Labels["owner"]) {
			t.Errorf("%s: owner %q", r.Alert, r.Labels["owner"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: summary or description is missing", r.Alert)
		}
		if got, want := r.Annotations["runbook_url"], runbooksFile+"#"+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, got, want)
		}
		url, ok := strings.CutPrefix(r.Annotations["dashboard_url"], "/d/")
		uid, chosen := url, ""
		if i := strings.IndexAny(url, "?{"); i >= 0 {
			uid, chosen = url[:i], url[i:]
		}
		board, known := boards[uid]
		if !ok || !known {
			t.Errorf("%s: dashboard_url is %q; no dashboard of deploy/grafana has that uid", r.Alert, r.Annotations["dashboard_url"])
		}
		if !showsOne(board, metricsIn(r.Expr, all)) {
			t.Errorf("%s: %s shows none of its metrics, and another dashboard does", r.Alert, uid)
		}
		for _, label := range []string{"app", "account"} {
			has, chooses := strings.Contains(board, `"name": "`+label+`"`), strings.Contains(chosen, "var-"+label+"={{")
			if label == "app" {
				chooses = chooses || strings.Contains(chosen, "{{ with $labels.app }}") && strings.Contains(chosen, "var-app={{ . }}")
			}
			if gives := slices.Contains(outerLabels(r.Expr, all), label); gives != chooses || chooses && !has {
				t.Errorf("%s: it has the label %s: %v, dashboard_url chooses it: %v, %s has the variable: %v", r.Alert, label, gives, chooses, uid, has)
			}
		}
		for name, text := range r.Annotations {
			if err := expand(text); err != nil {
				t.Errorf("%s: %s: %v", r.Alert, name, err)
			}
		}
	}
}

// outer is the first grouping of an expression.
var outer = regexp.MustCompile(`\bby \(([^)]*)\)`)

// outerLabels are the labels of what an expression yields: those of its first grouping, or of that of a record.
func outerLabels(expr string, all []rule) []string {
	if m := outer.FindStringSubmatch(expr); m != nil {
		return strings.Split(strings.ReplaceAll(m[1], " ", ""), ",")
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		for _, r := range all {
			if r.Record == s[1] {
				return outerLabels(r.Expr, all)
			}
		}
	}
	return nil
}

// expand expands a text as Prometheus does, with all labels.
func expand(text string) error {
	labels := map[string]string{}
	for _, m := range metrics.All() {
		for _, l := range m.Labels {
			labels[l.Name] = "x"
		}
	}
	for _, name := range foreignLabels {
		labels[name] = "x"
	}
	write := func(any) string { return "1" }
	functions := template.FuncMap{"humanize": write, "humanizeDuration": write, "humanizePercentage": write}
	parsed, err := template.New("").Funcs(functions).Option("missingkey=error").Parse("{{$labels := .Labels}}{{$value := .Value}}" + text)
	if err != nil {
		return err
	}
	return parsed.Execute(io.Discard, map[string]any{"Labels": labels, "Value": 1.5})
}

// TestEveryCauseAndReasonHasAnAlert: the rules divide causes and reasons by owner, and none is left out.
func TestEveryCauseAndReasonHasAnAlert(t *testing.T) {
	for alert, c := range map[string]struct {
		label  string
		values []string
	}{
		"BridgeOldestWaiting":       {"cause", metrics.Causes()},
		"BridgeDeadLetters":         {"reason", append(metrics.DeadReasons(), metrics.Other)},
		"BridgeStatusAnomaly":       {"kind", metrics.Anomalies()},
		"BridgeObservationsRefused": {"reason", metrics.ObservationReasons()},
	} {
		for _, value := range c.values {
			n := 0
			for _, r := range rules(t) {
				if r.Alert != alert {
					continue
				}
				m := matcher.FindStringSubmatch(r.Expr)
				if in := slices.Contains(strings.Split(m[3], "|"), value); m[1] == c.label && in == !strings.HasPrefix(m[2], "!") {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s: %s %s is in %d rules, want 1", alert, c.label, value, n)
			}
		}
	}
}

// TestEveryAlertHasARunbook: with all its parts and the names of its metrics, and no section is left over.
func TestEveryAlertHasARunbook(t *testing.T) {
	sections := map[string]string{}
	for _, s := range strings.Split(string(read(t, runbooksFile)), "\n## ")[1:] {
		name, text, _ := strings.Cut(s, "\n")
		sections[name] = text
	}
	all := rules(t)
	alerts := map[string]bool{}
	for _, r := range all {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		text, known := sections[r.Alert]
		if !known {
			t.Errorf("%s has no section in %s", r.Alert, runbooksFile)
			continue
		}
		_, named, _ := strings.Cut(text, "\nMetrics: ")
		for _, m := range metricsIn(r.Expr, all) {
			if !strings.Contains(named, "`"+m+"`") {
				t.Errorf("%s: the section does not name %s", r.Alert, m)
			}
		}
	}
	for name, text := range sections {
		if !alerts[name] {
			t.Errorf("%s: there is no alert %s", runbooksFile, name)
		}
		at := 0
		for _, part := range []string{"**Meaning.**", "**What happens to money.**", "**First step.**", "**Find the cause.**", "**Fix.**", "**Never do.**"} {
			i := strings.Index(text[at:], "\n"+part+" ")
			if i < 0 {
				t.Errorf("%s: %s: %s is missing or not in its place", runbooksFile, name, part)
				continue
			}
			at += i
		}
	}
}

// metricsIn are the bridge's metrics that an expression uses, also through records.
func metricsIn(expr string, all []rule) []string {
	var found []string
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		for _, m := range metrics.All() {
			if strings.HasPrefix(s[1]+"_", m.Prometheus()+"_") {
				found = append(found, m.Prometheus())
			}
		}
		for _, r := range all {
			if r.Record == s[1] {
				found = append(found, metricsIn(r.Expr, all)...)
			}
		}
	}
	return found
}

// TestAlertsAreTested: promtool's file names each alert in a firing and in a quiet case.
func TestAlertsAreTested(t *testing.T) {
	text := string(read(t, "deploy/prometheus/alerts_test.yaml"))
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		name := `ALERTS{alertname="` + r.Alert + `",alertstate="firing"}`
		if !strings.Contains(text, `(`+name+`)`) || !strings.Contains(text, `'`+name+`'`) {
			t.Errorf("%s has no firing or no quiet case in deploy/prometheus/alerts_test.yaml", r.Alert)
		}
	}
}

// TestInhibitions: the rules name alerts that exist, and labels that they have.
func TestInhibitions(t *testing.T) {
	var file struct {
		Rules []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
			Equal  []string `yaml:"equal"`
		} `yaml:"inhibit_rules"`
	}
	d := yaml.NewDecoder(bytes.NewReader(read(t, "deploy/prometheus/inhibit.yaml")))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	if len(file.Rules) < 4 {
		t.Errorf("%d rules", len(file.Rules))
	}
	all := rules(t)
	for _, r := range file.Rules {
		for _, side := range [][]string{r.Source, r.Target} {
			var named []rule
			for _, m := range matcher.FindAllStringSubmatch(strings.Join(side, " "), -1) {
				if m[1] == "alertname" {
					is := regexp.MustCompile("^(" + m[3] + ")$")
					for name := range strings.SplitSeq(m[3], "|") {
						if !slices.ContainsFunc(all, func(a rule) bool { return regexp.MustCompile("^(" + name + ")$").MatchString(a.Alert) }) {
							t.Errorf("there is no alert %s", name)
						}
					}
					for _, a := range all {
						if is.MatchString(a.Alert) {
							named = append(named, a)
						}
					}
				}
			}
			equal := slices.Clone(r.Equal)
			for _, label := range []string{"namespace", "cluster"} { // Prometheus adds them, and they keep installations apart
				if !slices.Contains(equal, label) {
					t.Errorf("a rule does not compare %s: %v", label, r)
				}
				equal = slices.DeleteFunc(equal, func(l string) bool { return l == label })
			}
			if len(equal) > 2 || len(named) == 0 { // the general rule, where most labels are missing on both sides
				continue
			}
			for _, label := range equal {
				for _, a := range named {
					if !givesLabel(a.Expr, label, all) {
						t.Errorf("%s has no label %s, by which it would inhibit or be inhibited", a.Alert, label)
					}
				}
			}
		}
	}
}

// givesLabel reports whether an expression, or a record that it uses, groups by a label.
func givesLabel(expr, label string, all []rule) bool {
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for name := range strings.SplitSeq(g[1], ",") {
			if strings.TrimSpace(name) == label {
				return true
			}
		}
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		for _, r := range all {
			if r.Record == s[1] && givesLabel(r.Expr, label, all) {
				return true
			}
		}
	}
	return false
}
