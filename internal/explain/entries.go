package explain

import (
	"regexp"
	"slices"
	"strings"
)

// alertEntries are the sections of the runbooks.
func alertEntries() []Entry {
	var all []Entry
	for _, s := range sections("runbooks.md")[1:] {
		all = append(all, Entry{Kind: Alert, Name: s.title, Page: "runbooks.md", Section: s.title, Text: plain(s.text)})
	}
	return all
}

// kindsOfReasons are the sections of reasons.md whose rows are not reasons.
var kindsOfReasons = map[string]Kind{"Classes": Class, "Outcomes": Outcome, "Causes": Cause}

// wordEntries are the rows of reasons.md.
func wordEntries() []Entry {
	var all []Entry
	for _, s := range sections("reasons.md")[1:] {
		kind, known := kindsOfReasons[s.title]
		if !known {
			kind = Reason
		}
		before, _, _ := strings.Cut(s.text, "\n|")
		for _, row := range s.rows() {
			all = append(all, Entry{Kind: kind, Name: word(row[0].Text), Page: "reasons.md", Section: s.title, Fields: fields(row[1:]), Text: plain(strings.TrimSpace(before))})
		}
	}
	return all
}

// findingEntries are the rows of findings.md.
func findingEntries() []Entry {
	var all []Entry
	for _, s := range sections("findings.md")[1:] {
		for _, row := range s.rows() {
			all = append(all, Entry{Kind: Finding, Name: word(row[0].Text), Page: "findings.md", Section: s.title, Fields: fields(row[1:])})
		}
	}
	return all
}

// stateEntries are the states of an order in consumers.md.
func stateEntries() []Entry {
	var all []Entry
	for _, s := range sections("consumers.md") {
		if s.title != "States" {
			continue
		}
		for _, row := range s.rows() {
			all = append(all, Entry{Kind: State, Name: row[0].Text, Page: "consumers.md", Section: s.title, Fields: fields(row[1:])})
		}
	}
	return all
}

// fields are those with a text.
func fields(row []Field) []Field {
	var all []Field
	for _, f := range row {
		if f.Text != "" {
			all = append(all, Field{f.Name, plain(f.Text)})
		}
	}
	return all
}

// codeEntries are the rows of codes.md, each with its class. A row of codes that no table has is found by
// each of its codes; a sub_code is found with its prefix and without.
func codeEntries(words []Entry) []Entry {
	var all []Entry
	for _, s := range sections("codes.md") {
		for _, row := range s.rows() {
			e := Entry{Kind: Code, Page: "codes.md", Section: s.title, Fields: fields(row)}
			if row[1].Name == "sub_code" {
				e.Name = word(row[1].Text)
				if _, bare, found := strings.Cut(e.Name, "."); found {
					e.words = append(e.words, bare)
				}
			} else {
				e.Name = row[0].Text
				e.words = strings.Split(row[0].Text, ", ")
			}
			for _, f := range row {
				if f.Name == "class" {
					e.See = named(words, Class, f.Text)
				}
			}
			all = append(all, e)
		}
	}
	return all
}

func named(all []Entry, k Kind, name string) []Entry {
	var found []Entry
	for _, e := range all {
		if e.Kind == k && e.Name == name {
			found = append(found, e)
		}
	}
	return found
}

var seriesSuffixes = []string{"_bucket", "_count", "_sum"}

// metricEntries are the rows of metrics.md, each with the names of the alerts that use it.
func metricEntries(alerts []Entry) []Entry {
	var all []Entry
	for _, s := range sections("metrics.md") {
		if s.title != "" {
			continue // labels
		}
		for _, row := range s.rows() {
			e := Entry{Kind: Metric, Name: word(row[0].Text), Page: "metrics.md", Fields: fields(row[1:])}
			for _, suffix := range seriesSuffixes {
				e.words = append(e.words, e.Name+suffix)
			}
			if used := usersOf(e.Name, alerts); len(used) > 0 {
				e.Fields = append(e.Fields, Field{"alerts", strings.Join(used, ", ")})
			}
			all = append(all, e)
		}
	}
	return all
}

func usersOf(metric string, alerts []Entry) []string {
	var used []string
	for _, a := range alerts {
		if _, named, _ := strings.Cut(a.Text, "\nMetrics: "); strings.Contains(named, "`"+metric+"`") {
			used = append(used, a.Name)
		}
	}
	return used
}

// settingEntries are the rows of settings.md, by their paths, and its sections.
func settingEntries() []Entry {
	var all []Entry
	for _, s := range sections("settings.md")[1:] {
		at := s.title + "."
		if s.title == "Top level" {
			at = ""
		}
		for _, row := range s.rows() {
			key := word(row[0].Text)
			e := Entry{Kind: Setting, Name: at + key, Page: "settings.md", Section: s.title, Fields: fields(row[1:])}
			if below := keysBelow(e.Name); len(below) > 0 {
				e.Fields = append(e.Fields, Field{"keys", strings.Join(below, ", ")})
			}
			all = append(all, e)
		}
	}
	return all
}

// keysBelow are the keys of the section that a setting leads to.
func keysBelow(path string) []string {
	var keys []string
	for _, s := range sections("settings.md")[1:] {
		if slices.Contains([]string{path, path + ".NAME", path + "[]"}, s.title) {
			for _, row := range s.rows() {
				keys = append(keys, word(row[0].Text))
			}
		}
	}
	return keys
}

var index = regexp.MustCompile(`\[\d*\]`)

// matchesPath reports whether a path as people write it, apps.main.queries.rate or topics.inputs[0].name,
// is the one of a setting. The section itself may be meant: apps.main is apps.NAME, and that is apps.
func matchesPath(setting, path string) bool {
	want := strings.Split(index.ReplaceAllString(setting, ""), ".")
	got := strings.Split(index.ReplaceAllString(path, ""), ".")
	if len(got) == len(want)+1 && slices.Contains([]string{"apps", "accounts"}, setting) {
		got = got[:1]
	}
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		if want[i] != "NAME" && !strings.EqualFold(want[i], got[i]) {
			return false
		}
	}
	return true
}
