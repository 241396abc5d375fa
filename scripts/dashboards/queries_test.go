package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alipay-kafka-bridge/internal/metrics"
)

// shown is a dashboard, as Grafana reads it.
type shown struct {
	UID    string
	Panels []struct {
		Title, Type     string
		Targets         []struct{ Expr, LegendFormat, Format string }
		Transformations []struct {
			Options struct{ ExcludeByName map[string]bool }
		}
		FieldConfig struct {
			Overrides []struct {
				Matcher    struct{ Options string }
				Properties []struct{ Value any }
			}
		}
	}
	Templating struct {
		List []struct{ Name, Type, Query, Definition string }
	}
	Annotations struct {
		List []struct{ Name, Expr, TitleFormat string }
	}
}

func boards(t *testing.T) map[string]shown {
	t.Helper()
	out := map[string]shown{}
	for name, d := range all() {
		text, err := json.Marshal(d)
		var b shown
		if err == nil {
			err = json.Unmarshal(text, &b)
		}
		if err != nil {
			t.Fatal(name, err)
		}
		out[b.UID] = b
	}
	return out
}

// foreign are series of Prometheus and of its client library, with those of their labels that are named.
var foreign = map[string][]string{
	"ALERTS": {"alertname", "alertstate", "job", "instance"}, "process_cpu_seconds_total": nil, "process_resident_memory_bytes": nil, "go_goroutines": nil,
}

var (
	seriesIn   = regexp.MustCompile(`\b((?:bridge|http|messaging|process|go)_[a-z0-9_]+|ALERTS)\b(?:\{([^}]*)\})?`)
	matcherIn  = regexp.MustCompile(`^([a-z_]+)(?:=~|!~|!=|=)(?:"([^"]*)"|'\$([a-z]+)')$`)
	groupingIn = regexp.MustCompile(`\b(?:by|on|group_left) \(([^)]*)\)`)
	legendIn   = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
)

// labelsOf are the labels of a series, with the closed sets of their values.
func labelsOf(series string) (labels map[string][]string, known bool) {
	labels = map[string][]string{"instance": nil}
	for _, m := range metrics.All() {
		names := []string{m.Prometheus()}
		if m.Kind == metrics.Histogram {
			names = []string{m.Prometheus() + "_bucket", m.Prometheus() + "_sum", m.Prometheus() + "_count"}
			labels["le"] = nil
		}
		if slices.Contains(names, series) {
			for _, l := range m.Labels {
				labels[l.Prometheus()] = l.Values
			}
			return labels, true
		}
		delete(labels, "le")
	}
	names, known := foreign[series]
	for _, l := range names {
		labels[l] = nil
	}
	return labels, known
}

// faults says what is wrong with a query on a board with these variables, and with its legend.
func faults(query, legend string, variables []string) []string {
	var out []string
	all := map[string][]string{}
	found := seriesIn.FindAllStringSubmatch(groupingIn.ReplaceAllString(query, ""), -1)
	if len(found) == 0 {
		out = append(out, "it asks for nothing")
	}
	for _, s := range found {
		labels, known := labelsOf(s[1])
		if !known {
			out = append(out, "there is no "+s[1])
		}
		maps.Copy(all, labels)
		if s[2] == "" {
			for _, v := range []string{app, account} {
				if _, has := labels[v]; has {
					out = append(out, s[1]+" is shown whatever "+v+" is chosen")
				}
			}
			continue
		}
		chosen := map[string]bool{}
		for text := range strings.SplitSeq(s[2], ",") {
			m := matcherIn.FindStringSubmatch(text)
			if m == nil {
				out = append(out, "it has "+text)
				continue
			}
			values, has := labels[m[1]]
			if !has {
				out = append(out, s[1]+" has no label "+m[1])
			}
			if m[3] != "" {
				chosen[m[1]] = true
				if m[3] != m[1] || strings.Contains(text, "!") || !slices.Contains(variables, m[3]) {
					out = append(out, "the board has no variable "+m[3]+" for "+m[1])
				}
				continue
			}
			for value := range strings.SplitSeq(m[2], "|") {
				if values != nil && !slices.Contains(values, value) {
					out = append(out, m[1]+" is never "+value)
				}
			}
		}
		for _, v := range []string{app, account} {
			if _, has := labels[v]; has && !chosen[v] {
				out = append(out, s[1]+" is shown whatever "+v+" is chosen")
			}
		}
	}
	named := groupingIn.FindAllStringSubmatch(query, -1)
	named = append(named, legendIn.FindAllStringSubmatch(legend, -1)...)
	for _, g := range named {
		for label := range strings.SplitSeq(g[1], ",") {
			if _, has := all[strings.TrimSpace(label)]; !has {
				out = append(out, "nothing has a label "+label)
			}
		}
	}
	return out
}

// valuesIn is a query of a variable.
var valuesIn = regexp.MustCompile(`^label_values\(([a-z_]+), ([a-z_]+)\)$`)

