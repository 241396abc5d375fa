package handle

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"alipay-kafka-bridge/internal/consume"
	"alipay-kafka-bridge/internal/order"
)

// Journal is for the engine: skipped offsets, one record per partition.
func (h *Handler) Journal(skips []consume.Skipped) ([]*kgo.Record, error) {
	var out []*kgo.Record
	for _, j := range journalEntries(skips, h.o.Group, h.o.Now()) {
		r, err := h.o.Encoder.Journal(context.Background(), j)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// journalEntries joins consecutive offsets of one reason. skips come by partition, ascending.
func journalEntries(skips []consume.Skipped, group string, at time.Time) []order.JournalEntry {
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
