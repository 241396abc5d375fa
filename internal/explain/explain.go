package explain

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Kind is what a word is.
type Kind string

// The kinds, in the order in which they are listed.
const (
	Alert   Kind = "alert"
	Code    Kind = "code"
	Class   Kind = "class"
	Outcome Kind = "outcome"
	Reason  Kind = "reason"
	Cause   Kind = "cause"
	Finding Kind = "finding"
	State   Kind = "state"
	Metric  Kind = "metric"
	Setting Kind = "setting"
)

// Kinds are all kinds.
func Kinds() []Kind {
	return []Kind{Alert, Code, Class, Outcome, Reason, Cause, Finding, State, Metric, Setting}
}

// Field is one column of a row.
type Field struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Entry is what one page says about a word.
type Entry struct {
	Kind    Kind    `json:"kind"`
	Name    string  `json:"name"`
	Page    string  `json:"page"`             // below docs
	Section string  `json:"section"`          // heading
	Fields  []Field `json:"fields,omitempty"` // of a row
	Text    string  `json:"text,omitempty"`   // of a section
	See     []Entry `json:"see,omitempty"`    // what belongs to it: the class of a code, the alerts of a metric

	words []string // that it is found by, apart from Name
}

// All are all entries.
var All = sync.OnceValue(func() []Entry {
	alerts, words := alertEntries(), wordEntries()
	return slices.Concat(alerts, codeEntries(words), words, findingEntries(), stateEntries(), metricEntries(alerts), settingEntries())
})

// sweepPrefix begins the reasons of the sweep: the rest is an outcome, or another reason.
const sweepPrefix = "sweep_"

// Find returns what is known about a word. Capitals do not matter, but where several entries differ only
// in them, the exact one is meant. A setting may be named by its last keys. The parts of "40004 ACQ.SYSTEM_ERROR" are looked for one by one if the
// whole is not known.
func Find(what string) []Entry {
	what = strings.TrimSpace(what)
	exact := pick(func(e Entry) bool { return e.Name == what || slices.Contains(e.words, what) })
	if len(exact) > 0 {
		return exact
	}
	same := func(name string) bool { return strings.EqualFold(name, what) }
	found := pick(func(e Entry) bool {
		return same(e.Name) || slices.ContainsFunc(e.words, same) || e.Kind == Setting && matchesPath(e.Name, what)
	})
	if len(found) == 0 {
		found = pick(func(e Entry) bool { return e.Kind == Setting && strings.HasSuffix(e.Name, "."+what) })
	}
	if rest, swept := strings.CutPrefix(strings.ToLower(what), sweepPrefix); swept && rest != "" && len(found) == 0 {
		if about := Find(rest); len(about) > 0 {
			return append(Find(strings.TrimSuffix(sweepPrefix, "_")), about...)
		}
	}
	if parts := strings.FieldsFunc(what, func(r rune) bool { return r == ' ' || r == '/' || r == ',' }); len(found) == 0 && len(parts) > 1 {
		for _, part := range parts {
			found = append(found, Find(part)...)
		}
	}
	return found
}

func pick(is func(Entry) bool) []Entry {
	var found []Entry
	for _, e := range All() {
		if is(e) {
			found = append(found, e)
		}
	}
	return found
}

// Names are the names of a kind, each once, in the order of the pages.
func Names(k Kind) []string {
	var all []string
	seen := map[string]bool{}
	for _, e := range All() {
		if e.Kind == k && !seen[e.Name] {
			seen[e.Name] = true
			all = append(all, e.Name)
		}
	}
	return all
}

// most is how many characters of a word are compared with names: it comes from outside.
const most = 100

// Closest returns at most three names that look like a word.
func Closest(what string) []string {
	what = strings.ToLower(what[:min(len(what), most)])
	type near struct {
		name     string
		distance int
	}
	var all []near
	for _, k := range Kinds() {
		for _, name := range Names(k) {
			lower := strings.ToLower(name)
			d := distance(what, lower)
			if i := strings.LastIndexAny(lower, ".[]"); i >= 0 { // the last part may be all that was typed
				d = min(d, distance(what, lower[i+1:])+1)
			}
			if len(what) > 3 && strings.Contains(lower, what) {
				d = min(d, 1)
			}
			if d < len(what) && d <= max(2, len(what)/3) && !slices.ContainsFunc(all, func(n near) bool { return n.name == name }) {
				all = append(all, near{name, d})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, n := range all[:min(3, len(all))] {
		names = append(names, n.name)
	}
	return names
}

// distance is how many letters must be added, removed or changed (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
