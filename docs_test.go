package repo_test

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// pages are the documents of the project, without those of a tool's own folder.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (d.Name()[0] == '.' || slices.Contains([]string{"testdata", "node_modules", "try"}, d.Name())):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var fence = regexp.MustCompile("(?ms)^ *```.*?^ *```[ \t]*$")

// prose is a page without its blocks of code.
func prose(t *testing.T, page string) string {
	t.Helper()
	return fence.ReplaceAllString(string(read(t, page)), "")
}

var heading = regexp.MustCompile(`(?m)^#+ (.*)$`)

// anchors are the names that GitHub gives to the headings of a page.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := anchor(m[1])
		for n := 1; all[name]; n++ {
			name = anchor(m[1]) + "-" + strconv.Itoa(n)
		}
		all[name] = true
	}
	return all
}

func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}

func TestAnchors(t *testing.T) {
	got := anchors("# The page\n\n## `kafka.tls[]`, and why\n\n## Twice\n\n### Twice\n")
	for _, want := range []string{"the-page", "kafkatls-and-why", "twice", "twice-1"} {
		if !got[want] {
			t.Errorf("%q is not in %v", want, got)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]*)\)`)

// links are those of a page to files of the project, as path and anchor.
func links(t *testing.T, page string) [][2]string {
	t.Helper()
	var all [][2]string
	for _, m := range link.FindAllStringSubmatch(prose(t, page), -1) {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
			continue
		}
		path, name, _ := strings.Cut(m[1], "#")
		all = append(all, [2]string{filepath.Join(filepath.Dir(page), cmp.Or(path, filepath.Base(page))), name})
	}
	return all
}

// Links between documents lead to files and headings that exist.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, l := range links(t, page) {
			if _, err := os.Stat(l[0]); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, l[0])
			} else if l[1] != "" && !anchors(prose(t, l[0]))[l[1]] {
				t.Errorf("%s links to %s#%s: there is no such heading", page, l[0], l[1])
			}
		}
	}
}

// An alert leads to a heading that exists.
func TestRunbooksOfAlertsExist(t *testing.T) {
	for _, r := range rules(t) {
		page, name, _ := strings.Cut(r.Annotations["runbook_url"], "#")
		if r.Alert != "" && !anchors(prose(t, page))[name] {
			t.Errorf("%s: runbook_url leads to %s#%s, which does not exist", r.Alert, page, name)
		}
	}
}

// Whoever begins at docs/README.md finds every page, and the index has one line for each.
func TestEveryPageIsReachable(t *testing.T) {
	const index = "docs/README.md"
	seen := map[string]bool{}
	for todo := []string{index}; len(todo) > 0; todo = todo[1:] {
		if page := todo[0]; !seen[page] && filepath.Ext(page) == ".md" {
			seen[page] = true
			for _, l := range links(t, page) {
				todo = append(todo, l[0])
			}
		}
	}
	inIndex := map[string]int{}
	for _, l := range links(t, index) {
		inIndex[l[0]]++
	}
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/") && !seen[page] {
			t.Errorf("no link leads from %s to %s", index, page)
		}
		if dir := filepath.Dir(page); page != index && (dir == "docs" || dir == "docs/howto" || dir == "docs/tutorial") && inIndex[page] != 1 {
			t.Errorf("%s has %d links to %s, want 1", index, inIndex[page], page)
		}
	}
}

var named = regexp.MustCompile(`\bdocs/[\w/.-]+\.md\b`)

// Code, scripts and settings name pages that exist.
func TestNamedPagesExist(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".go", ".md", ".sh", ".yaml", ".avsc", ".txt"}, filepath.Ext(path)) {
			return err
		}
		for _, page := range named.FindAllString(string(read(t, path)), -1) {
			if _, err := os.Stat(page); err != nil {
				t.Errorf("%s names %s, which does not exist", path, page)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
