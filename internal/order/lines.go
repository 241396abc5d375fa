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

// maxFaults is how many bad lines an error names: a file of another kind has hundreds.
const maxFaults = 10

// ReadEvents reads JSON lines. The error names the first bad lines and counts the others.
func ReadEvents(name string, r io.Reader, codec *Codec) ([]Event, error) {
	var events []Event
	var faults []error
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	bad := 0
	for n := 1; lines.Scan(); n++ {
		// A byte order mark may stand in front of each file that was joined to others.
		line := bytes.TrimSpace(bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")))
		if len(line) == 0 {
			continue
		}
		ev, err := codec.EventFromJSON(line)
		if err != nil {
			if bad++; bad <= maxFaults {
				faults = append(faults, fmt.Errorf("%s:%d: %w", name, n, err))
			}
			continue
		}
		events = append(events, ev)
	}
	if bad > maxFaults {
		faults = append(faults, fmt.Errorf("%s: %d more bad lines; is it a file with one event as JSON on each line?", name, bad-maxFaults))
	}
	if err := lines.Err(); err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", name, err))
	}
	return events, errors.Join(faults...)
}
