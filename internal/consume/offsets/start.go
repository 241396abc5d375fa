package offsets

import (
	"fmt"
	"strings"
)

// AcceptedPosition is a committed offset that an operator set by hand and is responsible for.
type AcceptedPosition struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Accepted reports whether an operator accepted a committed offset, and whether one of the partition
// at all.
func Accepted(all []AcceptedPosition, tp TopicPartition, offset int64) (accepted, named bool) {
	for _, a := range all {
		if a.Topic == tp.Topic && a.Partition == tp.Partition {
			named = true
			accepted = accepted || a.Offset == offset
		}
	}
	return accepted, named
}

// ParseAcceptedPosition reads "topic/partition@offset".
func ParseAcceptedPosition(s string) (AcceptedPosition, error) {
	slash, at := strings.LastIndexByte(s, '/'), strings.LastIndexByte(s, '@')
	a := AcceptedPosition{}
	if slash > 0 && at > slash {
		a.Topic = s[:slash]
		if _, err := fmt.Sscanf(s[slash:], "/%d@%d", &a.Partition, &a.Offset); err == nil && fmt.Sprintf("%s/%d@%d", a.Topic, a.Partition, a.Offset) == s {
			return a, nil
		}
	}
	return a, fmt.Errorf("position %q: use topic/partition@offset", s)
}

// StartError means that partitions have no committed offset and no start was given.
type StartError struct {
	Group      string
	Partitions []string
}

func (e *StartError) Error() string {
	return fmt.Sprintf("group %s has no committed offset for %s: set start to earliest, latest or a time",
		e.Group, strings.Join(e.Partitions, ", "))
}
