package explain

import (
	"fmt"
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

// Meaning is what a class of answers means, empty if there is no such class.
func Meaning(class string) string {
	for _, e := range All() {
		if e.Kind != Class || !strings.EqualFold(e.Name, class) {
			continue
		}
		for _, f := range e.Fields {
			if f.Name == "meaning" {
				return f.Text
			}
		}
	}
	return ""
}
