package explain

import (
	"regexp"
	"strings"

	"alipay-kafka-bridge/docs"
)

// section is a part of a page, below one heading of the second level.
type section struct {
	title string
	text  string
}

// sections divides a page.
func sections(page string) []section {
	text, err := docs.Pages.ReadFile(page)
	if err != nil {
		panic(err) // the page is embedded
	}
	var all []section
	for i, part := range strings.Split("\n"+string(text), "\n## ") {
		title, rest, _ := strings.Cut(part, "\n")
		if i == 0 { // what is above the first heading may have a table too
			title, rest = "", part
		}
		all = append(all, section{title, strings.TrimSpace(rest)})
	}
	return all
}

// rows are the rows of the table in a section, each as its columns' names and cells.
func (s section) rows() [][]Field {
	var head []string
	var all [][]Field
	for line := range strings.Lines(s.text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			head = nil
		case head == nil:
			head = cells(line)
		case !strings.HasPrefix(line, "|---"):
			var row []Field
			for i, cell := range cells(line) {
				row = append(row, Field{head[i], cell})
			}
			all = append(all, row)
		}
	}
	return all
}

// cells divides a line of a table. A vertical line in a cell is written as \|.
func cells(line string) []string {
	const kept = "\x00"
	line = strings.ReplaceAll(strings.Trim(line, "|"), `\|`, kept)
	all := strings.Split(line, "|")
	for i, c := range all {
		all[i] = strings.TrimSpace(strings.ReplaceAll(c, kept, "|"))
	}
	return all
}

var link = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// plain is Markdown as a terminal shows it: without links and bold letters.
func plain(text string) string {
	return strings.ReplaceAll(link.ReplaceAllString(text, "$1"), "**", "")
}

// word is a cell that is a name, without the marks of code and link.
func word(cell string) string { return strings.Trim(plain(cell), "`") }
