package admin

import (
	"fmt"
	"time"
)

// Audit compares events whose offsets are committed with the outcomes that the topics show.
type Audit struct {
	Since          time.Time `json:"since,omitzero"`    // when it began, or the time that was asked for
	AsOf           time.Time `json:"as_of,omitzero"`    // the last complete round
	Events         int64     `json:"events"`            // the audited ones
	Results        int64     `json:"results"`           // of them, those that ended with a result
	Skips          int64     `json:"skips"`             // those that the journal has as skipped
	DeadLetters    int64     `json:"dead_letters"`      // those that a person must look at
	Unaccounted    int64     `json:"unaccounted"`       // events without an outcome
	Repeated       int64     `json:"repeated"`          // results of events that had one
	LettersMissing int64     `json:"letters_missing"`   // results without the dead letter that they speak of
	LeftOut        int64     `json:"left_out"`          // offsets that were not audited
	Trouble        string    `json:"trouble,omitempty"` // why the last round was not complete
}

// IsZero reports whether there is none.
func (a Audit) IsZero() bool { return a == Audit{} }

// Wrong is how many findings there are of what must not be.
func (a Audit) Wrong() int64 { return a.Unaccounted + a.Repeated + a.LettersMissing }

// Sentence says what the audit found, for people.
func (a Audit) Sentence(now time.Time) string {
	text := "No round of the audit is complete yet."
	if !a.AsOf.IsZero() || a.Events > 0 || a.Wrong() > 0 {
		text = fmt.Sprintf("Since %s the group has passed %s = %s + %s + %s", a.Since.UTC().Format("2006-01-02 15:04 UTC"),
			count(int(a.Events), "event"), count(int(a.Results), "result"), count(int(a.Skips), "skip"), count(int(a.DeadLetters), "dead letter"))
		if a.Unaccounted > 0 {
			text += fmt.Sprintf(" + %s unaccounted", number(int(a.Unaccounted)))
		} else {
			text += ", 0 unaccounted"
		}
		for _, more := range []struct {
			n    int64
			what string
		}{{a.Repeated, "repeated"}, {a.LettersMissing, "without their dead letter"}, {a.LeftOut, "left out"}} {
			if more.n > 0 {
				text += fmt.Sprintf(", %s %s", number(int(more.n)), more.what)
			}
		}
		if !a.AsOf.IsZero() {
			text += fmt.Sprintf(" (as of %s ago)", Span(now.Sub(a.AsOf)))
		}
		text += "."
	}
	if a.Trouble != "" {
		text += " The last round was not complete: " + a.Trouble + "."
	}
	return text
}

// unaccounted is the worst that can be found: nothing else of the bridge shows it.
func unaccounted(s *Status) (Verdict, bool) {
	a := s.Audit
	if a.Wrong() == 0 {
		return Verdict{}, false
	}
	return Verdict{
		Level: LevelRisk, Owner: "bridge",
		Text: "Events and outcomes do not agree. " + a.Sentence(s.AsOf),
		Do:   "find the ERROR lines of the audit in the log: they name the offsets; save them and bridge incident, and read bridge explain BridgeUnaccounted",
	}, true
}
