package order

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds one event as JSON.
const maxLine = 1 << 20

// ReadEvents reads JSON lines. The error names every bad line, not only the first.
func ReadEvents(name string, r io.Reader, codec *Codec) ([]Event, error) {
	var events []Event
	var faults []error
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		ev, err := codec.EventFromJSON(line)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, n, err))
			continue
		}
		events = append(events, ev)
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", name, err))
	}
	return events, errors.Join(faults...)
}
