//go:build integration

package integration_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// seen are the labels of each metric and recorded series that a Prometheus of the drills had, with their values.
var seen struct {
	sync.Mutex
	labels map[string]map[string]map[string]bool // by metric and label
}

// note adds what this Prometheus has.
func (m *monitoring) note() {
	if m.t.Failed() {
		return
	}
	var answer struct{ Data []map[string]string }
	m.get("http://"+m.prometheus+"/api/v1/series?"+url.Values{"match[]": {`{__name__!=""}`}}.Encode(), &answer)
	seen.Lock()
	defer seen.Unlock()
	if seen.labels == nil {
		seen.labels = map[string]map[string]map[string]bool{}
	}
	for _, series := range answer.Data {
		name := series["__name__"]
		if series["alertstate"] == "pending" {
			continue // it did not fire
		}
		if seen.labels[name] == nil {
			seen.labels[name] = map[string]map[string]bool{}
		}
		for label, value := range series {
			if seen.labels[name][label] == nil {
				seen.labels[name][label] = map[string]bool{}
			}
			seen.labels[name][label][value] = true
		}
	}
}

var (
	seriesIn   = regexp.MustCompile(`\b(bridge[_:][a-z0-9_:]+|up|(?:process|go|http_client|messaging_client|messaging_process)_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	matcherIn  = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	groupingIn = regexp.MustCompile(`\b(?:by|on|group_left) \(([^)]*)\)`)
	legendIn   = regexp.MustCompile(`\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}`)
)

// unseen are metrics that need more time than a drill has, an event that waits for five minutes, or a damaged disk.
var unseen = map[string]bool{"bridge_head_retention_left_seconds": true, "bridge_status_store_emptied_timestamp_seconds": true}

// checkLabels: each metric with each label that alerts, inhibitions and dashboards name was in a scrape. Values that a
// counter is asked for must be there before the first event.
func checkLabels(t *testing.T) {
	exprs := map[string]string{} // with legends and texts, which name labels too
	alerts := map[string]bool{}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			exprs[r.Alert+r.Record+r.Labels["severity"]+r.Labels["owner"]] = r.Expr + " " + strings.Join(slices.Collect(maps.Values(r.Annotations)), " ")
			alerts[r.Alert] = true
		}
	}
	boards, err := filepath.Glob("../deploy/grafana/*.json")
	must(t, err)
	for _, file := range boards {
		text, err := os.ReadFile(file)
		must(t, err)
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr, LegendFormat string }
			}
		}
		must(t, json.Unmarshal(text, &board))
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				exprs[filepath.Base(file)+": "+p.Title+" "+q.Expr] = q.Expr + " " + q.LegendFormat
			}
		}
	}
	if len(exprs) < 60 {
		t.Fatalf("%d expressions", len(exprs))
	}
	for where, expr := range exprs {
		known := map[string]bool{"le": true, "job": true, "instance": true}
		for _, s := range seriesIn.FindAllStringSubmatch(expr, -1) {
			labels := seen.labels[s[1]]
			if unseen[s[1]] {
				labels = map[string]map[string]bool{"topic": {}, "partition": {}}
			}
			if labels == nil {
				t.Errorf("%s: no scrape had %s", where, s[1])
				continue
			}
			for label := range labels {
				known[label] = true
			}
			for _, m := range matcherIn.FindAllStringSubmatch(s[2], -1) {
				if labels[m[1]] == nil {
					t.Errorf("%s: no %s had a label %s", where, s[1], m[1])
				}
				for value := range strings.SplitSeq(m[3], "|") {
					if strings.HasSuffix(s[1], "_total") && !labels[m[1]][value] {
						t.Errorf("%s: no %s had %s=%q", where, s[1], m[1], value)
					}
				}
			}
		}
		for _, g := range groupingIn.FindAllStringSubmatch(expr, -1) {
			for label := range strings.SplitSeq(g[1], ",") {
				if label = strings.TrimSpace(label); label != "" && !known[label] {
					t.Errorf("%s: no series of it had a label %s", where, label)
				}
			}
		}
		for _, l := range legendIn.FindAllStringSubmatch(expr, -1) {
			if !known[l[1]] {
				t.Errorf("%s: no series of it had a label %s", where, l[1])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(alerts)) {
		if name != "" && !seen.labels["ALERTS"]["alertname"][name] && !undrilled[name] {
			t.Errorf("%s was not drilled", name)
		}
		if undrilled[name] && seen.labels["ALERTS"]["alertname"][name] {
			t.Errorf("%s was drilled, and is listed as not", name)
		}
	}
}
