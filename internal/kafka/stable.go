package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// LogEnd is where the log of a partition ends.
type LogEnd struct {
	Topic     string
	Partition int32
	Stable    int64 // the first offset of a transaction that is open, or High: readers of committed records stop here
	High      int64 // the offset after the last record
}

// LogEnds returns the ends of all partitions of topics. A partition whose leader does not answer is left out.
func LogEnds(ctx context.Context, adm *kadm.Client, topics ...string) ([]LogEnd, error) {
	// In this order: what is written in between must not look like an open transaction that is not there.
	high, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	stable, err := adm.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var ends []LogEnd
	stable.Each(func(s kadm.ListedOffset) {
		if h, ok := high.Lookup(s.Topic, s.Partition); ok && h.Err == nil && s.Err == nil {
			ends = append(ends, LogEnd{s.Topic, s.Partition, min(s.Offset, h.Offset), h.Offset})
		}
	})
	return ends, nil
}
