package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in a settings file.
type Fault struct {
	Line int    // counted from 1; if something is missing, of the part that should have it
	Path string // of the key, e.g. apps.main.in_flight or topics.inputs[0].name
	Msg  string // what is wrong and, after a semicolon, what to do; never a secret
}

func (f Fault) String() string {
	if f.Path == "" {
		return fmt.Sprintf("line %d: %s", f.Line, f.Msg)
	}
	return fmt.Sprintf("line %d: %s: %s", f.Line, f.Path, f.Msg)
}

// Faults are all mistakes in a settings file, by line. It is an error with one fault per line.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Findings collects faults, and what is needed to find their lines.
type Findings struct {
	faults Faults
	lines  map[string]int    // of every key that was read, by path
	raw    map[string]string // text of every scalar before ${NAME} was replaced, by path
	bad    map[string]bool   // paths that have a fault already
	broken map[string]bool   // paths below which nothing could be read
}

// New returns a collection without faults.
func New() *Findings {
	return &Findings{lines: map[string]int{}, raw: map[string]string{}, bad: map[string]bool{}, broken: map[string]bool{}}
}

// Add notes a fault. A path has at most one: the consequences of a fault would only confuse.
func (fs *Findings) Add(path, format string, args ...any) {
	fs.AddAt(fs.line(path), path, format, args...)
}

// AddAt notes a fault at a line of the file.
func (fs *Findings) AddAt(line int, path, format string, args ...any) {
	if fs.bad[path] || fs.unread(path) {
		return
	}
	fs.bad[path] = true
	fs.faults = append(fs.faults, Fault{line, path, fmt.Sprintf(format, args...)})
}

// AddUnreadable notes a fault because of which nothing below the path is read.
func (fs *Findings) AddUnreadable(path, format string, args ...any) {
	fs.Add(path, format, args...)
	fs.broken[path] = true
}

func (fs *Findings) unread(path string) bool {
	for ; path != ""; path = Parent(path) {
		if fs.broken[path] {
			return true
		}
	}
	return fs.broken[""]
}

// Parent cuts the last key or index off a path.
func Parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// Excuse prevents a fault at this path, because another fault explains it.
func (fs *Findings) Excuse(path string) { fs.bad[path] = true }

// HasFault says whether a path has a fault already.
func (fs *Findings) HasFault(path string) bool { return fs.bad[path] }

// SetLine notes the line of a key.
func (fs *Findings) SetLine(path string, line int) { fs.lines[path] = line }

// SetText notes the text of a scalar as it is in the file, for messages.
func (fs *Findings) SetText(path, raw string) { fs.raw[path] = raw }

// AddRepeated notes that a key is given twice; its path may have another fault as well.
func (fs *Findings) AddRepeated(path string, line, first int) {
	fs.faults = append(fs.faults, Fault{line, path, fmt.Sprintf("is given twice, first on line %d; keep one", first)})
}

// Given says whether the file has this key.
func (fs *Findings) Given(path string) bool { return fs.lines[path] > 0 }

// line returns the line of a key, or of the nearest part around it that the file has.
func (fs *Findings) line(path string) int {
	for path != "" {
		if n := fs.lines[path]; n > 0 {
			return n
		}
		path = Parent(path)
	}
	return 1
}

// Text returns the text of a scalar as it is in the file.
func (fs *Findings) Text(path string) string { return fs.raw[path] }

// Quoted quotes a value as it is in the file, so that messages do not show values of the environment.
func (fs *Findings) Quoted(path string) string { return Quote(fs.raw[path]) }

// Quote returns the beginning of a value, escaped.
func Quote(s string) string {
	const most = 60 // characters of a value that a fault shows
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return fmt.Sprintf("%+q", s)
}

// Err returns the faults by line, or nil if there are none.
func (fs *Findings) Err() error {
	if len(fs.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(fs.faults, func(a, b Fault) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path)) })
	return fs.faults
}

// nearest returns the known word that was probably meant, or "". At most a third of its letters,
// and at most three, may differ.
func nearest(word string, known []string) string {
	best, found := min(3, (len(word)+2)/3)+1, ""
	for _, k := range known {
		if d := distance(word, k); d < best {
			best, found = d, k
		}
	}
	return found
}

// distance counts the insertions, deletions and replacements between two words (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// OrAll returns the hint, or all known words if there is no hint.
func OrAll(hint string, known []string) string {
	if hint == "" && len(known) > 0 {
		return "; use one of " + strings.Join(known, ", ")
	}
	return hint
}

// DidYouMean returns "; did you mean WORD?" with the nearest word, or nothing.
func DidYouMean(word string, known []string) string {
	if k := nearest(word, known); k != "" {
		return fmt.Sprintf("; did you mean %s?", k)
	}
	return ""
}
