package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	alertsFile = "../deploy/prometheus/alerts.yaml"

	// alertsFactor divides all times of the alerts in the drills: an hour is a minute, and what
	// Prometheus looks at every 15 seconds it looks at every second.
	alertsFactor = 60
)

// ruleFile is a file of rules, as Prometheus reads it.
type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Record        string            `yaml:"record,omitempty"`
	Alert         string            `yaml:"alert,omitempty"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

func readRules(t *testing.T) ruleFile {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var f ruleFile
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

var (
	// timesInExpr are texts in quotes, which stay; ranges and steps in brackets; and numbers.
	timesInExpr = regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|\b[0-9]+(?:\.[0-9]+)?\b`)
	duration    = regexp.MustCompile(`[0-9]+[smhd]`)
)

// faster returns the rules with all times divided by a factor, but for those that stay slow. A whole number is
// seconds if it is a multiple of 60; no count in the rules is.
func faster(f ruleFile, factor int) ruleFile {
	var out ruleFile
	for _, g := range f.Groups {
		g.Rules = slices.Clone(g.Rules)
		for i := range g.Rules {
			r := &g.Rules[i]
			if staysSlow(*r) {
				continue
			}
			r.For, r.KeepFiringFor = divide(r.For, factor), divide(r.KeepFiringFor, factor)
			r.Expr = timesInExpr.ReplaceAllStringFunc(r.Expr, func(s string) string {
				switch n, err := strconv.Atoi(s); {
				case s[0] == '"':
					return s
				case s[0] == '[':
					return divide(s, factor)
				case err != nil || n == 0 || n%60 != 0:
					return s
				default:
					return strconv.FormatFloat(float64(n)/float64(factor), 'g', -1, 64)
				}
			})
		}
		out.Groups = append(out.Groups, g)
	}
	return out
}

// staysSlow reports whether a rule keeps its times in the drills: notes for planning, whose peaks would be long there, and the
// rule about a hot key, whose work is not shorter there.
func staysSlow(r rule) bool { return r.Labels["severity"] == "info" || r.Alert == "BridgeHotKey" }

// divide divides all durations in a text.
func divide(text string, factor int) string {
	return duration.ReplaceAllStringFunc(text, func(s string) string {
		n, _ := strconv.Atoi(s[:len(s)-1])
		unit := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]
		return fmt.Sprintf("%dms", (time.Duration(n) * unit / time.Duration(factor)).Milliseconds())
	})
}

// TestFasterRulesAreTheSame: the drills test the rules that are deployed. Only times differ, all of
// them, and by the factor.
func TestFasterRulesAreTheSame(t *testing.T) {
	before := readRules(t)
	after := faster(before, alertsFactor)
	number := regexp.MustCompile(`\b[0-9]+(?:\.[0-9]+)?(?:ms|[smhd])?\b`)
	changed := map[string]string{}
	for i, g := range before.Groups {
		if g.Name != after.Groups[i].Name || len(g.Rules) != len(after.Groups[i].Rules) {
			t.Fatalf("group %s is another", g.Name)
		}
		for j, b := range g.Rules {
			a := after.Groups[i].Rules[j]
			if b.Alert != a.Alert || b.Record != a.Record || !reflect.DeepEqual(b.Labels, a.Labels) || !reflect.DeepEqual(b.Annotations, a.Annotations) {
				t.Errorf("%s%s: name, labels or annotations changed", b.Alert, b.Record)
			}
			if staysSlow(b) {
				continue
			}
			for k, was := range []string{b.Expr, b.For, b.KeepFiringFor} {
				is := []string{a.Expr, a.For, a.KeepFiringFor}[k]
				if number.ReplaceAllString(was, "N") != number.ReplaceAllString(is, "N") {
					t.Errorf("%s%s: not only times changed:\n%s\n%s", b.Alert, b.Record, was, is)
				}
				old := number.FindAllString(was, -1)
				for n, now := range number.FindAllString(is, -1) {
					changed[old[n]] = now
				}
			}
		}
	}
	var stay []string
	for old, now := range changed {
		if old == now {
			stay = append(stay, old)
			continue
		}
		if a, b := inMilliseconds(t, now)*alertsFactor, inMilliseconds(t, old); a != b {
			t.Errorf("%s became %s", old, now)
		}
	}
	// Shares, counts, differences of clocks, states and a bucket: no time that passes.
	slices.Sort(stay)
	if got, want := strings.Join(stay, " "), "0 0.01 0.1 0.5 0.95 1 10 100 14 14.4 3 30 4 5 6"; got != want {
		t.Errorf("these numbers stay: %s\nwant %s", got, want)
	}
	if reflect.DeepEqual(after, before) || !reflect.DeepEqual(readRules(t), before) {
		t.Error("nothing changed, or the rules that were given did")
	}
}

// inMilliseconds reads a duration, or a number of seconds.
func inMilliseconds(t *testing.T, s string) float64 {
	t.Helper()
	digits := strings.TrimRight(s, "msdh")
	ms := map[string]float64{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "": 1000}[s[len(digits):]]
	if n, err := strconv.ParseFloat(digits, 64); err == nil {
		return n * ms
	}
	t.Fatalf("%q is no time", s)
	return 0
}
