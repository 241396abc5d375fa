package produce

import (
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// noPartition marks a record that names a partition which its topic does not have.
const noPartition = math.MinInt32

// partitioner partitions records by their key, as kgo does by default, except for topics whose
// records name their partition.
type partitioner struct {
	byKey  kgo.Partitioner
	manual []string
}

func newPartitioner(manual []string) kgo.Partitioner {
	return partitioner{byKey: kgo.UniformBytesPartitioner(64<<10, true, true, nil), manual: manual}
}

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if slices.Contains(p.manual, topic) {
		return manualPartitioner{}
	}
	return p.byKey.ForTopic(topic)
}

type manualPartitioner struct{}

func (manualPartitioner) RequiresConsistency(*kgo.Record) bool { return true }

func (manualPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition < 0 || int(r.Partition) >= n {
		r.Partition = noPartition // kgo refuses it with an error without a type
		return -1
	}
	return int(r.Partition)
}
