package output

// Colour is how a cell is shown on a terminal. A word always carries the meaning, too.
type Colour string

// The colours.
const (
	Plain  Colour = ""
	Red    Colour = "31" // failed
	Green  Colour = "32" // done
	Yellow Colour = "33" // waits
	Dim    Colour = "2"  // old, or a side note
)

// paint adds a colour to a text that is safe already.
func (c Colour) paint(text string) string {
	if c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// ColourModes are the words of the flag --color.
func ColourModes() []string { return []string{"auto", "always", "never"} }

// Coloured decides whether colours are used: the flag counts more than NO_COLOR, which counts more
// than FORCE_COLOR, which counts more than what the terminal is.
func Coloured(mode string, environment func(string) string, terminal bool) bool {
	switch {
	case mode == "always", mode == "never":
		return mode == "always"
	case environment("NO_COLOR") != "":
		return false
	case environment("FORCE_COLOR") != "":
		return true
	}
	return terminal && environment("TERM") != "dumb"
}
