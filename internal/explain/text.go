package explain

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// width is where lines end.
const width = 80

// String is an entry for people.
func (e Entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", strings.ToUpper(string(e.Kind)), e.Name)
	at := e.Section
	if at == e.Name || at == "" {
		fmt.Fprintf(&b, "  (docs/%s)\n", e.Page)
	} else {
		fmt.Fprintf(&b, "  (docs/%s, %s)\n", e.Page, at)
	}
	if e.Text != "" {
		b.WriteString("\n" + wrap(e.Text, ""))
	}
	if len(e.Fields) > 0 {
		b.WriteString("\n")
	}
	longest := 0
	for _, f := range e.Fields {
		longest = max(longest, len(f.Name))
	}
	for _, f := range e.Fields {
		text := wrap(f.Text, strings.Repeat(" ", longest+4))
		fmt.Fprintf(&b, "  %-*s%s", longest+2, f.Name, strings.TrimLeft(text, " "))
	}
	return b.String()
}

// wrap breaks lines between words, and writes indent before each.
func wrap(text, indent string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		used := 0
		for _, w := range strings.Fields(line) {
			n := utf8.RuneCountInString(w)
			switch {
			case used == 0:
				b.WriteString(indent + w)
				used = len(indent) + n
			case used+1+n > width:
				b.WriteString("\n" + indent + w)
				used = len(indent) + n
			default:
				b.WriteString(" " + w)
				used += 1 + n
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// maxLegend bounds the lines of a legend.
const maxLegend = 10

// Legend says what answers mean, each once: pairs of a code, which may be empty, and its class.
func Legend(answers [][2]string) []string {
	var lines []string
	for _, a := range answers {
		line := strings.TrimSpace(a[0]+" "+a[1]) + ": "
		said := slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, line) })
		if means := meaning(a[1]); means != "" && !said && len(lines) < maxLegend {
			lines = append(lines, line+means)
		}
	}
	return lines
}

// meaning is what a class means, empty if there is no such class.
func meaning(class string) string {
	for _, e := range named(All(), Class, class) {
		for _, f := range e.Fields {
			if f.Name == "meaning" {
				return f.Text
			}
		}
	}
	return ""
}
