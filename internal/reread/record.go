package reread

import (
	"hash/maphash"

	"github.com/twmb/franz-go/pkg/kgo"
)

var sumSeed = maphash.MakeSeed()

// Sum differs for two records of one offset, as after a topic was created again.
func Sum(r *kgo.Record) uint64 {
	var h maphash.Hash
	h.SetSeed(sumSeed)
	_, _ = h.Write(r.Key)
	_ = h.WriteByte(0)
	_, _ = h.Write(r.Value)
	return h.Sum64()
}

// Copy returns a copy of a record that does not keep the fetched batch in memory.
func Copy(r *kgo.Record) *kgo.Record {
	c := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Timestamp: r.Timestamp}
	b := make([]byte, 0, len(r.Key)+len(r.Value)+headerBytes(r))
	add := func(from []byte) []byte {
		if from == nil {
			return nil // not the same as empty: a tombstone has no value
		}
		b = append(b, from...)
		return b[len(b)-len(from) : len(b) : len(b)]
	}
	c.Key, c.Value = add(r.Key), add(r.Value)
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, kgo.RecordHeader{Key: string(add([]byte(h.Key))), Value: add(h.Value)})
	}
	return c
}

// Size is roughly what a record holds of memory, in bytes.
func Size(r *kgo.Record) int { return len(r.Key) + len(r.Value) + headerBytes(r) }

func headerBytes(r *kgo.Record) int {
	n := 0
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