// TestQueriesAskForWhatExists: each series, label, value and variable, in panels, variables and annotations. Where a metric
// has an app or an account, the board lets choose it, and the choice counts.
func TestQueriesAskForWhatExists(t *testing.T) {
	for uid, b := range boards(t) {
		var variables []string
		for _, v := range b.Templating.List {
			if v.Type != "query" {
				continue
			}
			variables = append(variables, v.Name)
			m := valuesIn.FindStringSubmatch(v.Query)
			if m == nil || v.Definition != v.Query || m[2] != v.Name {
				t.Errorf("%s: variable %s has the query %s", uid, v.Name, v.Query)
				continue
			}
			if labels, known := labelsOf(m[1]); !known || labels[v.Name] != nil || !slices.Contains(slices.Collect(maps.Keys(labels)), v.Name) {
				t.Errorf("%s: variable %s takes its values from %s", uid, v.Name, m[1])
			}
		}
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				for _, fault := range faults(q.Expr, q.LegendFormat, variables) {
					t.Errorf("%s: %s: %s: %s", uid, p.Title, q.Expr, fault)
				}
				if heat := p.Type == "heatmap"; heat != (q.Format == "heatmap") || heat && !strings.Contains(q.Expr, "sum by (le) (") || (p.Type == "table") != (q.Format == "table") {
					t.Errorf("%s: %s: a %s of %s, %s", uid, p.Title, p.Type, q.Format, q.Expr)
				}
			}
		}
		if len(b.Annotations.List) != 3 {
			t.Errorf("%s has %d annotations, want versions, settings and assignments", uid, len(b.Annotations.List))
		}
		for _, a := range b.Annotations.List {
			for _, fault := range faults(a.Expr, a.TitleFormat, nil) {
				t.Errorf("%s: %s: %s: %s", uid, a.Name, a.Expr, fault)
			}
		}
	}
}

// TestFaultsAreFound: each kind of what can be wrong with a query.
func TestFaultsAreFound(t *testing.T) {
	for query, want := range map[string]string{
		"time()":                                                      "it asks for nothing",
		"max(bridge_build_inof)":                                      "there is no bridge_build_inof",
		"rate(bridge_attempts[5m])":                                   "there is no bridge_attempts",
		"bridge_event_age_seconds":                                    "there is no bridge_event_age_seconds",
		"max by (le) (go_goroutines)":                                 "nothing has a label le",
		"max by (app) (bridge_build_info)":                            "nothing has a label app",
		`bridge_clock_offset_seconds{ap=~"main"}`:                     "bridge_clock_offset_seconds has no label ap",
		"bridge_attempts_total{class=~\"done|throtled\",app=~'$app'}": "class is never throtled",
		"bridge_clock_offset_seconds":                                 "bridge_clock_offset_seconds is shown whatever app is chosen",
		`bridge_attempts_total{class=~"done"}`:                        "bridge_attempts_total is shown whatever app is chosen",
		"bridge_attempts_total{app=~'$app',account=~'$account'}":      "the board has no variable account for account",
		"bridge_clock_offset_seconds{app!='$app'}":                    "the board has no variable app for app",
	} {
		if got := faults(query, "", []string{"app"}); !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := faults("max(bridge_build_info)", "{{app}}", nil); !slices.Equal(got, []string{"nothing has a label app"}) {
		t.Errorf("a legend: %q", got)
	}
}

// TestOverviewSaysWhatFires: alerts, and the accounts that wait longest, are tables; and Alipay has a board of its own.
func TestOverviewSaysWhatFires(t *testing.T) {
	all := boards(t)
	tables := map[string]bool{}
	for _, p := range all["bridge-overview"].Panels {
		if p.Type == "table" {
			tables[p.Targets[0].Expr] = true
		}
	}
	for _, want := range []string{`ALERTS{alertname=~"Bridge.+",alertstate="firing"}`, "topk(10, max by (account, cause) (bridge_oldest_waiting_seconds{account=~'$account'}))"} {
		if !tables[want] {
			t.Errorf("no table of %s; there are %v", want, tables)
		}
	}
	heat := 0
	for _, p := range all["bridge-provider"].Panels {
		if p.Type == "heatmap" {
			heat++
		}
	}
	if heat != 1 {
		t.Errorf("%d heat maps of exchanges", heat)
	}
}

// linkIn is what a link of a table leads to.
var linkIn = regexp.MustCompile(`^/d/([a-z-]+)\?var-([a-z]+)=`)

// TestFieldsOfPanels: links and looks belong to fields that the panel has, and links lead to a board with that variable;
// what a table hides is no name of a label that does not exist.
func TestFieldsOfPanels(t *testing.T) {
	all := boards(t)
	links := 0
	for uid, b := range all {
		for _, p := range b.Panels {
			for _, o := range p.FieldConfig.Overrides {
				field := o.Matcher.Options
				if !strings.Contains(p.Targets[0].Expr, field) && !slices.Contains(metrics.Steps(), field) {
					t.Errorf("%s: %s has no field %s", uid, p.Title, field)
				}
				for _, property := range o.Properties {
					list, ok := property.Value.([]any)
					if !ok {
						continue
					}
					links++
					url, _ := list[0].(map[string]any)["url"].(string)
					m := linkIn.FindStringSubmatch(url)
					if m == nil || !slices.ContainsFunc(all[m[1]].Templating.List, func(v struct{ Name, Type, Query, Definition string }) bool { return v.Name == m[2] }) {
						t.Errorf("%s: %s: no board has what %s leads to", uid, p.Title, url)
					}
				}
			}
			for _, tr := range p.Transformations {
				labels, _ := labelsOf(seriesIn.FindStringSubmatch(p.Targets[0].Expr)[1])
				for column := range tr.Options.ExcludeByName {
					if _, has := labels[column]; !has && !slices.Contains([]string{"Time", "Value", "__name__"}, column) {
						t.Errorf("%s: %s hides %s, which it does not have", uid, p.Title, column)
					}
				}
			}
		}
	}
	if links == 0 {
		t.Error("no table leads anywhere")
	}
}
