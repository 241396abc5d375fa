//go:build integration

package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// monitoring is a Prometheus that scrapes each second, with the alerts of deploy made faster, and an
// Alertmanager with the inhibitions of deploy.
type monitoring struct {
	t            *testing.T
	prometheus   string // host and port
	alertmanager string
	phase        time.Time // when the phase began that the test is in
}

// prometheusScript runs prometheus.sh.
func prometheusScript(env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("./prometheus.sh", args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd.CombinedOutput()
}

// needPrometheus skips the test where Prometheus cannot be built, but not in CI.
func needPrometheus(t *testing.T) {
	t.Helper()
	if out, err := prometheusScript(nil, "get"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("Prometheus cannot be built: %v\n%s", err, out)
		}
		t.Skipf("Prometheus cannot be built: %v\n%s", err, out)
	}
}

// monitor starts both until the end of the test. They scrape these ports of 127.0.0.1.
func monitor(t *testing.T, ports ...string) *monitoring {
	t.Helper()
	text, err := yaml.Marshal(faster(readRules(t), alertsFactor))
	must(t, err)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	must(t, os.WriteFile(rules, text, 0o600))
	own := freePorts(t, 2)
	env := []string{
		"PROMETHEUS_PORT=" + own[0], "ALERTMANAGER_PORT=" + own[1], "PROMETHEUS_RULES=" + rules, "PROMETHEUS_INTERVAL=1s",
		"PROMETHEUS_TARGETS=127.0.0.1:" + strings.Join(ports, " 127.0.0.1:"),
	}
	out, err := prometheusScript(env, "start")
	t.Cleanup(func() { _, _ = prometheusScript(env, "stop") })
	if err != nil {
		t.Fatalf("start Prometheus: %v\n%s", err, out)
	}
	return &monitoring{t: t, prometheus: "127.0.0.1:" + own[0], alertmanager: "127.0.0.1:" + own[1], phase: time.Now()}
}

// get reads JSON.
func (m *monitoring) get(address string, into any) {
	m.t.Helper()
	res, err := http.Get(address)
	must(m.t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %s", address, res.Status)
	}
	must(m.t, json.NewDecoder(res.Body).Decode(into))
}

// query returns the labels of each series of an instant query, with its value.
func (m *monitoring) query(expr string) (series []map[string]string, values []string) {
	m.t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	m.get("http://"+m.prometheus+"/api/v1/query?"+url.Values{"query": {expr}}.Encode(), &answer)
	for _, r := range answer.Data.Result {
		series, values = append(series, r.Metric), append(values, fmt.Sprint(r.Value[1]))
	}
	return series, values
}

// textOf is an alert as the drills name it: its name, severity and owner, and its other labels in order.
func (m *monitoring) textOf(labels map[string]string) string {
	text := labels["alertname"] + " " + labels["severity"] + " " + labels["owner"]
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if !slices.Contains([]string{"__name__", "alertname", "alertstate", "severity", "owner", "job"}, name) {
			text += " " + name + "=" + labels[name]
		}
	}
	return text
}

// firing are the alerts that fire now, or have since the phase began.
func (m *monitoring) firing(ever bool) []string {
	m.t.Helper()
	expr := `ALERTS{alertstate="firing"}`
	if ever {
		expr = fmt.Sprintf(`count_over_time(%s[%dms])`, expr, time.Since(m.phase).Milliseconds()+1)
	}
	var out []string
	series, _ := m.query(expr)
	for _, s := range series {
		out = append(out, m.textOf(s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inhibited are the alerts that Alertmanager does not pass on now, because of another one.
func (m *monitoring) inhibited() []string {
	m.t.Helper()
	var alerts []struct {
		Labels map[string]string
		Status struct{ InhibitedBy []string }
	}
	m.get("http://"+m.alertmanager+"/api/v2/alerts", &alerts)
	var out []string
	for _, a := range alerts {
		if len(a.Status.InhibitedBy) > 0 {
			out = append(out, m.textOf(a.Labels))
		}
	}
	slices.Sort(out)
	return out
}

// fires waits until exactly these alerts have fired in this phase, and until Alertmanager holds back
// exactly those that begin with "- ". An alert that is not in the list is an error at once, but for one: with times this
// short, BridgeSettleFailing also fires when the broker, which the drills share, stands still for a few seconds. It must
// then end by itself, so that a pipeline that does not settle again still fails the drill.
func (m *monitoring) fires(drill string, limit time.Duration, want ...string) {
	m.t.Helper()
	var held []string
	for i, w := range want {
		if text, is := strings.CutPrefix(w, "- "); is {
			held = append(held, text)
			want[i] = text
		}
	}
	slices.Sort(want)
	slices.Sort(held)
	stall := func(alert string) bool {
		return strings.HasPrefix(alert, "BridgeSettleFailing ") && !slices.Contains(want, alert)
	}
	began := time.Now()
	var got, back []string
	for end := began.Add(limit); ; time.Sleep(200 * time.Millisecond) {
		got, back = m.firing(true), m.inhibited()
		apart := slices.DeleteFunc(slices.Clone(got), stall)
		stalled := slices.ContainsFunc(m.firing(false), stall)
		if !stalled && slices.Equal(apart, want) && slices.Equal(back, held) {
			m.t.Logf("%s: %d alerts after %v, and %d stalls", drill, len(apart), time.Since(began).Round(100*time.Millisecond), len(got)-len(apart))
			return
		}
		if stalled {
			end = began.Add(max(limit, untilFires))
		}
		extra := slices.ContainsFunc(apart, func(s string) bool { return !slices.Contains(want, s) })
		if extra || time.Now().After(end) || m.t.Context().Err() != nil {
			break
		}
	}
	m.t.Fatalf("%s: after %v these alerts fired:\n  %s\nwant:\n  %s\nheld back:\n  %s\nwant:\n  %s", drill, time.Since(began).Round(100*time.Millisecond),
		strings.Join(got, "\n  "), strings.Join(want, "\n  "), strings.Join(back, "\n  "), strings.Join(held, "\n  "))
}

// quiet waits until nothing fires any more but these alerts, and begins a new phase.
func (m *monitoring) quiet(limit time.Duration, but ...string) {
	m.t.Helper()
	began := time.Now()
	for left := m.firing(false); !slices.Equal(left, but); left = m.firing(false) {
		if time.Since(began) > limit {
			m.t.Fatalf("after %v these alerts still fire:\n  %s", limit, strings.Join(left, "\n  "))
		}
		time.Sleep(200 * time.Millisecond)
	}
	m.t.Logf("nothing more fires, %v later", time.Since(began).Round(100*time.Millisecond))
	m.phase = time.Now()
}

// scraped waits until Prometheus has scraped a port n times since the phase began.
func (m *monitoring) scraped(port string, n int, limit time.Duration) {
	m.t.Helper()
	await(m.t, fmt.Sprintf("%d scrapes of port %s", n, port), limit, func() bool {
		_, values := m.query(fmt.Sprintf(`sum_over_time(up{instance="127.0.0.1:%s"}[%dms]) >= %d`, port, time.Since(m.phase).Milliseconds()+1, n))
		return len(values) > 0
	})
}
