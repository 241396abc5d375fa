// Package journal turns skipped offsets into the records of the journal, in which the ranges of offsets that
// ended without a result have their reasons.
package journal

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
	"alipay-kafka-bridge/internal/records"
)

// Writer makes the records of one group.
type Writer struct {
	Encoder *records.Encoder
	Group   string
	Now     func() time.Time
}

// Journal is for the engine: one record for each partition.
func (w Writer) Journal(skips []consume.Skipped) ([]*kgo.Record, error) {
	var out []*kgo.Record
	for _, j := range entries(skips, w.Group, w.Now()) {
		r, err := w.Encoder.Journal(context.Background(), j)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// entries joins consecutive offsets of one reason. skips come by partition, ascending.
func entries(skips []consume.Skipped, group string, at time.Time) []order.JournalEntry {
	var out []order.JournalEntry
	for _, s := range skips {
		last := s.Offset
		if s.Reason == consume.ReasonStart {
			last-- // nothing is skipped: an empty range says where the group began
		}
		n := len(out) - 1
		if n < 0 || out[n].Topic != s.Topic || out[n].Partition != s.Partition {
			out = append(out, order.JournalEntry{Topic: s.Topic, Partition: s.Partition, Group: group, WrittenAt: at})
			n++
		}
		ranges := out[n].Skipped
		if k := len(ranges) - 1; k >= 0 && ranges[k].Reason == s.Reason && ranges[k].Last+1 == s.Offset {
			ranges[k].Last = last
			continue
		}
		out[n].Skipped = append(ranges, order.SkippedRange{First: s.Offset, Last: last, Reason: s.Reason})
	}
	return out
}
