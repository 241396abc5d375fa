package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"alipay-kafka-bridge/internal/config"
)

// exitFound is the code of a command that ran and found something.
const exitFound = 3

// foundError says that a check found something.
type foundError struct{ n int }

func (e foundError) Error() string {
	if e.n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", e.n)
}
func (foundError) ExitCode() int { return exitFound }

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

// finding is one thing that is wrong, and what to do about it.
type finding struct {
	Part    string `json:"part"`
	Line    int    `json:"line,omitempty"`    // in the settings file
	Setting string `json:"setting,omitempty"` // path of the key
	What    string `json:"what"`
	Remedy  string `json:"remedy,omitempty"`
}

// findings are what a check found, and what it could not look at.
type findings struct {
	Findings []finding `json:"findings"`
	Notes    []string  `json:"notes,omitempty"`
}

func (f *findings) add(part, what, remedy string) {
	f.Findings = append(f.Findings, finding{Part: part, What: what, Remedy: remedy})
}

func (f *findings) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// faults turns what is wrong in a settings file into findings. Faults say after a semicolon
// what would be right.
func faults(err error) (findings, bool) {
	var all config.Faults
	if !errors.As(err, &all) {
		return findings{}, false
	}
	var f findings
	for _, fault := range all {
		what, remedy, _ := strings.Cut(fault.Msg, "; ")
		if remedy == "" {
			remedy = "mend this line"
		}
		f.Findings = append(f.Findings, finding{partSettings, fault.Line, fault.Path, what, remedy})
	}
	return f, true
}

// print writes one finding a line, or all as one JSON object. Its error asks for [exitFound].
func (f findings) print(out io.Writer, asJSON bool) error {
	var err error
	if asJSON {
		if f.Findings == nil {
			f.Findings = []finding{}
		}
		err = json.NewEncoder(out).Encode(f)
	} else {
		_, err = io.WriteString(out, f.text())
	}
	if err != nil {
		return err
	}
	if len(f.Findings) > 0 {
		return foundError{len(f.Findings)}
	}
	return nil
}

func (f findings) text() string {
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
