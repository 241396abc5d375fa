package check

import (
	"errors"
	"fmt"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// Parts of a check, in order.
const (
	partSettings     = "settings"
	partKeys         = "keys"
	partCertificates = "certificates"
	partHost         = "host"
	partKafka        = "kafka"
	partACLs         = "acls"
	partTopics       = "topics"
	partSchemas      = "schemas"
	partGateways     = "gateways"
	partClock        = "clock"
)

// Finding is one fault, and what to do about it.
type Finding struct {
	ID      string `json:"id"` // what bridge explain knows it by
	Part    string `json:"part"`
	Line    int    `json:"line,omitempty"`    // in the settings file
	Setting string `json:"setting,omitempty"` // path of the key
	What    string `json:"what"`
	Remedy  string `json:"remedy,omitempty"`
}

// Report has the findings of a check, and notes about what it could not examine.
type Report struct {
	Findings []Finding `json:"findings"`
	Notes    []string  `json:"notes,omitempty"`
}

func (f *Report) add(k kind, what, remedy string) {
	f.Findings = append(f.Findings, Finding{ID: k.id, Part: k.part, What: what, Remedy: remedy})
}

func (f *Report) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// SettingsFaults turns the faults of a settings file into findings. A fault says after a semicolon
// what to do.
func SettingsFaults(err error) (Report, bool) {
	var all fault.Faults
	if !errors.As(err, &all) {
		return Report{}, false
	}
	var f Report
	for _, fault := range all {
		what, remedy, _ := strings.Cut(fault.Msg, "; ")
		if remedy == "" {
			remedy = "fix this line"
		}
		f.Findings = append(f.Findings, Finding{settingWrong.id, settingWrong.part, fault.Line, fault.Path, what, remedy})
	}
	return f, true
}

// Count is how many findings there are.
func (f Report) Count() int { return len(f.Findings) }

// String is one line for people: the line of the settings, what bridge explain knows, what is wrong, and what to do.
func (f Finding) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}
	if f.Setting != "" { // bridge explain knows that, too
		fmt.Fprintf(&b, "%s: ", f.Setting)
	} else {
		fmt.Fprintf(&b, "%s: ", f.ID)
	}
	fmt.Fprintf(&b, "%s; %s", f.What, f.Remedy)
	return b.String()
}

// Text has one line for each note and each finding.
func (f Report) Text() string {
	var findings []string
	for _, found := range f.Findings {
		findings = append(findings, found.String())
	}
	return lines(f.Notes, findings)
}

// lines prints notes and findings, each on one line: errors of others may have several.
func lines(notes, findings []string) string {
	var b strings.Builder
	for _, n := range notes {
		b.WriteString("note: " + oneLine(n) + "\n")
	}
	for _, f := range findings {
		b.WriteString(oneLine(f) + "\n")
	}
	if len(findings) == 0 {
		b.WriteString("nothing found\n")
	}
	return b.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
