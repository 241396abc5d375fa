package check

import (
	"errors"
	"fmt"
	"strings"

	"alipay-kafka-bridge/internal/config/fault"
)

// Parts of a check, in their order.
const (
	partSettings     = "settings"
	partKeys         = "keys"
	partCertificates = "certificates"
	partKafka        = "kafka"
	partACLs         = "acls"
	partTopics       = "topics"
	partSchemas      = "schemas"
	partGateways     = "gateways"
	partClock        = "clock"
)

// Finding is one thing that is wrong, and what to do about it.
type Finding struct {
	Part    string `json:"part"`
	Line    int    `json:"line,omitempty"`    // in the settings file
	Setting string `json:"setting,omitempty"` // path of the key
	What    string `json:"what"`
	Remedy  string `json:"remedy,omitempty"`
}

// Report are what a check found, and what it could not look at.
type Report struct {
	Findings []Finding `json:"findings"`
	Notes    []string  `json:"notes,omitempty"`
}

func (f *Report) add(part, what, remedy string) {
	f.Findings = append(f.Findings, Finding{Part: part, What: what, Remedy: remedy})
}

func (f *Report) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// SettingsFaults turns what is wrong in a settings file into findings. Faults say after a semicolon
// what would be right.
func SettingsFaults(err error) (Report, bool) {
	var all fault.Faults
	if !errors.As(err, &all) {
		return Report{}, false
	}
	var f Report
	for _, fault := range all {
		what, remedy, _ := strings.Cut(fault.Msg, "; ")
		if remedy == "" {
			remedy = "mend this line"
		}
		f.Findings = append(f.Findings, Finding{partSettings, fault.Line, fault.Path, what, remedy})
	}
	return f, true
}

// Count is how many findings there are.
func (f Report) Count() int { return len(f.Findings) }

// Text has one line for each note and each finding.
func (f Report) Text() string {
	var b strings.Builder
	for _, n := range f.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for _, found := range f.Findings {
		if found.Line > 0 {
			fmt.Fprintf(&b, "line %d: ", found.Line)
		}
		if found.Setting != "" {
			fmt.Fprintf(&b, "%s: ", found.Setting)
		}
		fmt.Fprintf(&b, "%s; %s\n", oneLine(found.What), oneLine(found.Remedy))
	}
	if len(f.Findings) == 0 {
		b.WriteString("nothing found\n")
	}
	return b.String()
}

// oneLine keeps a finding on its line: errors of others may have several.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
